"""Variances: the mean of squares less the square of the mean has no digits left."""

from __future__ import annotations

from engine.expression import Variable
from engine.ops.arithmetic import sqr
from engine.ops.reductions import mean
from engine.rewrite.pattern import Sides
from engine.rewrite.phases import stabilize

Axis = int | tuple[int, ...] | None


@stabilize
def variance_by_two_passes(x: Variable, *, axis: Axis = -1, keepdims: bool = False) -> Sides:
    """Where the mean is far from 0 both squares are nearly equal; distances from it are not."""
    squares = mean(sqr(x), axis=axis, keepdims=keepdims)
    centred = x - mean(x, axis=axis, keepdims=True)
    return (
        squares - sqr(mean(x, axis=axis, keepdims=keepdims)),
        mean(sqr(centred), axis=axis, keepdims=keepdims),
    )


@stabilize(when=lambda x, y: x.broadcastable == y.broadcastable)
def covariance_by_two_passes(
    x: Variable, y: Variable, *, axis: Axis = -1, keepdims: bool = False
) -> Sides:
    """Where the means are far from 0 both products are nearly equal; distances are not."""
    products = mean(x * y, axis=axis, keepdims=keepdims)
    product = mean(x, axis=axis, keepdims=keepdims) * mean(y, axis=axis, keepdims=keepdims)
    centred = (x - mean(x, axis=axis, keepdims=True)) * (y - mean(y, axis=axis, keepdims=True))
    return products - product, mean(centred, axis=axis, keepdims=keepdims)
