"""Trigonometric and hyperbolic functions, their inverses, and angles in degrees."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from engine.dtype_rules import floating, of_reals
from engine.expression import OPS, Variable
from engine.makers import cast_to, constant_like, elementwise
from engine.op import Gradients, Op
from engine.types import EVERY

CATEGORY = "Trigonometry"


def _function(
    name: str,
    doc: str,
    numpy: Callable[[Any], Any],
    slope: Callable[[Variable, Variable], Variable],
    **facts: Any,
) -> Op:
    """A function of one number, with its derivative as a function of its value and x."""
    return elementwise(
        name,
        doc=doc,
        symbol=name,
        rule=floating,
        dtypes=EVERY,
        numpy=lambda x: numpy(x),
        scalar=f"math.{name}({{x}})",
        grad=lambda g, y, x: [g * slope(y, cast_to(x, y.dtype))],
        **{"category": CATEGORY, "tex": rf"\{name}\left({{x}}\right)", **facts},
    )


def _inverse(
    name: str,
    doc: str,
    numpy: Callable[[Any], Any],
    divisor: Callable[[Variable], Variable],
    **facts: Any,
) -> Op:
    """The inverse of a function, with what its derivative is one over."""
    letters = name.removeprefix("arc")
    return elementwise(
        name,
        doc=doc,
        category=CATEGORY,
        symbol=f"{letters}⁻¹",
        tex=rf"\{letters}^{{{{-1}}}}\left({{x}}\right)",
        aliases=(f"a{letters}",),
        rule=floating,
        dtypes=EVERY,
        numpy=lambda x: numpy(x),
        scalar=f"math.a{letters}({{x}})",
        grad=lambda g, y, x: [g / divisor(cast_to(x, y.dtype))],
        **facts,
    )


sin: Op = _function(
    "sin",
    "The sine of an angle in radians.",
    np.sin,
    lambda y, x: cos(x),
    bounds=(-1, 1),
)
cos: Op = _function(
    "cos",
    "The cosine of an angle in radians.",
    np.cos,
    lambda y, x: -sin(x),
    bounds=(-1, 1),
)
tan = _function(
    "tan",
    "The tangent of an angle in radians.",
    np.tan,
    lambda y, x: OPS["sqr"](y) + 1,
    domain=(-1.2, 1.2),
)
arcsin = _inverse(
    "arcsin",
    "The angle between -π/2 and π/2 whose sine is x; NaN beyond -1 and 1.",
    np.arcsin,
    lambda x: OPS["sqrt"](1 - OPS["sqr"](x)),
    domain=(-0.9, 0.9),
)
arccos = _inverse(
    "arccos",
    "The angle between 0 and π whose cosine is x; NaN beyond -1 and 1.",
    np.arccos,
    lambda x: -OPS["sqrt"](1 - OPS["sqr"](x)),
    domain=(-0.9, 0.9),
)
arctan = _inverse(
    "arctan",
    "The angle between -π/2 and π/2 whose tangent is x.",
    np.arctan,
    lambda x: OPS["sqr"](x) + 1,
)


def _arctan2_grad(g: Variable, out: Variable, y: Variable, x: Variable) -> Gradients:
    y, x = cast_to(y, out.dtype), cast_to(x, out.dtype)
    share = g / (OPS["sqr"](x) + OPS["sqr"](y))
    return [share * x, -share * y]


arctan2 = elementwise(
    "arctan2",
    symbol="∠yx",
    category=CATEGORY,
    tex=r"\operatorname{{atan2}}\left({y}, {x}\right)",
    doc="The angle of the point (x, y), between -π and π.",
    aliases=("atan2",),
    rule=of_reals(floating),
    domain=((0.5, 3.0), (-3.0, 3.0)),
    numpy=lambda y, x: np.arctan2(y, x),
    scalar="math.atan2({y}, {x})",
    grad=_arctan2_grad,
)

sinh: Op = _function("sinh", "The hyperbolic sine.", np.sinh, lambda y, x: cosh(x))
cosh: Op = _function("cosh", "The hyperbolic cosine.", np.cosh, lambda y, x: sinh(x))
tanh = _function(
    "tanh",
    "The hyperbolic tangent: squeezes every number between -1 and 1.",
    np.tanh,
    lambda y, x: 1 - OPS["sqr"](y),
    category="Activations",
    bounds=(-1, 1),
)
arcsinh = _inverse(
    "arcsinh",
    "The number whose hyperbolic sine is x.",
    np.arcsinh,
    lambda x: OPS["sqrt"](OPS["sqr"](x) + 1),
)
arccosh = _inverse(
    "arccosh",
    "The number, not negative, whose hyperbolic cosine is x; NaN below 1.",
    np.arccosh,
    # Two roots: that of x² - 1 would be on the wrong branch for complex numbers.
    lambda x: OPS["sqrt"](x - 1) * OPS["sqrt"](x + 1),
    domain=(1.2, 5.0),
)
arctanh = _inverse(
    "arctanh",
    "The number whose hyperbolic tangent is x; NaN beyond -1 and 1.",
    np.arctanh,
    lambda x: 1 - OPS["sqr"](x),
    domain=(-0.9, 0.9),
)

deg2rad: Op = elementwise(
    "deg2rad",
    symbol="°→",
    category=CATEGORY,
    tex=r"{x}^{{\circ}}",
    doc="An angle in degrees, in radians.",
    aliases=("radians",),
    rule=of_reals(floating),
    domain=(-180.0, 180.0),
    numpy=lambda x: np.deg2rad(x),
    scalar="{x} * (T(math.pi) / T(180))",
    grad=lambda g, y, x: [g * constant_like(math.pi / 180, y)],
)

rad2deg = elementwise(
    "rad2deg",
    symbol="→°",
    category=CATEGORY,
    doc="An angle in radians, in degrees.",
    aliases=("degrees",),
    rule=of_reals(floating),
    numpy=lambda x: np.rad2deg(x),
    scalar="{x} * (T(180) / T(math.pi))",
    grad=lambda g, y, x: [g * constant_like(180 / math.pi, y)],
)
