"""Hyperbolic and circular functions written with exponentials, roots and logarithms."""

from __future__ import annotations

import math

from engine.expression import Variable
from engine.makers import constant_like
from engine.ops.activations import sigmoid, softplus
from engine.ops.arithmetic import sqr, sqrt
from engine.ops.exponential import exp, expm1, log, logaddexp
from engine.ops.trigonometry import arccosh, arcsinh, arctanh, cos, cosh, sin, sinh, tanh
from engine.rewrite.pattern import Sides
from engine.rewrite.phases import stabilize
from engine.rewrite.view import View
from engine.types import FLOATS


def are_opposite(x: Variable, y: Variable, view: View) -> bool:
    """Whether y is -x."""
    return view.are_opposite(x, y)


def with_opposite(x: Variable) -> list[Variable]:
    """x and -x."""
    return [x, -x]


@stabilize(in_product=True, when=are_opposite, example=with_opposite)
def difference_over_sum_of_exp(x: Variable, y: Variable) -> Sides:
    """exp(x) overflows above 709 in float64, infinity over infinity; tanh is 1 there."""
    return (exp(x) - exp(y)) / (exp(x) + exp(y)), tanh(x)


@stabilize(in_product=True, when=are_opposite, example=with_opposite)
def sinh_over_sum_of_exp(x: Variable, y: Variable) -> Sides:
    """sinh(x) overflows above 710 in float64, infinity over infinity; tanh is 1 there."""
    return sinh(x) / (exp(x) + exp(y)), tanh(x) * 0.5


@stabilize(in_product=True)
def sinh_over_cosh(x: Variable) -> Sides:
    """Both overflow above 710 in float64, infinity over infinity; tanh is 1 there."""
    return sinh(x) / cosh(x), tanh(x)


@stabilize(in_product=True)
def exp_minus_one_over_exp_plus_one(x: Variable) -> Sides:
    """exp(x) overflows above 709 in float64, infinity over infinity; tanh is 1 there."""
    return (exp(x) - 1) / (exp(x) + 1), tanh(x * 0.5)


@stabilize(in_product=True)
def one_minus_exp_over_one_plus_exp(x: Variable) -> Sides:
    """exp(x) overflows above 709 in float64, infinity over infinity; tanh is 1 there."""
    return (1 - exp(x)) / (1 + exp(x)), -tanh(x * 0.5)


@stabilize(in_product=True)
def expm1_over_exp_plus_one(x: Variable) -> Sides:
    """exp(x) overflows above 709 in float64, infinity over infinity; tanh is 1 there."""
    return expm1(x) / (exp(x) + 1), tanh(x * 0.5)


@stabilize(when=are_opposite, example=with_opposite)
def exp_minus_exp_of_opposite(x: Variable, y: Variable) -> Sides:
    """Where x is small the difference has no digits left; sinh has all."""
    return exp(x) - exp(y), 2 * sinh(x)


@stabilize(in_product=True, when=are_opposite, example=with_opposite)
def half_of_exp_plus_exp_of_opposite(x: Variable, y: Variable) -> Sides:
    """exp(x) overflows before half of it does; cosh does not."""
    return (exp(x) + exp(y)) / 2, cosh(x)


@stabilize
def one_plus_tanh(x: Variable) -> Sides:
    """Where x is very negative tanh(x) is -1 and nothing is left; sigmoid keeps the rest."""
    return 1 + tanh(x), 2 * sigmoid(2 * x)


@stabilize
def one_minus_tanh(x: Variable) -> Sides:
    """Where x is large tanh(x) is 1 and nothing is left; sigmoid keeps the rest."""
    return 1 - tanh(x), 2 * sigmoid(-2 * x)


@stabilize
def twice_sigmoid_minus_one(x: Variable) -> Sides:
    """Where x is small the sigmoid is nearly one half; tanh keeps the difference."""
    return 2 * sigmoid(x) - 1, tanh(x * 0.5)


@stabilize(only=FLOATS - {"float16"})
def sigmoid_minus_one_half(x: Variable) -> Sides:
    """Where x is small the sigmoid is nearly one half; tanh keeps the difference."""
    return sigmoid(x) - 0.5, tanh(x * 0.5) * 0.5


@stabilize(when=are_opposite, example=with_opposite)
def sigmoid_minus_sigmoid_of_opposite(x: Variable, y: Variable) -> Sides:
    """Where x is small both are nearly one half; tanh keeps the difference."""
    return sigmoid(x) - sigmoid(y), tanh(x * 0.5)


@stabilize(when=are_opposite, example=with_opposite)
def softplus_minus_softplus_of_opposite(x: Variable, y: Variable) -> Sides:
    """Where x is small both are nearly log(2); their difference is x itself."""
    return softplus(x) - softplus(y), x


@stabilize
def one_minus_cos(x: Variable) -> Sides:
    """Where x is small cos(x) is 1 and nothing is left; the sine of half of it keeps all digits."""
    return 1 - cos(x), 2 * sqr(sin(x * 0.5))


@stabilize
def cos_minus_one(x: Variable) -> Sides:
    """Where x is small cos(x) is 1 and nothing is left; the sine of half of it keeps all digits."""
    return cos(x) - 1, -2 * sqr(sin(x * 0.5))


@stabilize(domain=(-0.9, 0.9))
def log_of_one_plus_over_one_minus(x: Variable) -> Sides:
    """Where x is small the quotient is 1 and nothing is left; arctanh keeps its digits."""
    return log((1 + x) / (1 - x)), 2 * arctanh(x)


@stabilize
def log_of_sum_with_root(x: Variable) -> Sides:
    """x² overflows, and nothing is left of the sum where x is negative; arcsinh has all digits."""
    return log(x + sqrt(sqr(x) + 1)), arcsinh(x)


@stabilize(domain=(1.1, 9.0))
def log_of_sum_with_smaller_root(x: Variable) -> Sides:
    """x² overflows above 1e154 in float64; arccosh does not."""
    return log(x + sqrt(sqr(x) - 1)), arccosh(x)


@stabilize
def log_of_cosh(x: Variable) -> Sides:
    """cosh(x) overflows above 710 in float64; its logarithm is nearly the size of x."""
    return log(cosh(x)), logaddexp(x, -x) - constant_like(math.log(2), x)
