"""The same elements in other shapes."""

from __future__ import annotations

from engine.expression import Apply, Variable
from engine.ops.axes import dimshuffle
from engine.ops.exponential import exp
from engine.ops.logic import fill
from engine.ops.reductions import sum
from engine.ops.shape import reshape, reshape_like, reshape_to, shape
from engine.rewrite.elements import computed_on, origin_of
from engine.rewrite.phases import canonicalize
from engine.rewrite.rule import HIDES_ERROR, Given
from engine.rewrite.scalars import constant, number_of
from engine.rewrite.shapes import lengths_of_result, made_of
from engine.rewrite.view import View

RESHAPES = ("reshape", "reshape_to", "reshape_like")


@canonicalize.computed(
    RESHAPES, example=lambda x: reshape(reshape_to(x, [shape(x)[1], -1]), (-1,)), tags=[HIDES_ERROR]
)
def reshape_once(node: Apply, view: View) -> Variable | None:
    """Only the last shape counts."""
    inner = node.inputs[0].owner
    if inner is None or not (inner.op.name in RESHAPES or _keeps_order(inner)):
        return None
    return node.op.apply([inner.inputs[0], *node.inputs[1:]], node.params).out


def _keeps_order(node: Apply) -> bool:
    """Whether an order of axes only adds or drops some of length 1."""
    if node.op is not dimshuffle:
        return False
    kept = [p for p in node.params["pattern"] if p is not None]
    return kept == sorted(kept)


@canonicalize.computed(
    RESHAPES, example=lambda x: reshape_to(x, [-1, shape(x)[1]]), tags=[HIDES_ERROR]
)
def reshape_by_axes(node: Apply, view: View) -> Variable | None:
    """A shape that differs in axes of length 1 only needs no more than an order of axes."""
    x, out = node.inputs[0], node.out
    before, after = _long_axes(x), _long_axes(out)
    if len(before) != len(after):
        return None
    old, new = view.lengths.of(x), view.lengths.of(out)
    differ = [b for a, b in zip(before, after, strict=True) if old[a] != new[b]]
    # If all lengths but one are the same, so is the last one.
    if len(differ) > 1 or (differ and not _is_worked_out(node, differ[0])):
        return None
    if x.broadcastable == out.broadcastable:
        return x
    places = dict(zip(after, before, strict=True))
    return dimshuffle(x, tuple(places.get(i) for i in range(out.ndim)))


def _long_axes(v: Variable) -> list[int]:
    return [i for i, stretches in enumerate(v.broadcastable) if not stretches]


def _is_worked_out(node: Apply, axis: int) -> bool:
    """Whether the length of the axis follows from the others."""
    if node.op is reshape:
        return bool(node.params["shape"][axis] == -1)
    return node.op is reshape_to and number_of(node.inputs[1 + axis]) == -1


@canonicalize.computed(
    ["reshape_to"],
    example=lambda x: reshape_to.apply([x, constant(6, "int64"), constant(-1, "int64")], {}).out,
    given={"x": Given((4, 3))},
)
def reshape_to_numbers(node: Apply, view: View) -> Variable | None:
    """A shape of numbers is known before anything is computed."""
    x, *lengths = node.inputs
    known = [n for n in map(number_of, lengths) if isinstance(n, int)]
    return reshape.apply([x], {"shape": tuple(known)}).out if len(known) == len(lengths) else None


@canonicalize.computed(RESHAPES, example=lambda x: reshape(exp(x), (-1,)))
def reshape_first(node: Apply, view: View) -> Variable | None:
    """A shape is changed before anything is computed: then it can meet its origin."""
    x, *others = node.inputs
    origin, chain = origin_of(x, view)
    if not chain or _has_to_be_copied(origin):
        return None
    return computed_on(node.op.apply([origin, *others], node.params).out, chain)


def _has_to_be_copied(v: Variable) -> bool:
    """Whether the elements are not in a row, so that what is computed on them is put in one."""
    order = v.owner
    return order is not None and order.op.view is not None and not _keeps_order(order)


@canonicalize.computed(
    RESHAPES, example=lambda x, y: reshape_like(fill(x, sum(y)), x * y), tags=[HIDES_ERROR]
)
def fill_in_shape(node: Apply, view: View) -> Variable | None:
    """What is the same everywhere is so in any shape."""
    filled, *others = node.inputs
    value = _value_of_filled(filled)
    if value is None:
        return None
    if node.op is reshape_like:
        return fill(others[0], value)
    lengths = lengths_of_result(node.out, range(node.out.ndim), view)
    return None if lengths is None else made_of(value, lengths)


def _value_of_filled(v: Variable) -> Variable | None:
    """The number that is everywhere in v."""
    if v.owner is None or v.owner.op.name not in {"fill", "alloc", "full"}:
        return None
    value = v.owner.inputs[1 if v.owner.op is fill else 0]
    return value if value.ndim == 0 else None
