"""Bessel functions.

Their derivatives are differences of neighbouring orders: NIST Digital Library of Mathematical
Functions, 10.6 and 10.29.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from engine.expression import OPS, Variable
from engine.op import Gradients, Op
from engine.ops.special import scipy_special, special, whole_orders

ORDER = "its derivative by the order v is an infinite series, for which there is no op"


def _settled(y: Any, x: Any) -> Any:
    """The waves have died away at infinity, where SciPy says NaN."""
    return np.where(x == np.inf, np.zeros((), x.dtype), y)


j0: Op = special(
    "j0",
    "The Bessel function of the first kind of order 0: a drum's round wave.",
    lambda x: _settled(scipy_special().j0(x), np.abs(x)),
    lambda g, y, x: [-g * j1(x)],
    scalar="j0({x})",
    symbol="J₀",
    tex=r"J_0\left({x}\right)",
)
j1: Op = special(
    "j1",
    "The Bessel function of the first kind of order 1.",
    lambda x: _settled(scipy_special().j1(x), np.abs(x)),
    lambda g, y, x: [g * 0.5 * (j0(x) - jv(2, x))],
    scalar="j1({x})",
    symbol="J₁",
    tex=r"J_1\left({x}\right)",
)
y0: Op = special(
    "y0",
    "The Bessel function of the second kind of order 0.",
    lambda x: _settled(scipy_special().y0(x), x),
    lambda g, y, x: [-g * y1(x)],
    scalar="y0({x})",
    symbol="Y₀",
    tex=r"Y_0\left({x}\right)",
    domain=(0.5, 6.0),
)
y1: Op = special(
    "y1",
    "The Bessel function of the second kind of order 1.",
    lambda x: _settled(scipy_special().y1(x), x),
    lambda g, y, x: [g * 0.5 * (y0(x) - yv(2, x))],
    scalar="y1({x})",
    symbol="Y₁",
    tex=r"Y_1\left({x}\right)",
    domain=(0.5, 6.0),
)
i0: Op = special(
    "i0",
    "The modified Bessel function of the first kind of order 0.",
    lambda x: scipy_special().i0(x),
    lambda g, y, x: [g * i1(x)],
    symbol="I₀",
    tex=r"I_0\left({x}\right)",
)
i1: Op = special(
    "i1",
    "The modified Bessel function of the first kind of order 1.",
    lambda x: scipy_special().i1(x),
    lambda g, y, x: [g * 0.5 * (i0(x) + iv(2, x))],
    symbol="I₁",
    tex=r"I_1\left({x}\right)",
)


def _of_order(
    name: str,
    doc: str,
    slope: Callable[[Variable, Variable, Variable], Variable],
    symbol: str,
    tex: str,
) -> Op:
    """A Bessel function of any order, with its derivative by x as a function of y, v and x."""

    def grad(g: Variable, y: Variable, v: Variable, x: Variable) -> Gradients:
        return [ORDER, g * slope(y, v, x)]

    return special(
        name,
        doc,
        lambda v, x: getattr(scipy_special(), name)(v, x),
        grad,
        symbol=symbol,
        tex=tex,
        **whole_orders(((0.0, 3.0), (0.5, 6.0)), [0]),
    )


jv: Op = _of_order(
    "jv",
    "The Bessel function of the first kind of order v.",
    lambda y, v, x: 0.5 * (jv(v - 1, x) - jv(v + 1, x)),
    symbol="Jᵥ",
    tex=r"J_{{{v}}}\left({x}\right)",
)
yv: Op = _of_order(
    "yv",
    "The Bessel function of the second kind of order v.",
    lambda y, v, x: 0.5 * (yv(v - 1, x) - yv(v + 1, x)),
    symbol="Yᵥ",
    tex=r"Y_{{{v}}}\left({x}\right)",
)
iv: Op = _of_order(
    "iv",
    "The modified Bessel function of the first kind of order v.",
    lambda y, v, x: 0.5 * (iv(v - 1, x) + iv(v + 1, x)),
    symbol="Iᵥ",
    tex=r"I_{{{v}}}\left({x}\right)",
)
kv: Op = _of_order(
    "kv",
    "The modified Bessel function of the second kind of order v.",
    lambda y, v, x: -0.5 * (kv(v - 1, x) + kv(v + 1, x)),
    symbol="Kᵥ",
    tex=r"K_{{{v}}}\left({x}\right)",
)
ive: Op = _of_order(
    "ive",
    "iv times exp(-|x|), which does not overflow where iv does.",
    lambda y, v, x: 0.5 * (ive(v - 1, x) + ive(v + 1, x)) - y * OPS["sgn"](x),
    symbol="Iᵥe⁻",
    tex=r"e^{{-\left|{x}\right|}} I_{{{v}}}\left({x}\right)",
)
kve: Op = _of_order(
    "kve",
    "kv times exp(x), which does not vanish where kv does.",
    lambda y, v, x: y - 0.5 * (kve(v - 1, x) + kve(v + 1, x)),
    symbol="Kᵥeˣ",
    tex=r"e^{{{x}}} K_{{{v}}}\left({x}\right)",
)
