"""Exponentials and logarithms."""

import math
from math import inf
from typing import Any

import numpy as np

from engine.dtype_rules import floating, of_reals
from engine.expression import OPS, Variable
from engine.makers import cast_to, constant_like, elementwise
from engine.op import Gradients
from engine.types import EVERY

CATEGORY = "Exponentials"

exp = elementwise(
    "exp",
    symbol="eˣ",
    category=CATEGORY,
    tex="e^{{{x}}}",
    rule=floating,
    dtypes=EVERY,
    doc="e to the power of each element; infinite above 709 in float64.",
    bounds=(0, inf),
    numpy=lambda x: np.exp(x),
    scalar="math.exp({x})",
    grad=lambda g, y, x: [g * y],
)

exp2 = elementwise(
    "exp2",
    symbol="2ˣ",
    category=CATEGORY,
    tex="2^{{{x}}}",
    rule=floating,
    dtypes=EVERY,
    doc="2 to the power of each element.",
    bounds=(0, inf),
    numpy=lambda x: np.exp2(x),
    scalar="math.exp2({x})",
    grad=lambda g, y, x: [g * y * constant_like(math.log(2), y)],
)

expm1 = elementwise(
    "expm1",
    symbol="eˣ−1",
    category=CATEGORY,
    tex="e^{{{x}}}-1",
    rule=floating,
    dtypes=EVERY,
    doc="exp(x) - 1, exact also where x is tiny.",
    numpy=lambda x: np.expm1(x),
    scalar="math.expm1({x})",
    grad=lambda g, y, x: [g * exp(x)],
)

log = elementwise(
    "log",
    symbol="ln",
    category=CATEGORY,
    tex=r"\ln\left({x}\right)",
    rule=floating,
    dtypes=EVERY,
    doc="The natural logarithm of each element.",
    domain=(0.2, 9.0),
    numpy=lambda x: np.log(x),
    scalar="math.log({x})",
    grad=lambda g, y, x: [g / x],
)

log1p = elementwise(
    "log1p",
    symbol="ln(1+x)",
    category=CATEGORY,
    tex=r"\ln\left(1+{x}\right)",
    rule=floating,
    dtypes=EVERY,
    doc="log(1 + x), exact also where x is tiny.",
    domain=(-0.8, 9.0),
    numpy=lambda x: np.log1p(x),
    scalar="math.log1p({x})",
    grad=lambda g, y, x: [g / (x + 1)],
)

log2 = elementwise(
    "log2",
    symbol="lb",
    category=CATEGORY,
    tex=r"\log_2\left({x}\right)",
    rule=floating,
    dtypes=EVERY,
    doc="The logarithm to the base 2 of each element.",
    domain=(0.2, 9.0),
    numpy=lambda x: np.log2(x),
    scalar="math.log2({x})",
    grad=lambda g, y, x: [g / (x * constant_like(math.log(2), y))],
)

log10 = elementwise(
    "log10",
    symbol="lg",
    category=CATEGORY,
    tex=r"\log_{{10}}\left({x}\right)",
    rule=floating,
    dtypes=EVERY,
    doc="The logarithm to the base 10 of each element.",
    domain=(0.2, 9.0),
    numpy=lambda x: np.log10(x),
    scalar="math.log10({x})",
    grad=lambda g, y, x: [g / (x * constant_like(math.log(10), y))],
)


def _logaddexp_grad(g: Variable, out: Variable, x: Variable, y: Variable) -> Gradients:
    lead = cast_to(x, out.dtype) - cast_to(y, out.dtype)
    return [g * OPS["sigmoid"](lead), g * OPS["sigmoid"](-lead)]


logaddexp = elementwise(
    "logaddexp",
    symbol="ln Σeˣ",
    category=CATEGORY,
    tex=r"\ln\left(e^{{{x}}}+e^{{{y}}}\right)",
    rule=of_reals(floating),
    commutative=True,
    associative=True,
    doc="log(exp(x) + exp(y)), finite also where exp overflows or vanishes.",
    numpy=lambda x, y: np.logaddexp(x, y),
    # Of two equal infinities the difference is NaN; they add up to themselves.
    scalar="{x} + math.log(T(2)) if {x} == {y} else "
    "greatest({x}, {y}) + math.log1p(math.exp(-abs({x} - {y})))",
    grad=_logaddexp_grad,
)


def _log1mexp(x: Any) -> Any:
    """Keeps all digits by two formulas: M. Mächler, Accurately Computing log(1 − exp(−|a|))."""
    near = x > np.asarray(-math.log(2), x.dtype)
    return np.where(near, np.log(-np.expm1(x)), np.log1p(-np.exp(x)))


log1mexp = elementwise(
    "log1mexp",
    symbol="ln(1−eˣ)",
    category=CATEGORY,
    tex=r"\ln\left(1-e^{{{x}}}\right)",
    rule=of_reals(floating),
    domain=(-5.0, -0.1),
    doc="log(1 - exp(x)) for negative x, exact also where exp(x) is nearly 0 or 1.",
    bounds=(-inf, 0),
    numpy=_log1mexp,
    scalar="math.log(-math.expm1({x})) if {x} > -math.log(T(2)) else math.log1p(-math.exp({x}))",
    grad=lambda g, y, x: [-g / expm1(-x)],
)


def _logit(x: Any) -> Any:
    odds = np.log(x / (1 - x))
    return np.where((x * 4 < 1) | (x * 4 > 3), odds, 2 * np.arctanh(2 * x - 1))


logit = elementwise(
    "logit",
    symbol="σ⁻¹",
    category=CATEGORY,
    tex=r"\ln\frac{{{x}}}{{1-{x}}}",
    rule=of_reals(floating),
    domain=(0.1, 0.9),
    doc="The logarithm of the odds x / (1 - x): what sigmoid makes x of.",
    numpy=_logit,
    scalar="math.log({x} / (T(1) - {x})) if {x} * T(4) < T(1) or {x} * T(4) > T(3) else "
    "T(2) * math.atanh({x} + {x} - T(1))",
    grad=lambda g, y, x: [g / (x * (1 - x))],
)
