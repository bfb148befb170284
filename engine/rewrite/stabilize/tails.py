"""Tails of the normal distribution, where erf is all but 1."""

from __future__ import annotations

import math

from engine.expression import Variable
from engine.makers import constant_like
from engine.ops.arithmetic import sqr
from engine.ops.exponential import exp, log
from engine.ops.special import erf, erfc, erfcx, log_ndtr
from engine.rewrite.pattern import Sides
from engine.rewrite.phases import stabilize


@stabilize
def one_minus_erf(x: Variable) -> Sides:
    """erf(x) is 1 above 6 in float64, and nothing is left of 1 - erf(x); erfc keeps it."""
    return 1 - erf(x), erfc(x)


@stabilize
def erf_minus_one(x: Variable) -> Sides:
    """erf(x) is 1 above 6 in float64, and nothing is left of erf(x) - 1; erfc keeps it."""
    return erf(x) - 1, -erfc(x)


@stabilize
def one_minus_erfc(x: Variable) -> Sides:
    """erfc(x) is nearly 1 where x is small, and the difference has few digits; erf has all."""
    return 1 - erfc(x), erf(x)


@stabilize
def log_of_erfc(x: Variable) -> Sides:
    """erfc(x) vanishes above 27 in float64, and log(0) is infinite; log_ndtr is not."""
    tail = log_ndtr(x * constant_like(-math.sqrt(2), x))
    return log(erfc(x)), tail + constant_like(math.log(2), x)


@stabilize(in_product=True)
def bell_over_erfc(x: Variable) -> Sides:
    """exp(-x²) / erfc(x) is 0 over 0 above 27 in float64; erfcx is their quotient."""
    return exp(-sqr(x)) / erfc(x), 1 / erfcx(x)


@stabilize
def one_plus_erf(x: Variable) -> Sides:
    """erf(x) is -1 below -6 in float64, and nothing is left of 1 + erf(x); erfc keeps it."""
    return 1 + erf(x), erfc(-x)


@stabilize
def two_minus_erfc(x: Variable) -> Sides:
    """erfc(x) is 2 below -6 in float64, and nothing is left of 2 - erfc(x); erfc(-x) keeps it."""
    return 2 - erfc(x), erfc(-x)


@stabilize
def erfc_minus_one(x: Variable) -> Sides:
    """erfc(x) is nearly 1 where x is small, and the difference has few digits; erf has all."""
    return erfc(x) - 1, -erf(x)
