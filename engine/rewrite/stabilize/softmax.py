"""Exponentials beside their sum."""

from __future__ import annotations

from engine.expression import Apply, Variable
from engine.ops.activations import logsoftmax, softmax
from engine.ops.arithmetic import sub
from engine.ops.axes import dimshuffle
from engine.ops.exponential import exp, log
from engine.ops.reductions import argmax, sum
from engine.ops.shape import merged, parted
from engine.ops.statistics import logsumexp
from engine.rewrite.pattern import Sides
from engine.rewrite.phases import stabilize
from engine.rewrite.rule import ERASES_NAN, HIDES_ERROR
from engine.rewrite.view import View
from engine.types import FLOATS, normalize_axes

Axis = int | tuple[int, ...] | None


def softmax_over(x: Variable, axis: Axis) -> Variable:
    """The softmax of x over one axis, or over several as if they were one."""
    axes = normalize_axes(axis, x.ndim)
    if len(axes) == 1:
        return softmax(x, axes[0])
    return parted(softmax(merged(x, axes), -1), x, axes)


def is_over_axes(x: Variable, axis: Axis) -> bool:
    """Whether any axis is folded."""
    return bool(normalize_axes(axis, x.ndim))


def is_one_axis(x: Variable, axis: Axis) -> bool:
    """Whether exactly one axis is folded."""
    return len(normalize_axes(axis, x.ndim)) == 1


def is_over_first_axes(x: Variable, axis: Axis) -> bool:
    """Whether the folded axes are the first ones: what is left stretches against x as it is."""
    axes = normalize_axes(axis, x.ndim)
    return bool(axes) and axes == tuple(range(len(axes)))


def puts_axes_back(x: Variable, axis: Axis, pattern: tuple[int | None, ...]) -> bool:
    """Whether the pattern gives x's shape back after the axes were folded away."""
    axes = normalize_axes(axis, x.ndim)
    kept = iter(range(x.ndim))
    back = tuple(None if a in axes else next(kept) for a in range(x.ndim))
    return bool(axes) and pattern == back


@stabilize(in_product=True, when=is_over_axes)
def exp_over_sum_of_exp(x: Variable, *, axis: Axis = -1) -> Sides:
    """exp(x) overflows above 709 in float64; softmax subtracts the largest x first."""
    weights = exp(x) / sum(exp(x), axis=axis, keepdims=True)
    return weights, softmax_over(x, axis)


@stabilize(in_product=True, when=puts_axes_back)
def exp_over_restored_sum_of_exp(
    x: Variable, *, axis: Axis = -1, pattern: tuple[int | None, ...] = (0, None)
) -> Sides:
    """exp(x) overflows above 709 in float64; softmax subtracts the largest x first."""
    total = dimshuffle(sum(exp(x), axis=axis, keepdims=False), pattern)
    return exp(x) / total, softmax_over(x, axis)


@stabilize(in_product=True, when=is_over_first_axes, rank=1)
def exp_over_sum_of_exp_of_vector(x: Variable, *, axis: Axis = None) -> Sides:
    """exp(x) overflows above 709 in float64; softmax subtracts the largest x first."""
    return exp(x) / sum(exp(x), axis=axis, keepdims=False), softmax_over(x, axis)


@stabilize(in_product=True, when=lambda w, x, axis: w.ndim <= x.ndim and is_one_axis(x, axis))
def weighted_sum_over_sum_of_exp(w: Variable, x: Variable, *, axis: Axis = -1) -> Sides:
    """exp(x) overflows above 709 in float64; softmax subtracts the largest x first."""
    weighted = sum(w * exp(x), axis=axis, keepdims=True)
    total = sum(exp(x), axis=axis, keepdims=True)
    return weighted / total, sum(w * softmax_over(x, axis), axis=axis, keepdims=True)


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
    """A logarithm of hundreds has lost digits; the softmax itself has not."""
    return exp(logsoftmax(x, axis)), softmax(x, axis)


@stabilize(when=is_one_axis)
def difference_from_logsumexp(x: Variable, *, axis: Axis = -1) -> Sides:
    """Both are large where x is, and their difference has few digits; logsoftmax has all."""
    total = logsumexp(x, axis=axis, keepdims=True)
    return x - total, logsoftmax(x, normalize_axes(axis, x.ndim)[0])


@stabilize.computed(
    ["softmax", "logsoftmax", "logsumexp"],
    example=lambda x: softmax(x - exp(sum(x, -1, keepdims=True)), -1),
    tags=[ERASES_NAN, HIDES_ERROR],
)
def take_shift_out(node: Apply, view: View) -> Variable | None:
    """What is the same along the axes is subtracted inside anyway, and loses digits of x before."""
    difference = node.inputs[0].owner
    if difference is None or difference.op is not sub:
        return None
    x, shift = difference.inputs
    axes = normalize_axes(node.params["axis"], difference.out.ndim)
    lead = difference.out.ndim - shift.ndim
    if x.broadcastable != difference.out.broadcastable or x.dtype != difference.out.dtype:
        return None
    if x.dtype not in FLOATS:
        return None  # integers wrap around
    if not all(a < lead or shift.broadcastable[a - lead] for a in axes):
        return None
    out = node.op.apply([x], node.params).out
    if node.op is not logsumexp:
        return out
    if not node.params["keepdims"]:
        shift = _without_axes(shift, [a - lead for a in axes if a >= lead])
    return sub(out, shift)


def _without_axes(v: Variable, axes: list[int]) -> Variable:
    """v without axes of length 1."""
    node = v.owner
    kept = tuple(a for a in range(v.ndim) if a not in axes)
    if len(kept) == v.ndim:
        return v
    if node is not None and node.op is dimshuffle and len(kept) == node.inputs[0].ndim:
        pattern = node.params["pattern"]
        if [pattern[a] for a in kept] == list(range(len(kept))):
            return node.inputs[0]
    if node is not None and node.params.get("keepdims") is True:
        folded = normalize_axes(node.params["axis"], v.ndim)
        if folded == tuple(axes):
            # As it is written where the axes were never kept.
            return node.op.apply(node.inputs, {**node.params, "keepdims": False}).out
    return dimshuffle(v, kept)


@stabilize.computed(
    ["argmax"], example=lambda x: argmax(softmax(x, axis=-1), axis=-1), tags=[ERASES_NAN]
)
def largest_before_softmax(node: Apply, view: View) -> Variable | None:
    """softmax gives many large or small numbers the same weight; before it they differ."""
    inner = node.inputs[0].owner
    if inner is None or inner.op not in {softmax, logsoftmax}:
        return None
    x = inner.inputs[0]
    axes = normalize_axes(node.params["axis"], x.ndim)
    return (
        argmax(x, **node.params) if axes == normalize_axes(inner.params["axis"], x.ndim) else None
    )
