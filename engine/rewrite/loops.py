"""Canonicalize, continued: laws of loops and of choices, and what lies inside of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from engine.expression import OPS, Apply, Block, Constant, Variable, certain, leaves, substitute
from engine.ops.blocks import op_from_graph
from engine.ops.control import ifelse
from engine.ops.exponential import exp
from engine.ops.indexing import subtensor
from engine.ops.logic import fill
from engine.ops.loop import Loop
from engine.rewrite.canonicalize import canonicalize, like
from engine.rewrite.merge import merge
from engine.rewrite.rule import DESCENDS, DROPS_ROWS, HIDES_ERROR, Replacement
from engine.rewrite.scalars import number_of
from engine.rewrite.view import View

WITH_BLOCKS = [op.name for op in set(OPS.values()) if op.higher_order]


def _loop(x: Variable, *results: Variable, last: Variable, row: Variable) -> list[Variable]:
    """For examples: a loop over the rows of x, whose state is `last` and starts with zeros."""
    body = Block((row, last), results)
    first = OPS["zeros_like"](x[:1])
    return Loop(body, sequences=1, taps=((-1,),)).run(OPS["shape"](x)[0], [x, first])


def _row(x: Variable) -> Variable:
    return Variable(x[0].type)


@merge.computed(WITH_BLOCKS, example=lambda x: _doubled(x), tags=[DESCENDS])
def rewrite_body(node: Apply, view: View) -> Replacement:
    """What is done in every step is rewritten as all else is, once."""
    block = view.rewritten(node.params["block"])
    if block == node.params["block"]:
        return None
    return node.op.apply(node.inputs, {**node.params, "block": block}).outputs


def _doubled(x: Variable) -> Variable:
    row, last = _row(x), _row(x)
    return _loop(x, last + (exp(row) + exp(row)), last=last, row=row)[0]


@merge.computed(["op_from_graph"], example=lambda x: _inlined(x))
def open_inline_ops(node: Apply, view: View) -> Replacement:
    """An op that is declared inline is no more than its graph."""
    if not node.params["inline"] or node.op.expand is None:
        return None
    return node.op.expand(*node.inputs, **node.params)


def _inlined(x: Variable) -> Variable:
    inner = Variable(x.type)
    block = Block((inner,), (exp(inner) + inner,))
    return op_from_graph([x], block=block, inline=True)


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
    row, last, fixed = _row(x), _row(x), _row(x)
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
    row, again, last = _row(x), _row(x), _row(x)
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
    row, last = _row(x), _row(x)
    return _loop(x, last + row, row * row, last=last, row=row)


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


# Choices


@canonicalize.computed(["ifelse"], example=lambda x: ifelse(Constant(1), x, exp(x)))
def choose_at_once(node: Apply, view: View) -> Variable | None:
    """Where the condition is known, or both branches are the same, nothing is left to choose."""
    condition, then, other = node.inputs
    number = number_of(condition)
    if number is not None:
        chosen = then if number else other
    elif then is other:
        chosen = then
    else:
        return None
    return chosen if chosen.broadcastable == node.out.broadcastable else None


@canonicalize.computed(["add"], example=lambda x, y: _either(x, y))
def add_choices(node: Apply, view: View) -> Variable | None:
    """Of one choice with nothing else and another with nothing first, one choice is left."""
    choices = [v.owner for v in node.inputs if v.owner is not None and v.owner.op is ifelse]
    if len(choices) < 2 or any(view.is_shared(v) for v in node.inputs):
        return None
    (condition, *first), (same, *second) = (c.inputs for c in choices)
    if condition is not same:
        return None
    branches = [b if _is_zero(a) else a for a, b in zip(first, second, strict=True)]
    if not all(_is_zero(a) or _is_zero(b) for a, b in zip(first, second, strict=True)):
        return None
    out = ifelse(condition, *branches)
    return out if out.broadcastable == node.out.broadcastable else None


def _is_zero(v: Variable) -> bool:
    number = number_of(v.owner.inputs[1] if v.owner is not None and v.owner.op is fill else v)
    return number is not None and number == 0


def _either(x: Variable, y: Variable) -> Variable:
    condition, zeros = OPS["sum"](x) > 0, like(x, 0)
    return ifelse(condition, exp(x), zeros) + ifelse(condition, zeros, x * y)
