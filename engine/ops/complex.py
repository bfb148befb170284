"""Complex numbers: their parts, and how they are made of them.

Here nothing is holomorphic but the identity, so the gradients are written out: that of a real
cost by z is dC/dRe z + i dC/dIm z.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from engine.dtype_rules import floating, of_reals
from engine.expression import OPS, Variable
from engine.makers import cast_to, elementwise
from engine.op import Gradients, Op
from engine.types import COMPLEX, EVERY, complex_dtype, real_dtype, to_float, upcast

CATEGORY = "Complex numbers"


def _part(dtypes: Sequence[str]) -> tuple[str, str]:
    dtype = upcast(*dtypes)
    return dtype, real_dtype(dtype)


def _into(g: Variable, x: Variable, imaginary: bool) -> Variable:
    """A real gradient as that of the real or imaginary part of x."""
    if x.dtype not in COMPLEX:
        return g
    zero = OPS["zeros_like"](g)
    return complex(zero, g) if imaginary else complex(g, zero)


real = elementwise(
    "real",
    symbol="Re",
    category=CATEGORY,
    tex=r"\operatorname{{Re}} {x}",
    doc="The real part; of a real number the number itself.",
    rule=_part,
    conjugates=False,
    method=False,
    dtypes=EVERY,
    numpy=lambda x: np.real(x),
    scalar="{x}",
    grad=lambda g, y, x: [_into(g, x, imaginary=False)],
)

imag = elementwise(
    "imag",
    symbol="Im",
    category=CATEGORY,
    tex=r"\operatorname{{Im}} {x}",
    doc="The imaginary part; of a real number 0.",
    rule=_part,
    conjugates=False,
    method=False,
    dtypes=EVERY,
    numpy=lambda x: np.imag(x),
    scalar="T(0)",
    grad=lambda g, y, x: [_into(g, x, imaginary=True) if x.dtype in COMPLEX else None],
)

conj: Op = elementwise(
    "conj",
    symbol="z̄",
    category=CATEGORY,
    tex=r"\overline{{{x}}}",
    doc="The complex conjugate: the imaginary part with its sign turned.",
    aliases=("conjugate",),
    conjugates=False,
    dtypes=EVERY,
    numpy=lambda x: np.conj(x),
    scalar="{x}",
    grad=lambda g, y, x: [conj(g)],
)


def _angle_rule(dtypes: Sequence[str]) -> tuple[str, str]:
    dtype = to_float(upcast(*dtypes))
    return dtype, real_dtype(dtype)


def _angle_grad(g: Variable, y: Variable, x: Variable) -> Gradients:
    """An angle grows at right angles to z, by 1 / |z|."""
    if x.dtype not in COMPLEX:
        return [None]
    size = OPS["sqr"](OPS["abs"](x))
    return [complex(-g * imag(x) / size, g * real(x) / size)]


angle = elementwise(
    "angle",
    symbol="∠z",
    category=CATEGORY,
    tex=r"\arg {x}",
    doc="The angle of a complex number, between -π and π; of a negative number it is π.",
    rule=_angle_rule,
    conjugates=False,
    dtypes=EVERY,
    numpy=lambda x: np.angle(x),
    scalar="math.atan2(T(0), {x})",
    grad=_angle_grad,
)


def _complex_rule(dtypes: Sequence[str]) -> tuple[str, str]:
    dtype, _ = of_reals(floating)(dtypes)
    assert isinstance(dtype, str)
    return dtype, complex_dtype(dtype)


complex: Op = elementwise(
    "complex",
    symbol="a+bi",
    category=CATEGORY,
    tex=r"{real} + {imag} i",
    doc="The complex number with the given real and imaginary part.",
    rule=_complex_rule,
    conjugates=False,
    method=False,
    numpy=lambda real, imag: _joined(real, imag),
    scalar=None,
    grad=lambda g, y, real, imag: [OPS["real"](g), OPS["imag"](g)],
)


def _joined(real: Any, imag: Any) -> Any:
    """real + 1j * imag would make NaN of an infinite imaginary part."""
    out = np.empty(np.broadcast_shapes(real.shape, imag.shape), complex_dtype(real.dtype.name))
    out.real, out.imag = real, imag
    return out


def _polar_grad(g: Variable, z: Variable, abs: Variable, angle: Variable) -> Gradients:
    ray = complex_from_polar(OPS["ones_like"](cast_to(abs, real_dtype(z.dtype))), angle)
    turned = OPS["conj"](g)
    return [OPS["real"](turned * ray), -OPS["imag"](turned * z)]


complex_from_polar: Op = elementwise(
    "complex_from_polar",
    symbol="r∠φ",
    category=CATEGORY,
    tex=r"{abs} e^{{i {angle}}}",
    doc="The complex number of the given size and angle in radians.",
    rule=_complex_rule,
    conjugates=False,
    method=False,
    numpy=lambda abs, angle: _joined(abs * np.cos(angle), abs * np.sin(angle)),
    scalar=None,
    grad=_polar_grad,
)
