"""Loops, and what of them is read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

from engine.expression import OPS, Apply, Block, Constant, Variable, certain, leaves, substitute
from engine.known import known_value
from engine.ops.axes import dimshuffle
from engine.ops.blocks import op_from_graph
from engine.ops.exponential import exp
from engine.ops.indexing import subtensor
from engine.ops.joining import stack
from engine.ops.loop import Loop
from engine.rewrite.examples import loop, row_of
from engine.rewrite.phases import canonicalize
from engine.rewrite.rule import DROPS_ROWS, HIDES_ERROR, Replacement
from engine.rewrite.view import View


@canonicalize.computed(["scan"], example=lambda x: _summed(x))
def compute_before_the_loop(node: Apply, view: View) -> Replacement:
    """What is the same in every step is computed once, before the first one."""
    loop = Loop(**node.params)
    needed = certain(loop.block.outputs)
    fixed = set(loop.constants)
    rest: list[Apply] = []
    for inner in loop.block.applies():
        known = all(v in fixed or isinstance(v, Constant) for v in inner.inputs)
        if known and inner in needed and any(v in fixed for v in inner.inputs):
            fixed.update(inner.outputs)
        else:
            rest.append(inner)
    read = dict.fromkeys([*(v for inner in rest for v in inner.inputs), *loop.block.outputs])
    moved = [v for v in read if v in fixed and v.owner is not None]
    if not moved:
        return None
    walked, first, constants = loop.split(node.inputs[1:])
    outer = substitute(moved, dict(zip(loop.constants, constants, strict=True)))
    inside = [Variable(v.type, name=v.name) for v in moved]
    body = Block(
        (*loop.block.inputs, *inside),
        tuple(substitute(loop.block.outputs, dict(zip(moved, inside, strict=True)))),
    )
    inputs = [*walked, *first, *constants, *outer]
    return replace(loop, block=body).run(node.inputs[0], inputs)


def _summed(x: Variable) -> Variable:
    row, last, fixed = row_of(x), row_of(x), row_of(x)
    body = Block((row, last, fixed), (last + row * exp(fixed),))
    inputs = [x, OPS["zeros_like"](x[:1]), x[0]]
    return Loop(body, sequences=1, taps=((-1,),)).run(OPS["shape"](x)[0], inputs)[0]


@canonicalize.computed(["scan"], example=lambda x: _doubly_read(x))
def read_inputs_once(node: Apply, view: View) -> Replacement:
    """A loop that is given the same thing twice reads it once; constants it knows by itself."""
    loop = Loop(**node.params)
    walked, first, constants = loop.split(node.inputs[1:])
    known: dict[Variable, Variable] = {}
    elements = _each_once(loop.elements, walked, known)
    fixed = _each_once(loop.constants, constants, known)
    for v, x in list(fixed.items()):
        if isinstance(x, Constant) and x.broadcastable == v.broadcastable:
            known[v] = fixed.pop(v)
    if not known:
        return None
    outputs = substitute(loop.block.outputs, known)
    past = [v for own in loop.past for v in own]
    body = Block((*elements, *past, *fixed), tuple(outputs))
    inputs = [*elements.values(), *first, *fixed.values()]
    return replace(loop, block=body, sequences=len(elements)).run(node.inputs[0], inputs)


def _each_once(
    inner: list[Variable], outer: list[Variable], known: dict[Variable, Variable]
) -> dict[Variable, Variable]:
    """What the body calls each thing that it is given; `known` gets its other names for it."""
    first: dict[Variable, Variable] = {}
    for v, x in zip(inner, outer, strict=True):
        same = first.setdefault(x, v)
        if same is not v and same.broadcastable == v.broadcastable:
            known[v] = same
    return {v: x for v, x in zip(inner, outer, strict=True) if v not in known}


def _doubly_read(x: Variable) -> Variable:
    row, again, last = row_of(x), row_of(x), row_of(x)
    body = Block((row, again, last), (last + row * again,))
    inputs = [x, x, OPS["zeros_like"](x[:1])]
    return Loop(body, sequences=2, taps=((-1,),)).run(OPS["shape"](x)[0], inputs)[0]


@canonicalize.computed(["subtensor"], example=lambda x: x[1:][-1], tags=[HIDES_ERROR])
def index_from_the_end(node: Apply, view: View) -> Variable | None:
    """Counted from the end, an element is where it is, whatever is left out at the start."""
    part = node.inputs[0].owner
    index = node.params["index"]
    if part is None or part.op is not subtensor or len(part.inputs) > 1:
        return None
    cut = part.params["index"]
    if len(cut) != 1 or not isinstance(cut[0], tuple) or not index:
        return None
    start, stop, step = cut[0]
    if stop is not None or (start or 0) < 0 or step not in (None, 1):
        return None
    count, there = _from_the_end(index[0]), part.out.type.shape[0]
    is_part = isinstance(index[0], tuple)
    if count is None or (is_part and (there is None or there < count)):
        return None
    return subtensor.apply([part.inputs[0], *node.inputs[1:]], node.params).out


def _from_the_end(at: Any) -> int | None:
    """How many of the last rows an index reads, None if that depends on how many there are."""
    if isinstance(at, tuple):
        start, stop, step = at
        known = isinstance(start, int) and start < 0 and (stop is None or isinstance(stop, int))
        return -start if known and (stop or -1) < 0 and step in (None, 1) else None
    return -at if isinstance(at, int) and at < 0 else None


@canonicalize.computed(["scan"], example=lambda x: _both(x)[0][-1], tags=[DROPS_ROWS])
def keep_last_rows(node: Apply, view: View) -> Replacement:
    """Where only the last rows of a result are read, the others need not be kept."""
    loop = Loop(**node.params)
    wanted = [_last_rows(view.readers(v), loop.kept(i)) for i, v in enumerate(node.outputs)]
    if all(k == loop.kept(i) for i, k in enumerate(wanted)):
        return None
    return replace(loop, keep=tuple(wanted)).run(node.inputs[0], node.inputs[1:])


def _last_rows(readers: Iterable[tuple[object, int]], kept: int) -> int:
    """How many of the last rows are read, 0 for all."""
    count = 1
    for reader, port in readers:
        if not isinstance(reader, Apply) or reader.op is not subtensor or port:
            return kept
        index = reader.params["index"]
        read = _from_the_end(index[0]) if index else None
        if read is None:
            return kept
        count = max(count, read)
    return count


@canonicalize.computed(["scan"], example=lambda x: _both(x)[0][1], tags=[HIDES_ERROR, DROPS_ROWS])
def take_only_steps_that_are_read(node: Apply, view: View) -> Replacement:
    """Where only the first rows are read, the loop may end after them."""
    loop = Loop(**node.params)
    if loop.backwards or any(map(loop.kept, range(len(node.outputs)))):
        return None
    count = 0
    for v, depth in zip(node.outputs, loop.depths, strict=True):
        read = _first_rows(view.readers(v))
        if read is None:
            return None
        count = max(count, read - depth)
    steps = node.inputs[0]
    if view.ranges.of(steps).high <= count:
        return None
    enough = Constant(count, steps.dtype)
    fewer = enough if isinstance(steps, Constant) else OPS["minimum"](steps, enough)
    return loop.run(fewer, node.inputs[1:])


def _first_rows(readers: Iterable[tuple[object, int]]) -> int | None:
    """How many of the first rows are read, None if any others may be."""
    count = 0
    for reader, port in readers:
        if not isinstance(reader, Apply) or reader.op is not subtensor or port:
            return None
        index = reader.params["index"]
        if not index:
            return None
        if isinstance(index[0], tuple):
            start, stop, step = index[0]
            ends = (start or 0, stop, step or 1)
            if not all(isinstance(n, int) and n >= 0 for n in ends):
                return None
            count = max(count, stop)
        elif isinstance(index[0], int) and index[0] >= 0:
            count = max(count, index[0] + 1)
        else:
            return None
    return count


def _both(x: Variable) -> list[Variable]:
    row, last = row_of(x), row_of(x)
    return loop(x, last + row, row * row, last=last, row=row)


@canonicalize.computed(["scan"], example=lambda x: _both(x)[1], tags=[HIDES_ERROR])
def drop_unread_results(node: Apply, view: View) -> Replacement:
    """What nobody reads, and no later step needs, is not computed."""
    loop = Loop(**node.params)
    ends = list(loop.block.outputs[len(loop.results) :])
    read = {i for i, v in enumerate(node.outputs) if view.readers(v)}
    while True:
        used = set(leaves([*(loop.results[i] for i in read), *ends]))
        more = {i for i, own in enumerate(loop.past) if used.intersection(own)} - read
        if not more:
            break
        read |= more
    states = [i for i in range(len(loop.taps)) if i in read]
    walked, first, constants = loop.split(node.inputs[1:])
    elements = {v: x for v, x in zip(loop.elements, walked, strict=True) if v in used}
    fixed = {v: x for v, x in zip(loop.constants, constants, strict=True) if v in used}
    if (len(read), len(elements), len(fixed)) == (
        len(loop.results), len(walked), len(constants),
    ):  # fmt: skip
        return None
    order = sorted(read)
    smaller = replace(
        loop,
        block=Block(
            (*elements, *(v for i in states for v in loop.past[i]), *fixed),
            (*(loop.results[i] for i in order), *ends),
        ),
        sequences=len(elements),
        taps=tuple(loop.taps[i] for i in states),
        keep=tuple(loop.kept(i) for i in order),
    )
    inputs = [*elements.values(), *(first[i] for i in states), *fixed.values()]
    rows = dict(zip(order, smaller.run(node.inputs[0], inputs), strict=True))
    return [rows.get(i, v) for i, v in enumerate(node.outputs)]


@canonicalize.computed(["scan"], example=lambda x: _still(x)[1], tags=[HIDES_ERROR])
def repeat_what_is_always_the_same(node: Apply, view: View) -> Replacement:
    """A row that is the same in every step is repeated, and needs no loop."""
    loop = Loop(**node.params)
    if loop.until:
        return None
    *_, constants = loop.split(node.inputs[1:])
    outer = dict(zip(loop.constants, constants, strict=True))
    same = {
        i: outer.get(v, v)
        for i, v in enumerate(loop.results)
        if i >= len(loop.taps) and (v in outer or isinstance(v, Constant))
    }
    if not same:
        return None
    rows = _without(node, loop, list(same), loop.block.outputs)
    for i, v in same.items():
        lengths = [OPS["shape"](v)[axis] for axis in range(v.ndim)]
        rows[i] = OPS["alloc"](v, node.inputs[0], *lengths)
        if loop.kept(i):
            rows[i] = rows[i][-loop.kept(i) :]
    return [rows[i] for i in range(len(loop.results))]


def _still(x: Variable) -> list[Variable]:
    row, last, fixed = row_of(x), row_of(x), row_of(x)
    body = Block((row, last, fixed), (last + row, fixed))
    inputs = [x, OPS["zeros_like"](x[:1]), OPS["sum"](x, axis=0)]
    return Loop(body, sequences=1, taps=((-1,),)).run(OPS["shape"](x)[0], inputs)


@canonicalize.computed(["scan"], example=lambda x: _fixed_state(x))
def state_that_never_changes(node: Apply, view: View) -> Replacement:
    """A state that stays as it was is the same in every step, and needs no rows."""
    loop = Loop(**node.params)
    still = [
        i
        for i, taps in enumerate(loop.taps)
        if taps == (-1,) and loop.results[i] is loop.past[i][0]
        and (loop.kept(i) == 1 or not view.readers(node.outputs[i]))
    ]  # fmt: skip
    if not still:
        return None
    _, first, _ = loop.split(node.inputs[1:])
    value = {i: _row(first[i], -1) for i in still}
    if any(v.broadcastable != loop.past[i][0].broadcastable for i, v in value.items()):
        return None
    inner = [loop.past[i][0] for i in still]
    rows = _without(node, loop, still, loop.block.outputs, inner, list(value.values()))
    return [
        rows[i] if i in rows else stack([value[i]]) if loop.kept(i) else v
        for i, v in enumerate(node.outputs)
    ]


def _row(first: Variable, at: int) -> Variable:
    """One of the first rows of a state; the only one, where an axis was put in front of it."""
    node = first.owner
    if node is None or node.op is not dimshuffle or node.params["pattern"][0] is not None:
        return first[at]
    return dimshuffle(node.inputs[0], node.params["pattern"][1:])


def _without(
    node: Apply,
    loop: Loop,
    left_out: Sequence[int],
    outputs: Sequence[Variable],
    inside: Sequence[Variable] = (),
    outside: Sequence[Variable] = (),
) -> dict[int, Variable]:
    """The results of the loop without some of them, by their old numbers.

    outputs: of the body, those that are left out among them.
    inside, outside: what the body is given besides, there and out here.
    """
    walked, first, constants = loop.split(node.inputs[1:])
    stay = [i for i in range(len(loop.results)) if i not in left_out]
    states = [i for i in stay if i < len(loop.taps)]
    if not stay:
        return {}
    ends = outputs[len(loop.results) :]
    past = (v for i in states for v in loop.past[i])
    smaller = replace(
        loop,
        block=Block(
            (*loop.elements, *past, *loop.constants, *inside),
            (*(outputs[i] for i in stay), *ends),
        ),
        taps=tuple(loop.taps[i] for i in states),
        keep=tuple(loop.kept(i) for i in stay),
    )
    inputs = [*walked, *(first[i] for i in states), *constants, *outside]
    return dict(zip(stay, smaller.run(node.inputs[0], inputs), strict=True))


def _fixed_state(x: Variable) -> Variable:
    row, last, still = row_of(x), row_of(x), row_of(x)
    body = Block((row, last, still), (last + row * exp(still), still))
    first = stack([OPS["sum"](x, axis=0)])
    loop = Loop(body, sequences=1, taps=((-1,), (-1,)))
    return loop.run(OPS["shape"](x)[0], [x, first, first])[0]


STATES = 32
"""Loops with more states are not searched for equal ones."""


@canonicalize.computed(["scan"], example=lambda x: _twice(x))
def keep_equal_states_once(node: Apply, view: View) -> Replacement:
    """Two states that start alike and change alike are one."""
    loop = Loop(**node.params)
    _, first, _ = loop.split(node.inputs[1:])
    if not 1 < len(first) <= STATES:
        return None
    for i, j in combinations(range(len(first)), 2):
        same = (loop.taps[i], loop.kept(i)) == (loop.taps[j], loop.kept(j))
        if not same or not _is_equal(first[i], first[j]) or loop.until:
            continue
        known = dict(zip(loop.past[j], loop.past[i], strict=True))
        if any(a.broadcastable != b.broadcastable for a, b in known.items()):
            continue
        outputs = substitute(loop.block.outputs, known)
        given = loop.block.inputs
        if outputs[i] is not outputs[j] and (
            Block(given, (outputs[i],)) != Block(given, (outputs[j],))
        ):
            continue
        rows = _without(node, loop, [j], outputs)
        return [rows[i if k == j else k] for k in range(len(loop.results))]
    return None


def _is_equal(x: Variable, y: Variable) -> bool:
    if isinstance(x, Constant) and isinstance(y, Constant):
        return x.identity == y.identity
    return x is y


def _twice(x: Variable) -> Variable:
    row, last, other = row_of(x), row_of(x), row_of(x)
    body = Block((row, last, other), (exp(row) * last, exp(row) * other))
    first = OPS["ones_like"](x[:1])
    loop = Loop(body, sequences=1, taps=((-1,), (-1,)))
    rows, again = loop.run(OPS["shape"](x)[0], [x, first, first])
    return rows + again


OPENED_STEPS = 4
OPENED_APPLIES = 16
"""The most steps of a loop that is written out, and what it may then become."""


@canonicalize.computed(["scan"], example=lambda x: _short(x))
def write_out_short_loops(node: Apply, view: View) -> Replacement:
    """A loop of a few short steps costs more than the steps, which are the same without it."""
    loop = Loop(**node.params)
    known = known_value(node.inputs[0])
    if known is None or loop.until or not 0 <= int(known) <= OPENED_STEPS:
        return None
    count = int(known)
    work = len(loop.block.applies())
    plain = len(loop.results) > len(loop.taps)
    if (count > 1 and count * work > OPENED_APPLIES) or (not count and plain):
        return None
    walked, first, constants = loop.split(node.inputs[1:])
    if any(x.type.shape[0] is None or x.type.shape[0] < count for x in walked):
        return None
    traces: list[list[Variable]] = [
        [_row(x, k) for k in range(depth)] for x, depth in zip(first, loop.depths, strict=False)
    ]
    traces += [[] for _ in loop.results[len(first) :]]
    for t in range(count):
        at = count - 1 - t if loop.backwards else t
        past = [traces[i][k] for i, taps in enumerate(loop.taps) for k in taps]
        given = [*(x[at] for x in walked), *past, *constants]
        assert op_from_graph.expand is not None
        new = op_from_graph.expand(*given, block=loop.block)
        for trace, v in zip(traces, new, strict=True):
            trace.append(v)
    return [stack(trace[-loop.kept(i) :]) for i, trace in enumerate(traces)]


def _short(x: Variable) -> Variable:
    row, last = Variable(x.type), Variable(x.type)
    body = Block((row, last), (exp(row) * last,))
    return Loop(body, sequences=1, taps=((-1,),)).run(Constant(2), [stack([x, x]), stack([x])])[0]
