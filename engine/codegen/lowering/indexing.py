"""Elements found by an index that is computed: taken from a tensor, or put into one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.codegen.layout import (
    ONE,
    Access,
    Buffer,
    Extent,
    Index,
    Lookup,
    View,
    loops_over,
    stretched,
)
from engine.codegen.primitives import IDENTITY, Count, Map, Operand, Position
from engine.expression import Apply, Variable
from engine.ops import index as reading
from engine.ops.index import WHOLE, Gap, Gather, Mask, NewAxis, Place, Span, Wire
from engine.ops.slices import regular

if TYPE_CHECKING:
    from engine.codegen.lowering.lower import Lowering


@dataclass(frozen=True)
class Part:
    """What an index takes of a tensor.

    extents: the lengths of its axes.  loops: the loop along each axis.  space: the lengths of
    the loops.  access: the element of the tensor that is met at each point.
    """

    extents: tuple[Extent, ...]
    loops: Sequence[int | None]
    space: tuple[Extent, ...]
    access: Access


def part_of(low: Lowering, node: Apply, x: View, given: Sequence[Variable]) -> Part | None:
    """The part of x that the index of an apply takes, `given` being what is wired in.

    Places that may lie outside are checked.  None where the shape of the part follows from the
    values of a mask or of bounds, or where there is nothing to take places from.
    """
    types = [low.types[v] for v in given]
    values = [low.value(v) for v in given]
    at = reading.Index.read(node.params["index"], len(x.extents), types, values)
    at = regular(at, given, x.shape, low.value)
    unknown = any(
        isinstance(i, Mask) or (isinstance(i, Span) and i.length(x.shape[i.axis]) is None)
        for i in at.items
    )
    if unknown or any(e.length == 0 for e in x.extents):
        return None
    wires = [low.views[given[item.wire.number]] for item in at.gathers]
    taken = stretched(wires, max((len(w.extents) for w in wires), default=0))
    extents, spans, start = _axes(at, x)
    extents[start:start] = taken
    loops, space = loops_over(extents)
    own: dict[int, Index] = {}
    for item in at.items:
        match item:
            case Place(axis, at=None):
                assert item.wire is not None
                v = given[item.wire.number]
                own[axis] = Index(place=_lookup(low, node, v, (), x.extents[axis]))
            case Span(axis, bounds=None):
                number = spans[axis] + (len(taken) if spans[axis] >= start else 0)
                own[axis] = _moving(low, node, item, given, loops[number], x.extents[axis])
            case Place(axis, int(place)):
                own[axis] = Index(place + x.extents[axis].length if place < 0 else place)
            case Span(axis):
                number = spans[axis] + (len(taken) if spans[axis] >= start else 0)
                picked = item.picked(x.extents[axis].length)
                own[axis] = Index(picked.start, picked.step, loops[number])
            case Gather(axis, wire):
                along = loops[start : start + len(taken)]
                own[axis] = _gathered(low, node, given[wire.number], along, taken, x.extents[axis])
    indices = [i if i.axis is None else _within(i, own[i.axis]) for i in x.indices]
    return Part(tuple(extents), loops, space, Access(x.buffer, tuple(indices)))


def _axes(at: reading.Index, x: View) -> tuple[list[Extent], dict[int, int], int]:
    """The axes besides those of the gathered places; which of them each axis of x becomes; and
    where those of the places go."""
    extents: list[Extent] = []
    spans: dict[int, int] = {}
    start = None if at.adjacent else 0
    for item in at.items:
        if isinstance(item, Span):
            spans[item.axis] = len(extents)
            extents.append(_spanned(x.extents[item.axis], item))
        elif isinstance(item, NewAxis):
            extents.append(ONE)
        elif start is None and not isinstance(item, Gap):
            start = len(extents)
    return extents, spans, start or 0


def _spanned(extent: Extent, span: Span) -> Extent:
    if span.bounds is None:
        return Extent(span.length(extent.length) or 0)
    picked = span.picked(extent.length)
    if picked == range(extent.length) or (extent is ONE and len(picked) == 1):
        return extent
    return Extent(len(picked))


def _within(outer: Index, inner: Index) -> Index:
    """The index on a buffer of what an index takes of a view on it."""
    start = outer.start + outer.step * inner.start
    place = inner.place and replace(inner.place, step=outer.step * inner.place.step)
    return Index(start, outer.step * inner.step, inner.axis, place)


def _gathered(
    low: Lowering,
    node: Apply,
    v: Variable,
    loops: Sequence[int | None],
    taken: Sequence[Extent],
    extent: Extent,
) -> Index:
    """The index on an axis of a tensor of places; `loops` are those along its axes."""
    view = low.views[v]
    lead = len(taken) - len(view.extents)
    if (counted := _counted(view, low.value(v))) is not None:
        length = view.extents[counted]
        if length.length <= extent.length:
            if length.length == extent.length and extent is not ONE:
                extent.unify(length)
            return Index(axis=loops[lead + counted])
    return Index(place=_lookup(low, node, v, loops[lead:], extent))


def _moving(
    low: Lowering,
    node: Apply,
    span: Span,
    given: Sequence[Variable],
    loop: int | None,
    extent: Extent,
) -> Index:
    """The index on an axis of a slice that always has the same length, but begins anywhere.

    It is checked that it lies on the axis as a whole; NumPy sees to one that does not.
    """
    begin, end, step = span.ends
    assert isinstance(begin, Wire)
    assert isinstance(end, Wire)
    assert span.reach is not None
    first, last = (low.views[given[wire.number]] for wire in (begin, end))
    text = "({first} < T(0)) | ({last} > {n}) | ({last} - {first} != {reach})"
    views = {"first": first, "last": last}
    reach = Count((Extent(span.reach),))
    early = low.check(node, text, views, "int64", n=Count((extent,)), reach=reach)
    beginnings = Extent(extent.length - span.reach + 1)
    place = Lookup(first.along(()), beginnings, wraps=False, clamps=not early)
    return Index(0, step if isinstance(step, int) else 1, loop, place)


def _counted(view: View, value: np.ndarray[Any, Any] | None) -> int | None:
    """The axis along which the values count from 0 on; None if they do not."""
    long = [k for k, e in enumerate(view.extents) if e is not ONE]
    if value is None or len(long) != 1 or (value.reshape(-1) != np.arange(value.size)).any():
        return None
    return long[0]


def _lookup(
    low: Lowering, node: Apply, v: Variable, loops: Sequence[int | None], extent: Extent
) -> Lookup:
    """A place on an axis, read from a tensor of places; checked where it may lie outside."""
    view = low.views[v]
    least, greatest = low.interval(v)
    n = extent.length
    clamps = False
    if least < -n or greatest >= n:
        unsigned = v.dtype.startswith("uint")
        outside = "{x} >= {n}" if unsigned else "({x} < -{n}) | ({x} >= {n})"
        wide = "uint64" if unsigned else "int64"
        clamps = not low.check(node, outside, {"x": view}, wide, n=Count((extent,)))
    return Lookup(_stretched_along(view, loops), extent, least < 0, clamps)


# Ops.


def taken(low: Lowering, node: Apply) -> None:
    """A part of a tensor, copied."""
    x, *given = node.inputs
    part = part_of(low, node, low.views[x], given)
    if part is None:
        low.call(node)
        return
    target = View.whole(Buffer.new(x.dtype, part.extents), part.extents)
    low.views[node.out] = target
    place = target.along(part.loops)
    low.tasks.append(Map(node, part.space, IDENTITY, {"x": part.access}, x.dtype, place))


def changed(text: str) -> Callable[[Lowering, Apply], None]:
    """A copy of x in which the elements of a part are computed anew.

    They are so one after the other, so that of what is put twice the last stays, and what is
    added twice is so in order.
    """

    def rule(low: Lowering, node: Apply) -> None:
        x, value, *given = node.inputs
        view, new = low.views[x], low.views[value]
        result = View.whole(Buffer.new(x.dtype, view.extents), view.extents)
        part = part_of(low, node, result, given)
        if part is None:
            if not _masked(low, node, text, result):
                low.call(node)
            return
        low.views[node.out] = result
        for own, other in zip(reversed(new.extents), reversed(part.extents), strict=False):
            if own is not ONE:
                other.unify(own)
        if (loops := _one_in_a_row(part, result)) is not None:
            _chosen(low, node, text, part, loops)
            return
        low.copy(node, view, result)
        lead = len(part.loops) - len(new.extents)
        operands: dict[str, Operand] = {"value": low.operand(new, part.loops[lead:])}
        if "{x}" in text:
            operands["x"] = part.access
        low.tasks.append(Map(node, part.space, text, operands, x.dtype, part.access))

    return rule


def _masked(low: Lowering, node: Apply, text: str, result: View) -> bool:
    """Compute the changed tensor element by element, where one value goes wherever a mask holds."""
    x, value, *given = node.inputs
    ndim = len(result.extents)
    types = [low.types[v] for v in given]
    items = reading.Index.read(node.params["index"], ndim, types, [None] * len(given)).items
    masks = [item for item in items if isinstance(item, Mask)]
    others = [item for item in items if not isinstance(item, Mask | Gap)]
    whole = all(isinstance(item, Span) and item.bounds == WHOLE for item in others)
    if len(masks) != 1 or not whole:
        return False
    (mask,) = masks
    held, new = low.views[given[mask.wire.number]], low.views[value]
    first, behind = mask.axis, mask.axis + len(held.extents)
    # The value lies along the axes of the part, whose axis of masked elements is one of them.
    lead = first + 1 + ndim - behind - len(new.extents)
    own = [k - lead if k >= lead else None for k in range(first + 1 + ndim - behind)]
    if (taken := own[first]) is not None and new.extents[taken] is not ONE:
        return False
    views = {
        "x": low.views[x],
        "value": new.permuted([*own[:first], *(None,) * len(held.extents), *own[first + 1 :]]),
        "mask": held.permuted(
            [*(None,) * first, *range(len(held.extents)), *(None,) * (ndim - behind)]
        ),
    }
    for own_extent, other in zip(held.extents, result.extents[first:behind], strict=True):
        if own_extent is not ONE and other is not ONE:
            other.unify(own_extent)
    low.views[node.out] = result
    text = f"{text} if {{mask}} else {{x}}"
    low.write(node, text, views, x.dtype, result, {"mask": "bool"})
    return True


def _one_in_a_row(part: Part, result: View) -> dict[int, int] | None:
    """For each loop over the part the loop over the result that runs along the same axis.

    None unless the part has one place in each row, one that is read from memory.
    """
    indices = part.access.indices
    rows = {i.axis: k for k, i in enumerate(indices) if i.axis is not None}
    whole = all(
        (i.start, i.step) == (0, 1) and part.space[i.axis].length == extent.length
        for i, extent in zip(indices, result.buffer.extents, strict=True)
        if i.axis is not None
    )
    places = sum(i.place is not None for i in indices)
    if places != 1 or len(rows) != len(indices) - 1 or len(rows) != len(part.space) or not whole:
        return None
    return rows if rows else None


def _chosen(low: Lowering, node: Apply, text: str, part: Part, rows: dict[int, int]) -> None:
    """The changed tensor, computed element by element: so it needs no memory of its own."""
    x, value, *_ = node.inputs
    view, new = low.views[x], low.views[value]
    result = low.views[node.out]
    loops, space = loops_over(result.extents)
    ((axis, lookup),) = [(k, i.place) for k, i in enumerate(part.access.indices) if i.place]
    lead = len(part.loops) - len(new.extents)
    along = [None if k is None else rows[k] for k in part.loops]
    at = lookup.at
    indices = tuple(
        Index(i.start, i.step, None if i.axis is None else rows[i.axis]) for i in at.indices
    )
    place = "({at} + {n} if {at} < 0 else {at})" if lookup.wraps else "{at}"
    operands: dict[str, Operand] = {
        "x": low.operand(view, loops),
        "value": low.operand(new, along[lead:]),
        "at": Access(at.buffer, indices),
        "turn": Position(axis),
    }
    if lookup.wraps:
        operands["n"] = Count((lookup.extent,))
    text = f"{text} if {{turn}} == {place} else {{x}}"
    casts = dict.fromkeys(("at", "turn", "n"), "int64")
    target = result.along(loops)
    low.tasks.append(Map(node, space, text, operands, x.dtype, target, casts=casts))


def one_hot(low: Lowering, node: Apply) -> None:
    """A 1 in the place of each class."""
    (y,) = node.inputs
    view = low.views[y]
    classes = Extent(node.params["nb_class"], literal=True)
    least, greatest = low.interval(y)
    if least < 0 or greatest >= classes.length:
        wide = "uint64" if y.dtype.startswith("uint") else "int64"
        count = Count((classes,))
        low.check(node, "({x} < T(0)) | ({x} >= {n})", {"x": view}, wide, n=count)
    extents = (*view.extents, classes)
    result = View.whole(Buffer.new(node.out.dtype, extents), extents)
    low.views[node.out] = result
    loops, space = loops_over(extents)
    operands = {"y": low.operand(view, loops[:-1]), "turn": Position(len(space) - 1)}
    place = result.along(loops)
    low.tasks.append(Map(node, space, "{turn} == {y}", operands, "int64", place))


def chosen(low: Lowering, node: Apply) -> None:
    """For each element the one of the choices that it tells the number of."""
    a, choices = node.inputs
    view, offered = low.views[a], low.views[choices]
    count, mode = offered.extents[0], node.params["mode"]
    if not count.length or (mode != "raise" and a.dtype == "uint64"):
        low.call(node)
        return
    n = Count((count,))
    least, greatest = low.interval(a)
    clamps = False
    if (least < 0 or greatest >= count.length) and mode == "raise":
        wide = "uint64" if a.dtype.startswith("uint") else "int64"
        clamps = not low.check(node, "({x} < T(0)) | ({x} >= {n})", {"x": view}, wide, n=n)
    elif least < 0 or greatest >= count.length:
        turned = "{x} % {n}" if mode == "wrap" else "least(greatest({x}, T(0)), {n} - T(1))"
        inside = View.whole(Buffer.new("int64", view.extents), view.extents)
        loops, space = loops_over(view.extents)
        operands: dict[str, Operand] = {"x": low.operand(view, loops), "n": n}
        low.tasks.append(Map(node, space, turned, operands, "int64", inside.along(loops)))
        view = inside
    extents = stretched([view, offered.picked(0, 0)], node.out.ndim)
    loops, space = loops_over(extents)
    lookup = Lookup(_stretched_along(view, loops), count, wraps=False, clamps=clamps)
    own = [None, *loops[len(loops) + 1 - len(offered.extents) :]]
    along = [None if e is ONE else k for e, k in zip(offered.extents, own, strict=True)]
    indices = tuple(
        Index(i.start, i.step, place=lookup)
        if i.axis == 0
        else Index(i.start, i.step, None if i.axis is None else along[i.axis])
        for i in offered.indices
    )
    result = View.whole(Buffer.new(choices.dtype, extents), extents)
    low.views[node.out] = result
    picked = Access(offered.buffer, indices)
    low.tasks.append(Map(node, space, IDENTITY, {"x": picked}, choices.dtype, result.along(loops)))


def _stretched_along(view: View, loops: Sequence[int | None]) -> Access:
    """The element of a view that is met by loops along the axes that it is stretched to."""
    own = loops[len(loops) - len(view.extents) :]
    return view.along([None if e is ONE else k for e, k in zip(view.extents, own, strict=True)])
