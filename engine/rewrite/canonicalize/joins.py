"""Tensors put together."""

from __future__ import annotations

from engine.expression import Apply, Variable
from engine.ops.exponential import exp
from engine.ops.joining import join, join_part, stack
from engine.ops.logic import cast
from engine.rewrite.cuts import Cut, cut, cuts_of_part
from engine.rewrite.phases import canonicalize
from engine.rewrite.rule import HIDES_ERROR
from engine.rewrite.view import View
from engine.types import normalize_axis


@canonicalize.computed(["join"], example=lambda x: join([x], axis=0))
def join_one(node: Apply, view: View) -> Variable | None:
    """One tensor is joined already."""
    return node.inputs[0] if len(node.inputs) == 1 else None


@canonicalize.computed(
    ["join"], below=["join"], example=lambda x, y: join([join([x, y], axis=-1), x], axis=1)
)
def join_once(node: Apply, view: View) -> Variable | None:
    """What is joined along one axis is joined in one go."""
    axis = normalize_axis(node.params["axis"], node.out.ndim)
    parts: list[Variable] = []
    for v in node.inputs:
        inner = v.owner
        fits = inner is not None and inner.op is join and not view.is_shared(v)
        if inner is not None and fits and normalize_axis(inner.params["axis"], v.ndim) == axis:
            parts += [x if x.dtype == v.dtype else cast(x, v.dtype) for x in inner.inputs]
        else:
            parts.append(v)
    return join(parts, axis=axis) if len(parts) > len(node.inputs) else None


@canonicalize.computed(
    ["join"], below=["stack"], example=lambda x, y: join([stack([x, y]), stack([y, x])], axis=0)
)
def stack_once(node: Apply, view: View) -> Variable | None:
    """What is stacked in parts is stacked in one go."""
    axis = normalize_axis(node.params["axis"], node.out.ndim)
    parts: list[Variable] = []
    for v in node.inputs:
        stacked = v.owner
        if stacked is None or stacked.op is not stack or view.is_shared(v):
            return None
        if normalize_axis(stacked.params["axis"], v.ndim) != axis:
            return None
        parts += [x if x.dtype == v.dtype else cast(x, v.dtype) for x in stacked.inputs]
    return stack(parts, axis=axis)


@canonicalize.computed(
    ["join"], example=lambda x, y: join([exp(x)[:0], x, y], axis=0), tags=[HIDES_ERROR]
)
def join_what_is_there(node: Apply, view: View) -> Variable | None:
    """What is empty along the axis adds nothing."""
    axis = normalize_axis(node.params["axis"], node.out.ndim)
    parts = [v for v in node.inputs if view.lengths.of(v)[axis] != 0]
    return join(parts, axis=axis) if 0 < len(parts) < len(node.inputs) else None


@canonicalize.computed(
    ["join"], below=["subtensor"], example=lambda x: join([x[:1], x[1:2], x[2:]], axis=0)
)
def join_what_was_cut(node: Apply, view: View) -> Variable | None:
    """Slices that follow on one another are one slice."""
    axis = normalize_axis(node.params["axis"], node.out.ndim)
    parts = [node.inputs[0]]
    for v in node.inputs[1:]:
        both = _one_slice(parts[-1], v, axis)
        parts[-1:] = [parts[-1], v] if both is None else [both]
    return join(parts, axis=axis) if len(parts) < len(node.inputs) else None


def _one_slice(first: Variable, second: Variable, axis: int) -> Variable | None:
    """Two slices of one tensor, of which the second begins along the axis where the first ends."""
    one, two = first.owner, second.owner
    if one is None or two is None or one.op.name != "subtensor" or two.op is not one.op:
        return None
    x = one.inputs[0]
    if two.inputs[0] is not x or x.ndim != first.ndim:
        return None
    cuts, others = cuts_of_part(one), cuts_of_part(two)
    if cuts is None or others is None or [*cuts[:axis], *cuts[axis + 1 :]] != [
        *others[:axis], *others[axis + 1 :],
    ]:  # fmt: skip
        return None
    start, stop, step = cuts[axis].bounds or (None, None, 0)
    begin, end, by = others[axis].bounds or (None, None, 0)
    if not step == by == 1 or stop is None or stop != begin:
        return None
    if not 0 <= (start or 0) <= stop or (end is not None and end < stop):
        return None
    return cut(x, [*cuts[:axis], Cut((start or None, end, None)), *cuts[axis + 1 :]])


@canonicalize.computed(
    ["join_part"],
    below=["join"],
    example=lambda x, y: join_part(join([x, y], axis=0), [x, y], axis=0, position=1),
    tags=[HIDES_ERROR],
)
def part_of_joined(node: Apply, view: View) -> Variable | None:
    """What was joined is taken apart into what it was."""
    joined, *models = node.inputs
    inner = joined.owner
    if inner is None or inner.op is not join or len(inner.inputs) != len(models):
        return None
    axis = normalize_axis(node.params["axis"], joined.ndim)
    if normalize_axis(inner.params["axis"], joined.ndim) != axis:
        return None
    pairs = zip(inner.inputs, models, strict=True)
    if any(view.lengths.of(v)[axis] != view.lengths.of(m)[axis] for v, m in pairs):
        return None
    part = inner.inputs[node.params["position"]]
    return part if part.dtype == joined.dtype else cast(part, joined.dtype)
