"""Exponentials beside their sum."""

from __future__ import annotations

from engine.expression import Variable
from engine.ops.activations import logsoftmax, softmax
from engine.ops.axes import dimshuffle
from engine.ops.exponential import exp, log
from engine.ops.reductions import max, sum
from engine.rewrite.pattern import Sides
from engine.rewrite.phases import stabilize
from engine.types import normalize_axes


def is_one_axis(x: Variable, axis: int | tuple[int, ...] | None) -> bool:
    """Whether exactly one axis is folded."""
    return len(normalize_axes(axis, x.ndim)) == 1


@stabilize(in_product=True, when=is_one_axis)
def exp_over_sum_of_exp(x: Variable, *, axis: int | None = -1) -> Sides:
    """exp(x) overflows above 709 in float64; softmax subtracts the largest x first."""
    weights = exp(x) / sum(exp(x), axis=axis, keepdims=True)
    return weights, softmax(x, normalize_axes(axis, x.ndim)[0])


def puts_one_axis_back(
    x: Variable, axis: int | tuple[int, ...] | None, pattern: tuple[int | None, ...]
) -> bool:
    """Whether the pattern gives x's shape back after one axis was folded away."""
    if not is_one_axis(x, axis):
        return False
    folded = normalize_axes(axis, x.ndim)[0]
    back = [*range(folded), None, *range(folded, x.ndim - 1)]
    return pattern == tuple(back)


@stabilize(in_product=True, when=puts_one_axis_back)
def exp_over_restored_sum_of_exp(
    x: Variable, *, axis: int | None = -1, pattern: tuple[int | None, ...] = (0, None)
) -> Sides:
    """exp(x) overflows above 709 in float64; softmax subtracts the largest x first."""
    total = dimshuffle(sum(exp(x), axis=axis, keepdims=False), pattern)
    return exp(x) / total, softmax(x, normalize_axes(axis, x.ndim)[0])


@stabilize(in_product=True, when=lambda x: x.ndim == 1, rank=1)
def exp_over_sum_of_exp_of_vector(x: Variable, *, axis: int | None = None) -> Sides:
    """exp(x) overflows above 709 in float64; softmax subtracts the largest x first."""
    return exp(x) / sum(exp(x), axis=axis, keepdims=False), softmax(x, 0)


@stabilize(in_product=True, when=is_one_axis)
def exp_over_softmax(x: Variable, *, axis: int = -1) -> Sides:
    """softmax vanishes where x is far below the largest; what it was divided by does not."""
    return exp(x) / softmax(x, axis), sum(exp(x), axis=axis, keepdims=True)


@stabilize
def log_of_softmax(x: Variable, *, axis: int = -1) -> Sides:
    """softmax vanishes where x is far below the largest, and log(0) is infinite."""
    return log(softmax(x, axis)), logsoftmax(x, axis)


@stabilize
def exp_of_logsoftmax(x: Variable, *, axis: int = -1) -> Sides:
    """The exponential of a log-softmax is the softmax itself."""
    return exp(logsoftmax(x, axis)), softmax(x, axis)


@stabilize(when=lambda x, view: not view.ranges.is_never_positive(x))
def log_of_sum_of_exp(
    x: Variable, *, axis: int | tuple[int, ...] | None = -1, keepdims: bool = False
) -> Sides:
    """exp(x) overflows above 709 in float64; below the largest x, subtracted first, it does not."""
    largest = max(x, axis=axis, keepdims=True)
    shifted = log(sum(exp(x - largest), axis=axis, keepdims=keepdims))
    return log(sum(exp(x), axis=axis, keepdims=keepdims)), (
        shifted + max(x, axis=axis, keepdims=keepdims)
    )
