"""Arithmetic, powers, absolute values and signs."""

from math import inf
from typing import Any

import numpy as np

from engine.dtype_rules import arithmetic, dividing, floating, of_reals, upcasting
from engine.errors import TypeMismatchError
from engine.expression import OPS, Constant, Variable
from engine.makers import cast_to, composed, elementwise, zero_gradient
from engine.op import Example, Gradients, Op, Port
from engine.types import COMPLEX, EVERY, TensorType, real_dtype

CATEGORY = "Arithmetic"

add = elementwise(
    "add",
    symbol="+",
    category=CATEGORY,
    infix="{x} + {y}",
    precedence=10,
    doc="The sum of two tensors, element by element.",
    aliases=("plus",),
    commutative=True,
    associative=True,
    dtypes=EVERY,
    numpy=lambda x, y: x + y,
    scalar="{x} + {y}",
    grad=lambda g, out, x, y: [g, g],
)

sub = elementwise(
    "sub",
    symbol="−",
    category=CATEGORY,
    infix="{x} - {y}",
    precedence=10,
    doc="The difference of two tensors, element by element.",
    aliases=("minus", "subtract"),
    rule=arithmetic,
    dtypes=EVERY - {"bool"},
    numpy=lambda x, y: x - y,
    scalar="{x} - {y}",
    grad=lambda g, out, x, y: [g, -g],
)

mul = elementwise(
    "mul",
    symbol="×",
    category=CATEGORY,
    infix="{x} * {y}",
    tex=r"{x} \, {y}",
    precedence=20,
    doc="The product of two tensors, element by element.",
    aliases=("multiply", "times"),
    commutative=True,
    associative=True,
    dtypes=EVERY,
    numpy=lambda x, y: x * y,
    scalar="{x} * {y}",
    grad=lambda g, out, x, y: [g * y, g * x],
)

multiply_no_nan: Op = elementwise(
    "multiply_no_nan",
    symbol="×₀",
    category=CATEGORY,
    tex=r"{x} \cdot_0 {y}",
    doc="The product, but 0 wherever x is 0, also times infinity and NaN.",
    method=False,
    hidden=True,
    selects=True,
    dtypes=EVERY,
    numpy=lambda x, y: np.where(x == 0, np.zeros((), x.dtype), x * y),
    scalar="{x} * {y} if {x} != 0 else T(0)",
    grad=lambda g, out, x, y: [multiply_no_nan(g, y), multiply_no_nan(x, g)],
)


def _true_div_grad(g: Variable, out: Variable, x: Variable, y: Variable) -> Gradients:
    y = cast_to(y, out.dtype)
    return [g / y, -g * x / (y * y)]


true_div = elementwise(
    "true_div",
    symbol="÷",
    category=CATEGORY,
    infix="{x} / {y}",
    tex=r"\frac{{{x}}}{{{y}}}",
    precedence=20,
    doc="The quotient of two tensors; integers divide to floats.",
    aliases=("divide", "div"),
    rule=dividing,
    dtypes=EVERY,
    domain=((-3.0, 3.0), (0.5, 3.0)),
    numpy=lambda x, y: x / y,
    scalar="{x} / {y}",
    grad=_true_div_grad,
)

int_div = elementwise(
    "int_div",
    symbol="//",
    category=CATEGORY,
    infix="{x} // {y}",
    precedence=20,
    tex=r"\left\lfloor \frac{{{x}}}{{{y}}} \right\rfloor",
    doc="The quotient rounded down to an integer: -7 // 2 is -4. An integer // 0 is 0.",
    aliases=("floor_div", "floor_divide"),
    rule=of_reals(arithmetic),
    dtypes=EVERY - COMPLEX - {"bool"},
    domain=((-9.0, 9.0), (0.5, 3.0)),
    numpy=lambda x, y: x // y,
    scalar="floor_divide({x}, {y})",
    grad=lambda g, out, x, y: [zero_gradient(x), zero_gradient(y)],
)

