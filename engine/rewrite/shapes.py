"""Where the length of an axis comes from, so that nothing is computed for its shape only."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from functools import reduce

from engine.expression import OPS, Apply, Variable
from engine.op import Op
from engine.ops.arithmetic import add, int_div, maximum, minimum, mul, sub
from engine.ops.creation import alloc, full
from engine.ops.logic import cast
from engine.ops.loop import Loop
from engine.ops.shape import shape
from engine.rewrite.cuts import cuts_of_part
from engine.rewrite.scalars import constant, number_of
from engine.rewrite.view import View
from engine.types import normalize_axis

DEEPEST = 8
"""Joins and slices that a length is put together through."""

WATCHING = frozenset({"print_value", "assert_true"})
"""Ops that are there for what they do while the graph runs, though only a shape is wanted."""

LAYOUTS = frozenset({
    "subtensor", "reshape", "reshape_to", "dimshuffle", "addbroadcast", "unbroadcast",
    "split_part", "extract_diag",
})  # fmt: skip
"""Ops of which the shape follows from that of the first input, whatever is in it."""

COUNTING = frozenset({"add", "mul", "sqr", "int_div"})
"""Ops that make lengths of lengths."""

STEPS = 16
"""How many parts of a length are looked at."""

Axis = tuple[Variable, int]


def shape_source(v: Variable, view: View) -> Variable:
    """A variable of the shape of v, with the same axes that stretch, that takes less to have.

    Down through all that changes no length, and parts and other layouts are taken of that.
    """
    layouts: list[Apply] = []
    v = _as_long(v, view)
    while v.owner is not None and is_layout(v.owner) and len(layouts) < DEEPEST:
        layouts.append(v.owner)
        v = _as_long(v.owner.inputs[0], view)
    for node in reversed(layouts):
        x, *others = node.inputs
        v = node.out if v is x else node.op.apply([v, *others], node.params).out
    return v


def is_layout(node: Apply) -> bool:
    """Whether an apply lays the elements of its first input out, of which none is looked at."""
    gathers = any(v.ndim and v.dtype != "bool" for v in node.inputs[1:])
    return node.op.name in LAYOUTS and (node.op.name != "subtensor" or not gathers)


def _as_long(v: Variable, view: View) -> Variable:
    passed: list[Variable] = []
    while v.owner is not None and not _is_kept(v.owner):
        same = view.shortcut(v)
        if same is None:
            alike = [x for x in v.owner.inputs if x.broadcastable == v.broadcastable]
            same = next((x for x in alike if view.lengths.covers(x, v)), None)
        if same is None:
            break
        passed.append(v)
        v = same
    view.shorten(passed, v)
    return v


def made_of(value: Variable, lengths: Sequence[Variable]) -> Variable:
    """The value stretched to a shape, which is a parameter where all of it is known."""
    known = [number_of(n) for n in lengths]
    numbers = [n for n in known if isinstance(n, int)]
    if len(numbers) == len(lengths):
        return full.apply([value], {"shape": tuple(numbers)}).out
    return alloc.apply([value, *lengths], {}).out


def product_of(lengths: Sequence[Variable]) -> Variable:
    """The number of elements of a tensor with axes of these lengths."""
    return reduce(mul, lengths) if lengths else constant(1, "int64")


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


def lengths_of_result(v: Variable, axes: Iterable[int], view: View) -> list[Variable] | None:
    """The lengths of axes as expressions that do not read v; None where one has none."""
    found = [length_of_result(v, axis, view) for axis in axes]
    lengths = [n for n in found if n is not None]
    return lengths if len(lengths) == len(found) else None


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
        case "scan":
            return _trace_length(v, node, axis, length)
        case _ if _is_of_lengths(node.op):
            given = node.inputs[len(node.op.ports) - 1 :]
            return cast(given[axis], "int64") if axis < len(given) else None
        case "eye" | "tri":
            return cast(node.inputs[axis], "int64")
        case "arange" if number_of(node.inputs[0]) == 0 and number_of(node.inputs[2]) == 1:
            stop = node.inputs[1]
            return _positive(stop) if stop.dtype == "int64" else None
        case "repeat_each" if axis == normalize_axis(node.params["axis"], v.ndim):
            return cast(OPS["sum"](node.inputs[1]), "int64")
        case "join" if axis == normalize_axis(node.params["axis"], v.ndim):
            return reduce(add, [length(x, axis) for x in node.inputs])
        case "reshape_to" if _is_length(node.inputs[1 + axis], view):
            return cast(node.inputs[1 + axis], "int64")
        case "reshape":
            (x,) = node.inputs
            others = [n for n in node.params["shape"] if n != -1]
            size = product_of([length(x, i) for i in range(x.ndim)])
            return int_div(size, constant(math.prod(others), "int64"))
        case "subtensor":
            return _cut_length(node, axis, length)
        case _:
            return None


def _is_of_lengths(op: Op) -> bool:
    """Whether an op makes a tensor, or draws one, of the lengths that it is given."""
    return op.name == "alloc" or (op.category == "Random" and op.ports[-1].name == "lengths")


def _trace_length(
    v: Variable, node: Apply, axis: int, length: Callable[[Variable, int], Variable]
) -> Variable | None:
    """The length of an axis of the rows of a loop: its first rows have all others already."""
    loop = Loop(**node.params)
    if axis:
        _, first, _ = loop.split(node.inputs[1:])
        return length(first[v.index], axis) if v.index < len(first) else None
    if loop.until or loop.kept(v.index):
        return None
    steps = cast(node.inputs[0], "int64")
    return steps + loop.depths[v.index] if loop.depths[v.index] else steps


def _is_length(v: Variable, view: View) -> bool:
    """Whether the expression is one of lengths: none of them is negative, as -1 is."""
    stack = [v]
    for _ in range(STEPS):
        if not stack:
            return True
        part = stack.pop()
        if not view.ranges.is_never_negative(part):
            if part.owner is None or part.owner.op.name not in COUNTING:
                return False
            stack.extend(part.owner.inputs)
    return False


def _cut_length(
    part: Apply, axis: int, length: Callable[[Variable, int], Variable]
) -> Variable | None:
    """The length of a slice that runs forwards between places that are known."""
    cuts = cuts_of_part(part)
    if cuts is None:
        return None
    own = [i for i, c in enumerate(cuts) if not c.is_place][axis]
    start, stop, step = cuts[own].bounds or (None, None, 0)
    if step < 1:
        return None
    n = length(part.inputs[0], own)
    if stop is None and start is not None and start < 0:
        found: Variable = minimum(n, constant(-start, "int64"))
    else:
        found = n if stop is None else _end(stop, n)
        if start:
            found = sub(found, constant(start, "int64") if start > 0 else _positive(_end(start, n)))
        if start or (stop or 0) < 0:
            found = _positive(found)
    return found if step == 1 else int_div(add(found, constant(step - 1, "int64")), step)


def _end(at: int, n: Variable) -> Variable:
    """An end of a slice of an axis of length n, counted from the front."""
    return minimum(n, constant(at, "int64")) if at >= 0 else sub(n, constant(-at, "int64"))


def _positive(n: Variable) -> Variable:
    return maximum(n, constant(0, "int64"))
