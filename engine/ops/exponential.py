"""Exponentials, logarithms, trigonometric and hyperbolic functions."""

import numpy as np

from engine.graph import OPS
from engine.op import Op, elementwise, floating

EXPONENTIAL = "Exponentials"
TRIGONOMETRIC = "Trigonometry"

exp = elementwise(
    "exp",
    symbol="eˣ",
    category=EXPONENTIAL,
    tex="e^{{{x}}}",
    rule=floating,
    doc="e to the power of each element; infinite above 709 in float64.",
    numpy=lambda x: np.exp(x),
    scalar="math.exp({x})",
    grad=lambda g, y, x: [g * y],
)

log = elementwise(
    "log",
    symbol="ln",
    category=EXPONENTIAL,
    tex=r"\ln\left({x}\right)",
    rule=floating,
    doc="The natural logarithm of each element.",
    domain=(0.2, 9.0),
    numpy=lambda x: np.log(x),
    scalar="math.log({x})",
    grad=lambda g, y, x: [g / x],
)

log1p = elementwise(
    "log1p",
    symbol="ln(1+x)",
    category=EXPONENTIAL,
    tex=r"\ln\left(1+{x}\right)",
    rule=floating,
    doc="log(1 + x), exact also where x is tiny.",
    domain=(-0.8, 9.0),
    numpy=lambda x: np.log1p(x),
    scalar="math.log1p({x})",
    grad=lambda g, y, x: [g / (x + 1)],
)

expm1 = elementwise(
    "expm1",
    symbol="eˣ−1",
    category=EXPONENTIAL,
    tex="e^{{{x}}}-1",
    rule=floating,
    doc="exp(x) - 1, exact also where x is tiny.",
    numpy=lambda x: np.expm1(x),
    scalar="math.expm1({x})",
    grad=lambda g, y, x: [g * exp(x)],
)

sin: Op = elementwise(
    "sin",
    symbol="sin",
    category=TRIGONOMETRIC,
    tex=r"\sin\left({x}\right)",
    rule=floating,
    doc="The sine of an angle in radians.",
    numpy=lambda x: np.sin(x),
    scalar="math.sin({x})",
    grad=lambda g, y, x: [g * cos(x)],
)

cos: Op = elementwise(
    "cos",
    symbol="cos",
    category=TRIGONOMETRIC,
    tex=r"\cos\left({x}\right)",
    rule=floating,
    doc="The cosine of an angle in radians.",
    numpy=lambda x: np.cos(x),
    scalar="math.cos({x})",
    grad=lambda g, y, x: [-g * sin(x)],
)

tan = elementwise(
    "tan",
    symbol="tan",
    category=TRIGONOMETRIC,
    tex=r"\tan\left({x}\right)",
    rule=floating,
    doc="The tangent of an angle in radians.",
    domain=(-1.2, 1.2),
    numpy=lambda x: np.tan(x),
    scalar="math.tan({x})",
    grad=lambda g, y, x: [g * (OPS["sqr"](y) + 1)],
)

sinh: Op = elementwise(
    "sinh",
    symbol="sinh",
    category=TRIGONOMETRIC,
    tex=r"\sinh\left({x}\right)",
    rule=floating,
    doc="The hyperbolic sine.",
    numpy=lambda x: np.sinh(x),
    scalar="math.sinh({x})",
    grad=lambda g, y, x: [g * cosh(x)],
)

cosh: Op = elementwise(
    "cosh",
    symbol="cosh",
    category=TRIGONOMETRIC,
    tex=r"\cosh\left({x}\right)",
    rule=floating,
    doc="The hyperbolic cosine.",
    numpy=lambda x: np.cosh(x),
    scalar="math.cosh({x})",
    grad=lambda g, y, x: [g * sinh(x)],
)

tanh = elementwise(
    "tanh",
    symbol="tanh",
    category="Activations",
    tex=r"\tanh\left({x}\right)",
    rule=floating,
    doc="The hyperbolic tangent: squeezes every number between -1 and 1.",
    numpy=lambda x: np.tanh(x),
    scalar="math.tanh({x})",
    grad=lambda g, y, x: [g * (1 - OPS["sqr"](y))],
)
