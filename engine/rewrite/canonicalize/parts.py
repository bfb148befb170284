"""Parts, read by index."""

from __future__ import annotations

import math
from collections.abc import Sequence

from engine.expression import OPS, Apply, Variable
from engine.ops.axes import dimshuffle
from engine.ops.changing import assign_at, increase_at
from engine.ops.creation import alloc, full
from engine.ops.exponential import exp
from engine.ops.index import REST, WHOLE, WIRED
from engine.ops.indexing import subtensor
from engine.ops.joining import join, stack
from engine.ops.logic import cast, fill
from engine.ops.products import dot
from engine.ops.ranges import arange, positions
from engine.ops.reductions import sum
from engine.ops.shape import shape
from engine.rewrite.cuts import Cut, cut, cut_again, cuts_of, cuts_of_part
from engine.rewrite.lengths import axis_read
from engine.rewrite.phases import canonicalize
from engine.rewrite.rule import HIDES_ERROR, Given
from engine.rewrite.scalars import constant, number_of
from engine.rewrite.shapes import made_of
from engine.rewrite.view import View
from engine.types import normalize_axes, normalize_axis


@canonicalize.computed(["subtensor"], example=lambda x: subtensor(x, [], ()))
def part_that_is_all(node: Apply, view: View) -> Variable | None:
    """The part that leaves nothing out is the tensor itself."""
    whole = all(entry in (WHOLE, REST) for entry in node.params["index"])
    return node.inputs[0] if whole else None


@canonicalize.computed(["subtensor"], example=lambda x: x[0 : shape(x)[0]])
def slice_of_all(node: Apply, view: View) -> Variable | None:
    """A slice from the first element to the last leaves nothing out."""
    cuts = cuts_of_part(node)
    if cuts is None:
        return None
    x = node.inputs[0]
    lengths = view.lengths.of(x)
    found = [Cut() if _takes_all(c, n, view) else c for c, n in zip(cuts, lengths, strict=True)]
    return cut(x, found) if found != cuts else None


def _takes_all(c: Cut, n: int, view: View) -> bool:
    """Whether a cut takes all of an axis, whose length is n or has the symbol n."""
    if c.is_place or c.is_whole or not isinstance(c.entry, tuple):
        return False
    if c.bounds is not None:
        if view.lengths.is_known(n):
            return range(n)[slice(*c.bounds)] == range(n)
        return c.bounds in ((0, None, 1), (None, None, 1))
    start, _, step = c.entry
    return start in (0, None) and step in (1, None) and _is_length(c.wires[0], n, view)


def _is_length(v: Variable, n: int, view: View) -> bool:
    """Whether v is read off a shape as the length that has the symbol n."""
    axis = axis_read(v)
    return axis is not None and view.lengths.of(axis[0])[axis[1]] == n


@canonicalize.computed(["subtensor"], example=lambda x: x[1:][::2][0])
def index_once(node: Apply, view: View) -> Variable | None:
    """A part of a part is a part."""
    inner = node.inputs[0].owner
    if inner is None or inner.op is not subtensor:
        return None
    first, then = cuts_of_part(inner), cuts_of_part(node)
    if first is None or then is None:
        return None
    x = inner.inputs[0]
    rest = iter(then)
    found: list[Cut] = []
    for c, n in zip(first, view.lengths.of(x), strict=True):
        once = (
            c if c.is_place else cut_again(c, next(rest), n if view.lengths.is_known(n) else None)
        )
        if once is None:
            return None
        found.append(once)
    return cut(x, found)


@canonicalize.computed(["subtensor"], example=lambda x, y: (exp(x) * y)[1:, 0], tags=[HIDES_ERROR])
def index_before_computing(node: Apply, view: View) -> Variable | None:
    """Only the elements that are read are computed."""
    cuts = cuts_of_part(node)
    x = node.inputs[0]
    if cuts is None or view.is_shared(x) or not _is_on_elements(x):
        return None
    out = _computed_part(x, cuts, view, {})
    return (
        out if out is not None and out.owner is not None and out.owner.op is not subtensor else None
    )


def _is_on_elements(v: Variable) -> bool:
    return v.owner is not None and (v.owner.op.is_elementwise or v.owner.op is cast)


Parts = dict[tuple[Variable, tuple[Cut, ...]], Variable]
DEEPEST = 64


