"""Sigmoids."""

from __future__ import annotations

from engine.expression import Variable
from engine.ops.activations import sigmoid, softplus
from engine.ops.exponential import exp, log, log1p, logit
from engine.rewrite.pattern import Sides
from engine.rewrite.phases import stabilize


@stabilize(in_product=True)
def one_over_one_plus_exp_of_negative(x: Variable) -> Sides:
    """exp(-x) overflows where x is very negative; sigmoid does not."""
    return 1 / (1 + exp(-x)), sigmoid(x)


@stabilize(in_product=True)
def exp_over_one_plus_exp(x: Variable) -> Sides:
    """exp(x) / (1 + exp(x)) is infinity over infinity for large x; sigmoid is 1."""
    return exp(x) / (1 + exp(x)), sigmoid(x)


@stabilize(in_product=True)
def one_over_one_plus_exp(x: Variable) -> Sides:
    """exp(x) overflows where x is large; sigmoid does not."""
    return 1 / (1 + exp(x)), sigmoid(-x)


@stabilize
def one_minus_sigmoid(x: Variable) -> Sides:
    """Where sigmoid(x) is nearly 1 the difference has no digits left; sigmoid(-x) has all."""
    return 1 - sigmoid(x), sigmoid(-x)


@stabilize(
    in_product=True,
    when=lambda x, y, view: view.are_opposite(x, y),
    example=lambda x: (x, -x),
)
def exp_times_sigmoid_of_opposite(x: Variable, y: Variable) -> Sides:
    """exp(x) * sigmoid(-x) is infinity times zero for large x; sigmoid(x) is the same."""
    return exp(x) * sigmoid(y), sigmoid(x)


@stabilize
def log_of_sigmoid(x: Variable) -> Sides:
    """sigmoid(x) vanishes below -745 in float64, and its logarithm is infinite; softplus is not."""
    return log(sigmoid(x)), -softplus(-x)


@stabilize
def log1p_of_minus_sigmoid(x: Variable) -> Sides:
    """sigmoid(x) is 1 above 37 in float64, and log(0) infinite; softplus is not."""
    return log1p(-sigmoid(x)), -softplus(x)


@stabilize
def log_of_one_minus_sigmoid(x: Variable) -> Sides:
    """sigmoid(x) is 1 above 37 in float64, and log(0) infinite; softplus is not."""
    return log(1 - sigmoid(x)), -softplus(x)


@stabilize
def logit_of_sigmoid(x: Variable) -> Sides:
    """sigmoid(x) is 1 above 37 in float64, and its odds infinite; x is neither."""
    return logit(sigmoid(x)), x


@stabilize(in_product=True)
def exp_over_exp_plus_exp(x: Variable, y: Variable) -> Sides:
    """exp(x) overflows above 709 in float64, infinity over infinity; sigmoid does not."""
    return exp(x) / (exp(x) + exp(y)), sigmoid(x - y)
