"""Folds of what was put together."""

from __future__ import annotations

from functools import reduce

from engine.expression import Apply, Variable
from engine.ops.arithmetic import add, maximum, minimum, mul
from engine.ops.joining import join, stack
from engine.ops.logic import and_, cast, or_
from engine.ops.reductions import max, sum
from engine.rewrite.canonicalize.reductions import FOLDS, states_dtype
from engine.rewrite.phases import canonicalize
from engine.rewrite.rule import HIDES_ERROR
from engine.rewrite.view import View
from engine.types import DISCRETE, normalize_axes, normalize_axis

TOGETHER = {"sum": add, "prod": mul, "max": maximum, "min": minimum, "any": or_, "all": and_}
"""What makes one result of those of two parts."""

FEW = 8
"""Parts that are taken one by one."""


@canonicalize.computed(
    list(TOGETHER),
    below=["join"],
    example=lambda x, y: sum(join([x, y], axis=0), axis=0),
    dtype="int64",
    tags=[HIDES_ERROR],
)
def fold_each_part(node: Apply, view: View) -> Variable | None:
    """What is folded along the axis where it was joined can be folded part by part."""
    joined = _put_together(node, view)
    if joined is None or joined.op is not join or states_dtype(node):
        return None
    if node.op.name in {"sum", "prod"} and node.out.dtype not in DISCRETE:
        return None  # which would be rounded once more
    axis = normalize_axis(joined.params["axis"], joined.out.ndim)
    axes = normalize_axes(node.params["axis"], joined.out.ndim)
    if axis not in axes or not _stretch_alike(joined):
        return None
    if node.op.name in {"max", "min"} and any(
        n == 0 or not view.lengths.is_known(n)
        for n in (view.lengths.of(v)[axis] for v in joined.inputs)
    ):
        return None  # there is no largest of nothing
    parts = [node.op.apply([v], node.params).out for v in _alike(joined)]
    return reduce(TOGETHER[node.op.name], parts)


@canonicalize.computed(
    list(TOGETHER),
    below=["stack"],
    example=lambda x, y: sum(stack([x, y], axis=0), axis=0),
    tags=[HIDES_ERROR],
)
def fold_side_by_side(node: Apply, view: View) -> Variable | None:
    """What is folded along the axis where it was stacked is added, or compared, side by side."""
    stacked = _put_together(node, view)
    if stacked is None or stacked.op is not stack or not _is_exact(node):
        return None
    axis = normalize_axis(stacked.params["axis"], stacked.out.ndim)
    axes = normalize_axes(node.params["axis"], stacked.out.ndim)
    others = [a - (a > axis) for a in axes if a != axis]
    if axis not in axes or node.params["keepdims"] or not _stretch_alike(stacked):
        return None
    params = {**node.params, "axis": tuple(others)}
    parts = _alike(stacked)
    if others or (node.out.dtype == "bool" != stacked.out.dtype):
        parts = [node.op.apply([v], params).out for v in parts]
    elif node.out.dtype != stacked.out.dtype:
        parts = [cast(v, node.out.dtype) for v in parts]
    return reduce(TOGETHER[node.op.name], parts)


@canonicalize.computed(
    FOLDS, example=lambda x, y: max(join([x, y], axis=0), axis=1), tags=[HIDES_ERROR]
)
def fold_before_joining(node: Apply, view: View) -> Variable | None:
    """What is folded along other axes than it was put together is folded before."""
    whole = _put_together(node, view)
    if whole is None:
        return None
    axis = normalize_axis(whole.params["axis"], whole.out.ndim)
    axes = normalize_axes(node.params["axis"], whole.out.ndim)
    own = [a - (whole.op is stack and a > axis) for a in axes]
    if not axes or axis in axes or not _stretch_alike(whole):
        return None
    left = axis if node.params["keepdims"] else axis - len([a for a in axes if a < axis])
    params = {**node.params, "axis": tuple(own)}
    parts = [node.op.apply([v], params).out for v in _alike(whole)]
    return whole.op.apply(parts, {"axis": left}).out


def _put_together(node: Apply, view: View) -> Apply | None:
    """What puts together what is folded, of a few parts and for nothing else."""
    whole = node.inputs[0].owner
    if whole is None or whole.op not in {join, stack} or view.is_shared(whole.out):
        return None
    return whole if len(whole.inputs) <= FEW else None


def _is_exact(node: Apply) -> bool:
    """Whether a fold gives what its op on two numbers gives, done again and again.

    Sums of float32 are not rounded before they are complete, and products may overflow elsewhere.
    """
    if node.op.name not in {"sum", "prod"}:
        return True
    (x,), fold = node.inputs, node.op.fold
    kept = fold is not None and fold.accumulator(x.dtype) == node.out.dtype
    return kept and not states_dtype(node) and (node.op is sum or node.out.dtype in DISCRETE)


def _stretch_alike(whole: Apply) -> bool:
    """Whether all parts have the same pattern of axes that stretch, but for where they are joined.

    Lengths that are left after folding are compared when the results are put together.
    """
    first, *others = (list(v.broadcastable) for v in whole.inputs)
    if whole.op is join:
        axis = normalize_axis(whole.params["axis"], whole.out.ndim)
        for pattern in (first, *others):
            del pattern[axis]
    return all(pattern == first for pattern in others)


def _alike(whole: Apply) -> list[Variable]:
    """The parts, each in the dtype of the whole."""
    dtype = whole.out.dtype
    return [v if v.dtype == dtype else cast(v, dtype) for v in whole.inputs]
