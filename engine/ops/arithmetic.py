"""Arithmetic, powers, rounding and signs."""

import numpy as np

from engine.graph import OPS
from engine.op import Op, arithmetic, dividing, elementwise, floating, upcasting, zero_gradient
from engine.types import COMPLEX

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
    numpy=lambda x, y: x * y,
    scalar="{x} * {y}",
    grad=lambda g, out, x, y: [g * y, g * x],
)

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
    domain=((-3.0, 3.0), (0.5, 3.0)),
    numpy=lambda x, y: x / y,
    scalar="{x} / {y}",
    grad=lambda g, out, x, y: [g / y, -g * x / (y * y)],
)

int_div = elementwise(
    "int_div",
    symbol="//",
    category=CATEGORY,
    infix="{x} // {y}",
    precedence=20,
    tex=r"\left\lfloor \frac{{{x}}}{{{y}}} \right\rfloor",
    doc="The quotient rounded down to an integer: -7 // 2 is -4.",
    aliases=("floor_div",),
    rule=arithmetic,
    domain=((-9.0, 9.0), (0.5, 3.0)),
    numpy=lambda x, y: x // y,
    scalar="{x} // {y}",
    grad=lambda g, out, x, y: [zero_gradient(x), zero_gradient(y)],
)

mod = elementwise(
    "mod",
    symbol="%",
    category=CATEGORY,
    infix="{x} % {y}",
    precedence=20,
    tex=r"{x} \bmod {y}",
    doc="What is left of x after division by y, with the sign of y: -7 % 2 is 1.",
    aliases=("remainder",),
    rule=arithmetic,
    domain=((-9.0, 9.0), (0.5, 3.0)),
    numpy=lambda x, y: x % y,
    scalar="{x} % {y}",
    grad=lambda g, out, x, y: [g, -g * (x // y)],
)

pow = elementwise(
    "pow",
    symbol="xʸ",
    category=CATEGORY,
    infix="{x} ** {y}",
    tex="{x}^{{{y}}}",
    precedence=30,
    doc="x to the power of y, element by element.",
    aliases=("power",),
    rule=arithmetic,
    domain=((0.2, 3.0), (0.0, 3.0)),
    numpy=lambda x, y: np.power(x, y),
    scalar="{x} ** {y}",
    grad=lambda g, out, x, y: [g * y * x ** (y - 1), g * out * OPS["log"](x)],
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
    doc="Each element times itself.",
    aliases=("square",),
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
    rule=floating,
    domain=(0.2, 9.0),
    numpy=lambda x: np.sqrt(x),
    scalar="math.sqrt({x})",
    grad=lambda g, out, x: [g * 0.5 / out],
)

abs = elementwise(
    "abs",
    symbol="|x|",
    category=CATEGORY,
    tex=r"\left| {x} \right|",
    doc="The size of each element without its sign.",
    aliases=("abs_", "absolute"),
    rule=lambda dtypes: (
        (dtypes[0], {"complex64": "float32", "complex128": "float64"}[dtypes[0]])
        if dtypes[0] in COMPLEX
        else upcasting(dtypes)
    ),
    numpy=lambda x: np.abs(x),
    scalar="abs({x})",
    grad=lambda g, out, x: [g * sgn(x)],
)

sgn: Op = elementwise(
    "sgn",
    symbol="±",
    category=CATEGORY,
    tex=r"\operatorname{{sgn}}\left({x}\right)",
    doc="-1, 0 or 1 by the sign of each element.",
    aliases=("sign",),
    rule=arithmetic,
    numpy=lambda x: np.sign(x),
    scalar="{x} if {x} != {x} else T(({x} > 0) - ({x} < 0))",
    grad=lambda g, out, x: [zero_gradient(x)],
)

floor = elementwise(
    "floor",
    symbol="⌊x⌋",
    category=CATEGORY,
    tex=r"\lfloor {x} \rfloor",
    doc="The largest integer not above each element, as a float.",
    rule=floating,
    numpy=lambda x: np.floor(x),
    scalar="floor({x})",
    grad=lambda g, out, x: [zero_gradient(x)],
)

ceil = elementwise(
    "ceil",
    symbol="⌈x⌉",
    category=CATEGORY,
    tex=r"\lceil {x} \rceil",
    doc="The smallest integer not below each element, as a float.",
    rule=floating,
    numpy=lambda x: np.ceil(x),
    scalar="ceil({x})",
    grad=lambda g, out, x: [zero_gradient(x)],
)

maximum = elementwise(
    "maximum",
    symbol="max",
    category=CATEGORY,
    tex=r"\max\left({x}, {y}\right)",
    doc="The larger of two elements; NaN if either is NaN.",
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
    commutative=True,
    associative=True,
    numpy=lambda x, y: np.minimum(x, y),
    scalar="{x} if {x} <= {y} or {x} != {x} else {y}",
    grad=lambda g, out, x, y: [OPS["switch"](x <= y, g, 0), OPS["switch"](x <= y, 0, g)],
)
