"""The gamma function and its relatives: factorials, beta functions, incomplete integrals.

Formulas of derivatives: NIST Digital Library of Mathematical Functions, dlmf.nist.gov, chapters
5 and 8.
"""

import math
from typing import Any

import numpy as np

from engine.expression import OPS, Variable
from engine.makers import cast_to, composed, constant_like
from engine.op import Gradients, Op
from engine.ops.special import CATEGORY, scipy_special, special, whole_orders, xlog1py, xlogy0

SERIES = "its derivative by {} is an infinite series, for which there is no op"

gamma = special(
    "gamma",
    "The gamma function: of a whole number n it is (n - 1)!.",
    lambda x: scipy_special().gamma(x),
    lambda g, y, x: [g * y * psi(x)],
    scalar="tgamma({x})",
    symbol="Γ",
    tex=r"\Gamma\left({x}\right)",
    domain=(0.5, 4.0),
)


def _gammaln(x: Any) -> Any:
    """As in C, it is infinite at both ends; SciPy has it negative at one of them."""
    return np.where(x == -np.inf, np.asarray(np.inf, x.dtype), scipy_special().gammaln(x))


gammaln = special(
    "gammaln",
    "The logarithm of the absolute value of the gamma function.",
    lambda x: _gammaln(x),
    lambda g, y, x: [g * psi(x)],
    scalar="math.lgamma({x})",
    aliases=("loggamma",),
    symbol="ln Γ",
    tex=r"\ln\Gamma\left({x}\right)",
    domain=(0.5, 6.0),
)
psi: Op = special(
    "psi",
    "The slope of gammaln, also called digamma.",
    lambda x: scipy_special().psi(x),
    lambda g, y, x: [g * tri_gamma(x)],
    aliases=("digamma",),
    symbol="ψ",
    tex=r"\psi\left({x}\right)",
    domain=(0.5, 6.0),
)
tri_gamma: Op = special(
    "tri_gamma",
    "The slope of psi.",
    lambda x: scipy_special().polygamma(1, x),
    lambda g, y, x: [g * polygamma(2, x)],
    symbol="ψ₁",
    tex=r"\psi_1\left({x}\right)",
    domain=(0.5, 6.0),
)
polygamma: Op = special(
    "polygamma",
    "The n-th derivative of psi at x; n is a whole number, 0 or more.",
    lambda n, x: scipy_special().polygamma(n, x),
    lambda g, y, n, x: ["n counts derivatives, so there is none by it", g * polygamma(n + 1, x)],
    symbol="ψₙ",
    tex=r"\psi^{{({n})}}\left({x}\right)",
    **whole_orders(((0.0, 3.0), (0.5, 6.0)), [0]),
)
factorial = composed(
    "factorial",
    symbol="n!",
    category=CATEGORY,
    tex="{n}!",
    precedence=40,
    domain=(0.5, 4.0),
    doc="n!, as a float; between whole numbers it is gamma(n + 1).",
    body=lambda n: gamma(n + 1),
)

# Beta functions.

betaln = special(
    "betaln",
    "The logarithm of the beta function.",
    lambda x, y: scipy_special().betaln(x, y),
    lambda g, out, x, y: [g * (psi(x) - psi(x + y)), g * (psi(y) - psi(x + y))],
    commutative=True,
    symbol="ln B",
    tex=r"\ln B\left({x}, {y}\right)",
    domain=(0.5, 4.0),
)
beta = composed(
    "beta",
    symbol="B",
    category=CATEGORY,
    tex=r"B\left({x}, {y}\right)",
    domain=(0.5, 4.0),
    doc="The beta function: gamma(x) gamma(y) / gamma(x + y), for positive x and y.",
    body=lambda x, y: OPS["exp"](betaln(x, y)),
)


def _beta_density(y: Variable, a: Variable, b: Variable, x: Variable) -> Variable:
    a, b, x = (cast_to(v, y.dtype) for v in (a, b, x))
    return OPS["exp"](xlogy0(a - 1, x) + xlog1py(b - 1, -x) - betaln(a, b))


betainc = special(
    "betainc",
    "The share of a beta distribution of parameters a and b below x.",
    lambda a, b, x: scipy_special().betainc(a, b, x),
    lambda g, y, a, b, x: [
        SERIES.format("a"), SERIES.format("b"), g * _beta_density(y, a, b, x),
    ],
    symbol="Iₓ",
    tex=r"I_{{{x}}}\left({a}, {b}\right)",
    **whole_orders(((0.5, 4.0), (0.5, 4.0), (0.1, 0.9)), [0, 1]),
)  # fmt: skip
betaincinv = special(
    "betaincinv",
    "The number below which a beta distribution of parameters a and b has the share x.",
    lambda a, b, x: scipy_special().betaincinv(a, b, x),
    lambda g, y, a, b, x: [
        SERIES.format("a"), SERIES.format("b"), g / _beta_density(y, a, b, y),
    ],
    symbol="I⁻¹",
    **whole_orders(((0.5, 4.0), (0.5, 4.0), (0.1, 0.9)), [0, 1]),
)  # fmt: skip