def _computed_part(
    v: Variable, cuts: Sequence[Cut], view: View, known: Parts, depth: int = DEEPEST
) -> Variable:
    """The part of v, computed from parts of what v is computed of."""
    key = v, tuple(cuts)
    if key in known:
        return known[key]
    node = v.owner
    stretched = [c for c, stretches in zip(cuts, v.broadcastable, strict=True) if stretches]
    fits = all(c.is_whole or c.place in (0, -1) for c in stretched)
    if node is None or not depth or not _is_on_elements(v) or not fits or view.is_shared(v):
        known[key] = cut(v, cuts)
    else:
        inputs = [_computed_part(x, _fitted(cuts, x), view, known, depth - 1) for x in node.inputs]
        known[key] = node.op.apply(inputs, node.params).out
    return known[key]


def _fitted(cuts: Sequence[Cut], x: Variable) -> list[Cut]:
    """What is read of x, which is stretched, where these parts of the result are."""
    own = cuts[len(cuts) - x.ndim :]
    return [
        c if not stretches else Cut(0) if c.is_place else Cut()
        for c, stretches in zip(own, x.broadcastable, strict=True)
    ]


@canonicalize.computed(["subtensor"], example=lambda x: x.dimshuffle(1, "x", 0)[1:, :, 0])
def index_before_reordering(node: Apply, view: View) -> Variable | None:
    """The part is the same whether it is taken before or after the axes are reordered."""
    cuts, turned = cuts_of_part(node), node.inputs[0].owner
    if cuts is None or turned is None or turned.op is not dimshuffle:
        return None
    (x,) = turned.inputs
    own = [Cut()] * x.ndim
    pattern: list[int | None] = []
    for axis, c in zip(turned.params["pattern"], cuts, strict=True):
        if axis is not None:
            own[axis] = c
        elif not c.is_whole and c.place not in (0, -1):
            return None
        if not c.is_place:
            pattern.append(axis)
    return _turned(cut(x, own), [p if p is None else _moved(p, own) for p in pattern])


def _moved(axis: int, cuts: Sequence[Cut]) -> int:
    """Which axis of the part an axis becomes."""
    return axis - [c.is_place for c in cuts[:axis]].count(True)


def _turned(x: Variable, pattern: Sequence[int | None]) -> Variable:
    return x if list(pattern) == list(range(x.ndim)) else dimshuffle(x, tuple(pattern))


@canonicalize.computed(["subtensor"], example=lambda x: sum(x, axis=1)[0], tags=[HIDES_ERROR])
def index_before_folding(node: Apply, view: View) -> Variable | None:
    """Only what is read is folded."""
    cuts, v = cuts_of_part(node), node.inputs[0]
    folded = v.owner
    if cuts is None or folded is None or folded.op.fold is None or view.is_shared(v):
        return None
    (x,) = folded.inputs
    axes = normalize_axes(folded.params["axis"], x.ndim)
    keeps = folded.params["keepdims"]
    rest = iter(cuts)
    own = [Cut() if a in axes and not keeps else next(rest) for a in range(x.ndim)]
    if any(not own[a].is_whole for a in axes):
        return None
    params = {**folded.params, "axis": tuple(_moved(a, own) for a in axes)}
    return folded.op.apply([cut(x, own)], params).out


ALONG = ("softmax", "logsoftmax", "cumsum", "cumprod", "sort")
"""Ops that treat each row along their parameter `axis` by itself."""


@canonicalize.computed(["subtensor"], example=lambda x: OPS["softmax"](x, axis=1)[0])
def index_rows_first(node: Apply, view: View) -> Variable | None:
    """What is done along one axis needs only those rows of the others that are read."""
    cuts, v = cuts_of_part(node), node.inputs[0]
    along = v.owner
    if cuts is None or along is None or along.op.name not in ALONG or view.is_shared(v):
        return None
    x, *others = along.inputs
    if along.params["axis"] is None or x.ndim != v.ndim:
        return None
    axis = normalize_axis(along.params["axis"], v.ndim)
    if not cuts[axis].is_whole:
        return None
    params = {**along.params, "axis": _moved(axis, cuts)}
    return along.op.apply([cut(x, cuts), *others], params).out


