"""Where the length of an axis comes from, so that nothing is computed for its shape only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce

from engine.expression import OPS, Apply, Variable
from engine.ops.arithmetic import add, maximum, minimum, sub
from engine.ops.creation import alloc, full
from engine.ops.logic import cast
from engine.ops.shape import shape
from engine.rewrite.cuts import cuts_of_part
from engine.rewrite.scalars import constant, number_of
from engine.rewrite.view import View
from engine.types import normalize_axis

DEEPEST = 8
"""Joins and slices that a length is put together through."""

WATCHING = frozenset({"print_value", "assert_true"})
"""Ops that are there for what they do while the graph runs, though only a shape is wanted."""

Axis = tuple[Variable, int]


def shape_source(v: Variable, view: View) -> Variable:
    """The variable that v has its shape from, down through all that changes no length."""
    while v.owner is not None and not _is_kept(v.owner):
        alike = [x for x in v.owner.inputs if x.broadcastable == v.broadcastable]
        same = next((x for x in alike if view.lengths.covers(x, v)), None)
        if same is None:
            break
        v = same
    return v


def made_of(value: Variable, lengths: Sequence[Variable]) -> Variable:
    """The value stretched to a shape, which is a parameter where all of it is known."""
    known = [number_of(n) for n in lengths]
    numbers = [n for n in known if isinstance(n, int)]
    if len(numbers) == len(lengths):
        return full.apply([value], {"shape": tuple(numbers)}).out
    return alloc.apply([value, *lengths], {}).out


def _is_kept(node: Apply) -> bool:
    """Whether an apply says more than which shape it has."""
    return node.op.lazy is not None or node.op.name in WATCHING


def length_source(v: Variable, axis: int, view: View) -> Axis:
    """The variable, and its axis, from which the axis of v has its length."""
    while v.owner is not None and not _is_kept(v.owner):
        n = view.lengths.of(v)[axis]
        found = next(
            ((x, i) for x in v.owner.inputs for i, m in enumerate(view.lengths.of(x)) if m == n),
            None,
        )
        if found is None:
            break
        v, axis = found
    return v, axis


def length_of_result(v: Variable, axis: int, view: View) -> Variable | None:
    """The length of an axis as an expression that does not read v; None where there is none."""
    return _of_result(v, axis, view, {}, DEEPEST)


def _of_result(
    v: Variable, axis: int, view: View, known: dict[Axis, Variable | None], depth: int
) -> Variable | None:
    n = view.lengths.of(v)[axis]
    if view.lengths.is_known(n):
        return constant(n, "int64")
    source = x, i = length_source(v, axis, view)
    if source not in known:
        known[source] = _put_together(x, i, view, known, depth) if depth else None
    found = known[source]
    return found if found is not None or x is v else shape(x)[i]


def _put_together(
    v: Variable, axis: int, view: View, known: dict[Axis, Variable | None], depth: int
) -> Variable | None:
    """The length of an axis that no input has, from what its op makes of theirs."""
    node = v.owner
    if node is None:
        return None

    def length(x: Variable, i: int) -> Variable:
        found = _of_result(x, i, view, known, depth - 1)
        return shape(x)[i] if found is None else found

    match node.op.name:
        case "alloc":
            return cast(node.inputs[1 + axis], "int64")
        case "eye" | "tri":
            return cast(node.inputs[axis], "int64")
        case "arange" if number_of(node.inputs[0]) == 0 and number_of(node.inputs[2]) == 1:
            stop = node.inputs[1]
            return maximum(stop, constant(0, "int64")) if stop.dtype == "int64" else None
        case "repeat_each" if axis == normalize_axis(node.params["axis"], v.ndim):
            return cast(OPS["sum"](node.inputs[1]), "int64")
        case "join" if axis == normalize_axis(node.params["axis"], v.ndim):
            return reduce(add, [length(x, axis) for x in node.inputs])
        case "subtensor":
            return _cut_length(node, axis, length)
        case _:
            return None


def _cut_length(
    part: Apply, axis: int, length: Callable[[Variable, int], Variable]
) -> Variable | None:
    """The length of a slice that runs from or to an end, in steps of 1."""
    cuts = cuts_of_part(part)
    if cuts is None:
        return None
    own = [i for i, c in enumerate(cuts) if not c.is_place][axis]
    start, stop, step = cuts[own].bounds or (None, None, 0)
    if step != 1:
        return None
    n = length(part.inputs[0], own)
    left_out = start if stop is None else -stop if stop < 0 and not start else None
    at_most = stop if not start else -start if stop is None else None
    if left_out is not None and left_out >= 0:
        return maximum(sub(n, constant(left_out, "int64")), constant(0, "int64"))
    if at_most is not None and at_most >= 0:
        return minimum(n, constant(at_most, "int64"))
    return None
