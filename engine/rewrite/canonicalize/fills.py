"""What is the same everywhere."""

from __future__ import annotations

from engine.expression import Apply, Variable
from engine.ops.creation import alloc, full
from engine.ops.logic import cast, fill
from engine.ops.reductions import sum
from engine.ops.shape import shape
from engine.rewrite.phases import ELEMENTWISE, canonicalize
from engine.rewrite.rule import HIDES_ERROR
from engine.rewrite.scalars import constant
from engine.rewrite.shapes import made_of
from engine.rewrite.view import View


@canonicalize.computed(["fill"], example=lambda x, y: fill(x, x * y), tags=[HIDES_ERROR])
def fill_of_same_shape(node: Apply, view: View) -> Variable | None:
    """A value that has the model's shape already need not be stretched to it."""
    model, value = node.inputs
    return value if view.lengths.covers(value, model) else None


@canonicalize.computed(
    ELEMENTWISE,
    below=["fill"],
    example=lambda x: x * fill(x, constant(3, x.dtype)),
    tags=[HIDES_ERROR],
)
def compute_before_filling(node: Apply, view: View) -> Variable | None:
    """What is the same everywhere is computed once and stretched afterwards, or not at all."""
    for i, v in enumerate(node.inputs):
        if v.owner is None or v.owner.op is not fill or (node.op is fill and i == 0):
            continue
        model, value = v.owner.inputs
        inputs = [*node.inputs[:i], value, *node.inputs[i + 1 :]]
        inner = node.op.apply(inputs, node.params).out
        return inner if view.lengths.covers(inner, model) else fill(model, inner)
    return None


@canonicalize.computed(["cast"], example=lambda x, y: cast(fill(x, sum(y)), "float32"))
def cast_before_filling(node: Apply, view: View) -> Variable | None:
    """What is the same everywhere is cast once and stretched afterwards."""
    filled = node.inputs[0].owner
    if filled is None or filled.op is not fill:
        return None
    model, value = filled.inputs
    return fill(model, cast(value, node.params["dtype"]))


@canonicalize.computed(["fill"], example=lambda x, y: fill(alloc(0.0, 3, shape(x)[0]), sum(y)))
def fill_what_is_made(node: Apply, view: View) -> Variable | None:
    """What is filled once more can be made with the last value."""
    made, value = node.inputs
    lengths = _lengths_made(made)
    if lengths is None or made.broadcastable != node.out.broadcastable:
        return None
    return made_of(value, lengths)


def _lengths_made(v: Variable) -> list[Variable] | None:
    """The lengths with which a tensor was made of one value."""
    if v.owner is None or v.owner.op not in (alloc, full):
        return None
    if v.owner.op is full:
        return [constant(n, "int64") for n in v.owner.params["shape"]]
    return list(v.owner.inputs[1:])


@canonicalize.computed(
    ["alloc"], example=lambda x: alloc(x, shape(x)[0], shape(x)[1]), tags=[HIDES_ERROR]
)
def make_of_same_shape(node: Apply, view: View) -> Variable | None:
    """A value that has the shape already need not be stretched to it."""
    value = node.inputs[0]
    alike = value.broadcastable == node.out.broadcastable
    return value if alike and view.lengths.covers(value, node.out) else None


@canonicalize.computed(
    ["alloc", "full"],
    example=lambda x: alloc(fill(x, sum(x)), shape(x)[0], shape(x)[1]),
    tags=[HIDES_ERROR],
)
def make_once(node: Apply, view: View) -> Variable | None:
    """What is the same everywhere is stretched once."""
    filled = node.inputs[0].owner
    if filled is None or filled.op not in (fill, alloc, full):
        return None
    value = filled.inputs[1 if filled.op is fill else 0]
    return node.op.apply([value, *node.inputs[1:]], node.params).out


@canonicalize.computed(
    [*ELEMENTWISE, "cast"],
    example=lambda x, y: x * alloc(sum(y), shape(x)[0], shape(x)[1]),
    tags=[HIDES_ERROR],
)
def compute_before_making(node: Apply, view: View) -> Variable | None:
    """What is the same everywhere is computed once and stretched afterwards, or not at all."""
    for i, v in enumerate(node.inputs):
        lengths = None if node.op is fill and i == 0 else _lengths_made(v)
        if lengths is None or v.owner is None or v.broadcastable != node.out.broadcastable:
            continue
        inputs = [*node.inputs[:i], v.owner.inputs[0], *node.inputs[i + 1 :]]
        inner = node.op.apply(inputs, node.params).out
        if inner.ndim == node.out.ndim and view.lengths.covers(inner, node.out):
            return inner
        return made_of(inner, lengths)
    return None