@canonicalize.computed(
    ["subtensor"], example=lambda x, y: dot(x, y)[0], tags=[HIDES_ERROR],
    given={"x": Given((3, 4)), "y": Given((4, 2))},
)  # fmt: skip
def index_before_multiplying(node: Apply, view: View) -> Variable | None:
    """Rows of a product are those of its left side, columns those of its right side."""
    cuts, v = cuts_of_part(node), node.inputs[0]
    product = v.owner
    if cuts is None or product is None or product.op is not dot or view.is_shared(v):
        return None
    x, y = product.inputs
    if not {x.ndim, y.ndim} <= {1, 2}:
        return None
    rows, columns = cuts[: x.ndim - 1], cuts[x.ndim - 1 :]
    return dot.apply([cut(x, [*rows, Cut()]), cut(y, [Cut(), *columns])], product.params).out


@canonicalize.computed(
    ["subtensor"], example=lambda x: alloc(x[0], 3, shape(x)[1])[0], tags=[HIDES_ERROR]
)
def index_of_filled(node: Apply, view: View) -> Variable | None:
    """What is the same along an axis is the same at any place of it."""
    cuts, filled = cuts_of_part(node), node.inputs[0].owner
    if cuts is None or filled is None or filled.op not in (alloc, full):
        return None
    value, *lengths = filled.inputs
    if filled.op is full:
        lengths = [constant(n, "int64") for n in filled.params["shape"]]
    kept: list[Variable] = []
    for c, n in zip(cuts, lengths, strict=True):
        known = number_of(n)
        if c.is_whole:
            kept.append(n)
        elif c.place is not None and isinstance(known, int):
            if not -known <= c.place < known:
                return None
        elif c.bounds is not None and isinstance(known, int):
            start, stop, step = c.bounds
            kept.append(constant(len(range(known)[start:stop:step]), "int64"))
        elif not c.is_place:
            return None
    part = cut(value, _fitted(cuts, value))
    return made_of(part, kept) if kept else part


@canonicalize.computed(
    ["subtensor"], example=lambda x, y: stack([x, y, x * y])[1, 0], tags=[HIDES_ERROR]
)
def index_of_stacked(node: Apply, view: View) -> Variable | None:
    """Of what was put side by side only what is read is needed."""
    cuts, stacked = cuts_of_part(node), node.inputs[0].owner
    if cuts is None or stacked is None or stacked.op is not stack:
        return None
    axis = normalize_axis(stacked.params["axis"], len(cuts))
    c, rest = cuts[axis], [*cuts[:axis], *cuts[axis + 1 :]]
    tensors = stacked.inputs
    if c.place is not None:
        inside = -len(tensors) <= c.place < len(tensors)
        return cut(tensors[c.place], rest) if inside else None
    if c.bounds is None or c.is_whole:
        return None
    start, stop, step = c.bounds
    chosen = tensors[start:stop:step]
    if not chosen:
        return None
    return cut(stack.apply(chosen, stacked.params).out, [*cuts[:axis], Cut(), *cuts[axis + 1 :]])


@canonicalize.computed(
    ["subtensor"],
    example=lambda x, y: join([stack([x[0], y[1]]), y], axis=0)[1],
    tags=[HIDES_ERROR],
)
def index_of_joined(node: Apply, view: View) -> Variable | None:
    """Of what was joined only the tensor that is read is needed."""
    cuts, joined = cuts_of_part(node), node.inputs[0].owner
    if cuts is None or joined is None or joined.op is not join:
        return None
    axis = normalize_axis(joined.params["axis"], len(cuts))
    lengths = [view.lengths.of(v)[axis] for v in joined.inputs]
    found = _within(cuts[axis], lengths, view)
    if found is None:
        return None
    position, c = found
    return cut(joined.inputs[position], [*cuts[:axis], c, *cuts[axis + 1 :]])


def _within(c: Cut, lengths: Sequence[int], view: View) -> tuple[int, Cut] | None:
    """The one of several joined tensors in which a cut lies, and the cut of that one."""
    backwards = c.place is not None and c.place < 0
    first, last = (c.place, c.place) if c.place is not None else _ends(c)
    if first is None or last is None:
        return None
    passed = 0
    for i, n in list(enumerate(lengths))[:: -1 if backwards else 1]:
        if not view.lengths.is_known(n):
            return None
        if backwards and first + passed >= -n:
            return i, Cut(first + passed)
        if not backwards and first < passed + n:
            if c.place is not None:
                return i, Cut(first - passed)
            step = c.entry[2] if isinstance(c.entry, tuple) else None
            return (i, Cut((first - passed, last - passed, step))) if last <= passed + n else None
        passed += n
    return None


