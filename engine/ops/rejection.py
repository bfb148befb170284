"""Distributions of single numbers that must reject some of what they draw: NumPy's.

Of those with a location or a scale a gradient flows by these, and by nothing else.  Their numbers
are the same with the same version of NumPy.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from engine.expression import Constant, Variable
from engine.op import Op, Port
from engine.ops.distributions import LOC, SCALE, below_chance
from engine.ops.random import (
    CHANCE,
    FLOAT,
    PROPORTION,
    WHOLE,
    Draw,
    by_numpy,
    cast,
    distribution,
)

REJECTS = "a number drawn by rejection does not move smoothly with the parameter"


def _numpy(
    name: str,
    *,
    doc: str,
    symbol: str,
    parameters: tuple[Port, ...],
    values: tuple[float, ...],
    whole: bool = False,
    draw: Callable[..., Any] | None = None,
) -> Op:
    """A distribution that NumPy draws, by the method of that name unless `draw` does."""
    method = draw or getattr(np.random.Generator, name)
    no_grad = None if whole else REJECTS
    hidden = by_numpy(f"draw_{name}", doc, parameters, method, values, whole=whole, no_grad=no_grad)
    return distribution(
        f"random_{name}",
        symbol=symbol,
        doc=doc,
        parameters=parameters,
        values=values,
        dtype=WHOLE if whole else FLOAT,
        body=lambda draw, *given: draw.by(hidden, *given),
        no_grad=no_grad,
    )


random_beta = _numpy(
    "beta",
    symbol="Β",
    doc="Random numbers between 0 and 1 of the beta distribution.",
    parameters=(
        Port("alpha", "the larger, the more are near 1", default=1.0),
        Port("beta", "the larger, the more are near 0", default=1.0),
    ),
    values=(1.5, 2.5),
)

random_f = _numpy(
    "f",
    symbol="F",
    doc="Random ratios of two mean sums of squares of normal numbers.",
    parameters=(
        Port("dfnum", "the degrees of freedom above", default=1.0),
        Port("dfden", "the degrees of freedom below", default=1.0),
    ),
    values=(4.0, 6.0),
)

FREEDOM = Port("df", "the degrees of freedom", default=1.0)

random_noncentral_chisquare = _numpy(
    "noncentral_chisquare",
    symbol="χ²₊",
    doc="Random sums of squares of df normal numbers whose means are not 0.",
    parameters=(FREEDOM, Port("nonc", "the sum of the squares of the means", default=1.0)),
    values=(3.0, 1.5),
)

random_vonmises = _numpy(
    "vonmises",
    symbol="vM",
    doc="Random angles between -π and π about mu.",
    parameters=(
        Port("mu", "the angle about which they lie", default=0.0),
        Port("kappa", "the larger, the closer", default=1.0),
    ),
    values=(0.5, 2.0),
)

random_wald = _numpy(
    "wald",
    symbol="IG",
    doc="Random times at which a drifting walk first arrives: the inverse Gaussian distribution.",
    parameters=(
        Port("mean", "the mean", default=1.0),
        Port("scale", "the larger, the more like a normal distribution", default=1.0),
    ),
    values=(2.0, 3.0),
)

random_poisson = _numpy(
    "poisson",
    symbol="Poi",
    doc="Random counts of events that come independently, lam of them on average.",
    parameters=(Port("lam", "the mean", default=1.0),),
    values=(3.5,),
    whole=True,
)

random_negative_binomial = _numpy(
    "negative_binomial",
    symbol="NB",
    doc="Random numbers of failures before the n-th success.",
    parameters=(Port("n", "how many successes", default=1.0), CHANCE),
    values=(3.5, 0.4),
    whole=True,
)

random_hypergeometric = _numpy(
    "hypergeometric",
    symbol="Hyp",
    doc="Random numbers of good ones among nsample that are picked and not put back.",
    parameters=(
        Port("ngood", "how many are good", default=1),
        Port("nbad", "how many are bad", default=1),
        Port("nsample", "how many are picked", default=1),
    ),
    values=(6, 5, 4),
    whole=True,
)

random_beta_binomial = _numpy(
    "beta_binomial",
    symbol="ΒBin",
    doc="Random numbers of successes in n trials whose chance is itself of a beta distribution.",
    parameters=(
        Port("n", "how many trials", default=1),
        Port("a", "the larger, the more successes", default=1.0),
        Port("b", "the larger, the more failures", default=1.0),
    ),
    values=(6, 1.5, 2.5),
    whole=True,
    draw=lambda generator, n, a, b, size: generator.binomial(n, generator.beta(a, b, size)),
)

random_zipf = _numpy(
    "zipf",
    symbol="Zipf",
    doc="Random ranks, the k-th as likely as k to the power of -a.",
    parameters=(Port("a", "the exponent, above 1", default=2.0),),
    values=(2.5,),
    whole=True,
)

random_logseries = _numpy(
    "logseries",
    symbol="Log",
    doc="Random counts of which k comes as often as the k-th term of the logarithm's series.",
    parameters=(PROPORTION,),
    values=(0.6,),
    whole=True,
)


TRIALS = Port("n", "how many trials", default=1)
SHAPE = Port("shape", "the larger, the more like a normal distribution", default=1.0)

draw_gamma = by_numpy(
    "draw_gamma",
    "Random numbers of the gamma distribution with scale 1.",
    (SHAPE,),
    np.random.Generator.standard_gamma,
    (2.5,),
    whole=False,
    no_grad=REJECTS,
)

draw_t = by_numpy(
    "draw_t",
    "Random numbers of Student's t distribution with scale 1.",
    (FREEDOM,),
    np.random.Generator.standard_t,
    (4.0,),
    whole=False,
    no_grad=REJECTS,
)

draw_binomial = by_numpy(
    "draw_binomial",
    "Random numbers of successes in n trials that succeed with the chance p.",
    (TRIALS, CHANCE),
    np.random.Generator.binomial,
    (6, 0.4),
    whole=True,
)


def _binomial(draw: Draw, n: Variable, p: Variable) -> Variable:
    once = isinstance(n, Constant) and bool(np.all(n.data == 1))
    return below_chance(draw.unit(), p) if once else draw.by(draw_binomial, n, p)


random_binomial = distribution(
    "random_binomial",
    symbol="Bin",
    doc="Random numbers of successes in n trials that succeed with the chance p.",
    parameters=(TRIALS, CHANCE),
    dtype=WHOLE,
    values=(6, 0.4),
    body=_binomial,
)

random_gamma = distribution(
    "random_gamma",
    symbol="Γ",
    doc="Random numbers above 0 of the gamma distribution, with the mean shape times scale.",
    parameters=(SHAPE, SCALE),
    values=(2.5, 2.0),
    body=lambda draw, shape, scale: scale * cast(draw.by(draw_gamma, shape), scale.dtype),
    no_grad=REJECTS,
)

random_invgamma = distribution(
    "random_invgamma",
    symbol="1/Γ",
    doc="Random numbers whose inverses are of the gamma distribution.",
    parameters=(SHAPE, SCALE),
    values=(2.5, 2.0),
    body=lambda draw, shape, scale: scale / cast(draw.by(draw_gamma, shape), scale.dtype),
    no_grad=REJECTS,
)

random_gengamma = distribution(
    "random_gengamma",
    symbol="Γᵖ",
    doc="Random numbers of the generalised gamma distribution.",
    parameters=(
        Port("alpha", "the exponent at 0, plus 1", default=1.0),
        Port("p", "the exponent in the exponential", default=1.0),
        Port("lambd", "the scale", default=1.0),
    ),
    values=(2.5, 1.5, 2.0),
    body=lambda draw, alpha, p, lambd: lambd * draw.by(draw_gamma, alpha / p) ** (1 / p),
    no_grad=REJECTS,
)

random_chisquare = distribution(
    "random_chisquare",
    symbol="χ²",
    doc="Random sums of squares of df standard normal numbers.",
    parameters=(FREEDOM,),
    values=(3.0,),
    body=lambda draw, df: 2 * draw.by(draw_gamma, df / 2),
    no_grad=REJECTS,
)

random_t = distribution(
    "random_t",
    symbol="t",
    doc="Random numbers of Student's t distribution: a bell with heavy tails.",
    parameters=(FREEDOM, LOC, SCALE),
    values=(4.0, 0.5, 2.0),
    body=lambda draw, df, loc, scale: loc + scale * cast(draw.by(draw_t, df), loc.dtype),
    no_grad=REJECTS,
)