mod = elementwise(
    "mod",
    symbol="%",
    category=CATEGORY,
    infix="{x} % {y}",
    precedence=20,
    tex=r"{x} \bmod {y}",
    doc="What is left of x after division by y, with the sign of y: -7 % 2 is 1. "
    "An integer % 0 is 0.",
    aliases=("remainder",),
    rule=of_reals(arithmetic),
    dtypes=EVERY - COMPLEX - {"bool"},
    domain=((-9.0, 9.0), (0.5, 3.0)),
    numpy=lambda x, y: x % y,
    scalar="{x} % {y}",
    grad=lambda g, out, x, y: [g, -g * (x // y)],
)

divmod = composed(
    "divmod",
    symbol="// %",
    category=CATEGORY,
    results=("quotient", "remainder"),
    doc="The quotient rounded down, and what is left: x is quotient * y + remainder.",
    dtypes=EVERY - COMPLEX - {"bool"},
    domain=((-9.0, 9.0), (0.5, 3.0)),
    body=lambda x, y: [int_div(x, y), mod(x, y)],
)


def _ceil_intdiv(x: Variable, y: Variable) -> Variable:
    quotient = int_div(x, y)
    return quotient + OPS["cast"](OPS["neq"](mod(x, y), 0), quotient.dtype)


ceil_intdiv = composed(
    "ceil_intdiv",
    symbol="⌈/⌉",
    category=CATEGORY,
    tex=r"\left\lceil \frac{{{x}}}{{{y}}} \right\rceil",
    doc="The quotient rounded up to an integer: of 7 and 2 it is 4.",
    dtypes=EVERY - COMPLEX - {"bool"},
    domain=((-9.0, 9.0), (0.5, 3.0)),
    body=_ceil_intdiv,
)


def _power(x: Any, y: Any) -> Any:
    """np.power, where integers take negative exponents too: only 1 and -1 leave more than 0."""
    if x.dtype.kind != "i":
        return np.power(x, y)
    inverse = np.where(x == 1, 1, np.where(x == -1, 1 - 2 * (y & 1), 0)).astype(x.dtype)
    return np.where(y < 0, inverse, np.power(x, np.maximum(y, 0)))


def _power_grad(g: Variable, out: Variable, x: Variable, y: Variable) -> Gradients:
    """By x: y xʸ⁻¹, which is 0 for y = 0, also at x = 0.  By y: xʸ ln x, taken as 0 at x = 0."""
    by_y = g * out * OPS["switch"](OPS["eq"](x, 0), 0, OPS["log"](x))
    if not isinstance(y, Constant) or not y.data.all():
        return [g * multiply_no_nan(y, x ** (y - 1)), by_y]
    return [g * y * x ** (y - 1), by_y]


pow = elementwise(
    "pow",
    symbol="xʸ",
    category=CATEGORY,
    infix="{x} ** {y}",
    tex="{x}^{{{y}}}",
    precedence=30,
    doc="x to the power of y, element by element. A negative power of an integer is cut to 0, "
    "unless the integer is 1 or -1.",
    aliases=("power",),
    rule=arithmetic,
    dtypes=EVERY - {"bool"},
    domain=((0.2, 3.0), (0.0, 3.0)),
    numpy=_power,
    scalar="power({x}, {y})",
    grad=_power_grad,
)

neg = elementwise(
    "neg",
    symbol="−x",
    category=CATEGORY,
    infix="-{x}",
    precedence=25,
    doc="The tensor with its sign turned.",
    aliases=("negative",),
    rule=arithmetic,
    dtypes=EVERY - {"bool"},
    numpy=lambda x: -x,
    scalar="-{x}",
    grad=lambda g, out, x: [-g],
)

inv = elementwise(
    "inv",
    symbol="1/x",
    category=CATEGORY,
    tex=r"\frac{{1}}{{{x}}}",
    doc="One divided by each element.",
    aliases=("reciprocal",),
    rule=dividing,
    dtypes=EVERY,
    domain=(0.5, 3.0),
    numpy=lambda x: 1 / x,
    scalar="T(1) / {x}",
    grad=lambda g, out, x: [-g * out * out],
)

sqr = elementwise(
    "sqr",
    symbol="x²",
    category=CATEGORY,
    tex="{x}^2",
    precedence=30,
    doc="Each element times itself; small integers wrap around, as in a product.",
    aliases=("square",),
    dtypes=EVERY,
    numpy=lambda x: x * x,
    scalar="{x} * {x}",
    grad=lambda g, out, x: [g * x * 2],
)

sqrt = elementwise(
    "sqrt",
    symbol="√",
    category=CATEGORY,
    tex=r"\sqrt{{{x}}}",
    doc="The square root of each element; NaN for a negative one.",
    bounds=(0, inf),
    rule=floating,
    dtypes=EVERY,
    domain=(0.2, 9.0),
    numpy=lambda x: np.sqrt(x),
    scalar="math.sqrt({x})",
    grad=lambda g, out, x: [g * 0.5 / out],
)

cbrt = elementwise(
    "cbrt",
    symbol="∛",
    category=CATEGORY,
    tex=r"\sqrt[3]{{{x}}}",
    doc="The cube root of each element; that of a negative one is negative.",
    rule=of_reals(floating),
    domain=(0.2, 9.0),
    numpy=lambda x: np.cbrt(x),
    scalar="cbrt({x})",
    grad=lambda g, out, x: [g / (out * out * 3)],
)

abs: Op = elementwise(
    "abs",
    symbol="|x|",
    category=CATEGORY,
    tex=r"\left| {x} \right|",
    doc="The size of each element without its sign; the modulus of a complex number.",
    bounds=(0, inf),
    aliases=("abs_", "absolute"),
    rule=lambda dtypes: (upcasting(dtypes)[0], real_dtype(upcasting(dtypes)[0])),
    conjugates=False,
    dtypes=EVERY,
    numpy=lambda x: np.abs(x),
    scalar="abs({x})",
    grad=lambda g, out, x: [g * sgn(x)],
)


def _sgn_grad(g: Variable, out: Variable, x: Variable) -> Gradients:
    """Zero for real numbers.  A complex z / |z| only turns: what points along z is taken out."""
    if x.dtype not in COMPLEX:
        return [zero_gradient(x)]
    along = OPS["real"](OPS["conj"](g) * out)
    return [multiply_no_nan(g - out * along, OPS["cast"](inv(abs(x)), x.dtype))]


sgn: Op = elementwise(
    "sgn",
    symbol="±",
    category=CATEGORY,
    tex=r"\operatorname{{sgn}}\left({x}\right)",
    doc="-1, 0 or 1 by the sign of each element; for a complex number z it is z / |z|.",
    bounds=(-1, 1),
    aliases=("sign",),
    rule=arithmetic,
    conjugates=False,
    dtypes=EVERY - {"bool"},
    numpy=lambda x: np.sign(x),
    scalar="{x} if {x} != {x} else T(({x} > 0) - ({x} < 0))",
    grad=_sgn_grad,
)

maximum = elementwise(
    "maximum",
    symbol="max",
    category=CATEGORY,
    tex=r"\max\left({x}, {y}\right)",
    doc="The larger of two elements; NaN if either is NaN.",
    aliases=("largest",),
    rule=of_reals(upcasting),
    commutative=True,
    associative=True,
    numpy=lambda x, y: np.maximum(x, y),
    scalar="{x} if {x} >= {y} or {x} != {x} else {y}",
    grad=lambda g, out, x, y: [OPS["switch"](x >= y, g, 0), OPS["switch"](x >= y, 0, g)],
)

minimum = elementwise(
    "minimum",
    symbol="min",
    category=CATEGORY,
    tex=r"\min\left({x}, {y}\right)",
    doc="The smaller of two elements; NaN if either is NaN.",
    aliases=("smallest",),
    rule=of_reals(upcasting),
    commutative=True,
    associative=True,
    numpy=lambda x, y: np.minimum(x, y),
    scalar="{x} if {x} <= {y} or {x} != {x} else {y}",
    grad=lambda g, out, x, y: [OPS["switch"](x <= y, g, 0), OPS["switch"](x <= y, 0, g)],
)


def _identity_type(x: TensorType) -> TensorType:
    if x.ndim != 2:
        raise TypeMismatchError(
            "An identity has two axes.", port="x", expected="a matrix", got=str(x)
        )
    return x


identity_like = Op(
    name="identity_like",
    symbol="I",
    category="Creation",
    doc="Ones on the diagonal and zeros elsewhere, in the shape and dtype of a matrix.",
    ports=(Port("x", "the matrix whose shape it has"),),
    examples=(Example(((2, 3),)), Example(((3, 3),))),
    dtypes=EVERY,
    infer=_identity_type,
    numpy=lambda x: np.eye(*x.shape, dtype=x.dtype),
    from_shape=True,
    grad=lambda g, out, x: [None],
)