def _ends(c: Cut) -> tuple[int | None, int | None]:
    """Start and stop of a slice that runs forwards, both counted from the front."""
    start, stop, step = c.bounds or (None, None, 1)
    counted = stop is not None and stop >= 0 and (start or 0) >= 0 and step > 0
    return (start or 0, stop) if counted else (None, None)


@canonicalize.computed(
    ["subtensor"], example=lambda x: arange(2, 3 * shape(x)[0], 3)[1], tags=[HIDES_ERROR]
)
def index_of_counted(node: Apply, view: View) -> Variable | None:
    """What stands at a place of a range follows from its start and its step."""
    cuts, counted = cuts_of_part(node), node.inputs[0].owner
    if cuts is None or counted is None or counted.op not in (arange, positions):
        return None
    at = cuts[0].place
    (n,) = view.lengths.of(counted.out)
    if at is None or at < 0 or (view.lengths.is_known(n) and at >= n):
        return None
    if counted.op is positions:
        return constant(at, "int64")
    start, _, step = counted.inputs
    if node.out.dtype != "int64" or {start.dtype, step.dtype} - {"int64", "int8"}:
        return None
    return cast(start, "int64") + cast(step, "int64") * constant(at, "int64")


@canonicalize.computed(["subtensor"], example=lambda x: x[arange(shape(x)[0])])
def index_all_in_order(node: Apply, view: View) -> Variable | None:
    """All places in order are all there is."""
    index = node.params["index"]
    x, *wires = node.inputs
    if len(wires) != 1 or not index or index[0] != WIRED or any(e != WHOLE for e in index[1:]):
        return None
    (places,) = wires
    counted = places.owner
    if counted is None or counted.op not in (arange, positions):
        return None
    if counted.op is arange:
        start, stop, step = counted.inputs
        if number_of(start) != 0 or number_of(step) != 1:
            return None
        alike = _is_length(stop, view.lengths.of(x)[0], view)
    else:
        alike = view.lengths.of(places)[0] == view.lengths.of(x)[0]
    return x if alike and not x.broadcastable[0] else None


@canonicalize.computed(
    ["subtensor"], example=lambda x, y: assign_at(x, y[0], [], (1,))[1], tags=[HIDES_ERROR]
)
def index_of_what_was_put(node: Apply, view: View) -> Variable | None:
    """At the place where something was put, it is; at another place nothing has changed."""
    changed = node.inputs[0].owner
    if changed is None or changed.op not in (assign_at, increase_at):
        return None
    x, value, *given = changed.inputs
    put, read = cuts_of(changed.params["index"], given, x.ndim), cuts_of_part(node)
    if put is None or read is None:
        return None
    if put == read:
        part = cut(x, read)
        value = cast(value, x.dtype) if value.dtype != x.dtype else value
        if changed.op is increase_at:
            return part + value
        return value if view.lengths.covers(value, part) else fill(part, value)
    lengths = view.lengths.of(x)
    apart = any(_are_apart(a, b, n, view) for a, b, n in zip(put, read, lengths, strict=True))
    return cut(x, read) if apart else None


def _are_apart(a: Cut, b: Cut, n: int, view: View) -> bool:
    """Whether two cuts of an axis have no place in common, however long it is."""
    if a.wires or b.wires:
        return False
    if view.lengths.is_known(n):
        return not set(_places(a, n)) & set(_places(b, n))
    first, second = _span(a), _span(b)
    if first is None or second is None:
        return False
    (low, high), (start, stop) = first, second
    return high <= start or stop <= low


def _places(c: Cut, n: int) -> range:
    if c.place is None:
        assert c.bounds is not None
        return range(n)[slice(*c.bounds)]
    return range(n)[c.place : c.place + 1 or None] if -n <= c.place < n else range(0)


def _span(c: Cut) -> tuple[float, float] | None:
    """The places that a cut may take, from the first to before the last, counted from the front.

    Those counted from the end are negative and cannot be told from others.
    """
    if c.place is not None:
        return (c.place, c.place + 1) if c.place >= 0 else None
    start, stop, step = c.bounds or (None, None, 0)
    if step < 1 or (start or 0) < 0 or (stop or 0) < 0:
        return None
    return start or 0, math.inf if stop is None else stop
