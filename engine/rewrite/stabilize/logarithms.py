"""Logarithms and exponentials."""

from __future__ import annotations

from engine.expression import Variable
from engine.ops.activations import softplus
from engine.ops.exponential import exp, expm1, log, log1p, logaddexp
from engine.rewrite.pattern import Sides
from engine.rewrite.phases import stabilize


@stabilize
def log_of_exp(x: Variable) -> Sides:
    """exp(x) overflows above 709 in float64 and vanishes below -745; x does neither."""
    return log(exp(x)), x


@stabilize
def log_of_one_plus_exp(x: Variable) -> Sides:
    """exp(x) overflows above 709 in float64; softplus does not."""
    return log(1 + exp(x)), softplus(x)


@stabilize
def log_of_exp_plus_exp(x: Variable, y: Variable) -> Sides:
    """exp(x) overflows above 709 in float64; beside the larger of the two it does not."""
    return log(exp(x) + exp(y)), logaddexp(x, y)


@stabilize(domain=(-0.9, 3.0))
def log_of_one_plus(x: Variable) -> Sides:
    """1 + x loses the digits of a small x; log1p keeps them."""
    return log(1 + x), log1p(x)


@stabilize(domain=(-3.0, 0.9))
def log_of_one_minus(x: Variable) -> Sides:
    """1 - x loses the digits of a small x; log1p keeps them."""
    return log(1 - x), log1p(-x)


@stabilize
def exp_minus_one(x: Variable) -> Sides:
    """Where x is small exp(x) is 1 and a little: expm1 keeps the little."""
    return exp(x) - 1, expm1(x)


@stabilize
def log1p_of_exp(x: Variable) -> Sides:
    """exp(x) overflows above 709 in float64; softplus does not."""
    return log1p(exp(x)), softplus(x)