# Incomplete gamma functions.


def _gamma_weight(y: Variable, k: Variable, x: Variable) -> Variable:
    """xᵏ⁻¹ exp(-x): what the incomplete gamma functions integrate."""
    k, x = cast_to(k, y.dtype), cast_to(x, y.dtype)
    return OPS["exp"](xlogy0(k - 1, x) - x)


def _gamma_density(y: Variable, k: Variable, x: Variable) -> Variable:
    k, x = cast_to(k, y.dtype), cast_to(x, y.dtype)
    return OPS["exp"](xlogy0(k - 1, x) - x - gammaln(k))


POSITIVE = whole_orders(((0.5, 4.0), (0.2, 5.0)), [0])
SHARE = whole_orders(((0.5, 4.0), (0.1, 0.9)), [0])

gammainc = special(
    "gammainc",
    "The share of a gamma distribution of shape k below x.",
    lambda k, x: scipy_special().gammainc(k, x),
    lambda g, y, k, x: [SERIES.format("k"), g * _gamma_density(y, k, x)],
    symbol="P",
    tex=r"P\left({k}, {x}\right)",
    **POSITIVE,
)
gammaincc = special(
    "gammaincc",
    "The share of a gamma distribution of shape k above x.",
    lambda k, x: scipy_special().gammaincc(k, x),
    lambda g, y, k, x: [SERIES.format("k"), -g * _gamma_density(y, k, x)],
    symbol="Q",
    tex=r"Q\left({k}, {x}\right)",
    **POSITIVE,
)
gammaincinv = special(
    "gammaincinv",
    "The number below which a gamma distribution of shape k has the share x.",
    lambda k, x: scipy_special().gammaincinv(k, x),
    lambda g, y, k, x: [SERIES.format("k"), g / _gamma_density(y, k, y)],
    symbol="P⁻¹",
    **SHARE,
)
gammainccinv = special(
    "gammainccinv",
    "The number above which a gamma distribution of shape k has the share x.",
    lambda k, x: scipy_special().gammainccinv(k, x),
    lambda g, y, k, x: [SERIES.format("k"), -g / _gamma_density(y, k, y)],
    symbol="Q⁻¹",
    **SHARE,
)
gammal = special(
    "gammal",
    "The lower incomplete gamma function: the integral of tᵏ⁻¹ exp(-t) from 0 to x.",
    lambda k, x: scipy_special().gammainc(k, x) * scipy_special().gamma(k),
    lambda g, y, k, x: [SERIES.format("k"), g * _gamma_weight(y, k, x)],
    symbol="γ",
    tex=r"\gamma\left({k}, {x}\right)",
    **POSITIVE,
)
gammau = special(
    "gammau",
    "The upper incomplete gamma function: the integral of tᵏ⁻¹ exp(-t) from x on.",
    lambda k, x: scipy_special().gammaincc(k, x) * scipy_special().gamma(k),
    lambda g, y, k, x: [SERIES.format("k"), -g * _gamma_weight(y, k, x)],
    symbol="Γₓ",
    tex=r"\Gamma\left({k}, {x}\right)",
    **POSITIVE,
)


def _chi2_density(y: Variable, x: Variable, k: Variable) -> Variable:
    half = cast_to(k, y.dtype) * 0.5
    x = cast_to(x, y.dtype)
    power = xlogy0(half - 1, x) - x * 0.5
    return OPS["exp"](power - half * constant_like(math.log(2), y) - gammaln(half))


chi2sf = special(
    "chi2sf",
    "The share of a chi-squared distribution with k degrees of freedom above x.",
    lambda x, k: scipy_special().chdtrc(k, x),
    lambda g, y, x, k: [-g * _chi2_density(y, x, k), SERIES.format("k")],
    symbol="χ²",
    **whole_orders(((0.2, 5.0), (1.0, 6.0)), [1]),
)


def _hyp2f1_grad(
    g: Variable, y: Variable, a: Variable, b: Variable, c: Variable, z: Variable
) -> Gradients:
    slope = cast_to(a, y.dtype) * b / c * hyp2f1(a + 1, b + 1, c + 1, z)
    return [SERIES.format("a"), SERIES.format("b"), SERIES.format("c"), g * slope]


hyp2f1: Op = special(
    "hyp2f1",
    "Gauss's hypergeometric function of z, which is below 1.",
    lambda a, b, c, z: scipy_special().hyp2f1(a, b, c, z),
    _hyp2f1_grad,
    symbol="₂F₁",
    tex=r"{{}}_2F_1\left({a}, {b}; {c}; {z}\right)",
    **whole_orders(((0.5, 2.0), (0.5, 2.0), (1.0, 3.0), (-0.8, 0.8)), [0, 1, 2]),
)
