"""Loops, and what of them is read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from engine.expression import OPS, Apply, Block, Constant, Variable, certain, leaves, substitute
from engine.ops.exponential import exp
from engine.ops.indexing import subtensor
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
    at = index[0]
    if stop is not None or (start or 0) < 0 or step not in (None, 1):
        return None
    if not isinstance(at, int) or at >= 0:
        return None
    return subtensor.apply([part.inputs[0], *node.inputs[1:]], node.params).out


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
        if not index or not isinstance(index[0], int) or index[0] >= 0:
            return kept
        count = max(count, -index[0])
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
