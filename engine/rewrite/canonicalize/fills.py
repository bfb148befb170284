"""What is the same everywhere."""

from __future__ import annotations

from engine.expression import OPS, Apply, Variable
from engine.ops.logic import cast, fill
from engine.ops.reductions import sum
from engine.rewrite.phases import ELEMENTWISE, canonicalize
from engine.rewrite.rule import HIDES_ERROR
from engine.rewrite.scalars import constant
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


@canonicalize.computed(
    [op.name for op in set(OPS.values()) if op.from_shape] + ["fill"],
    example=lambda x, y: fill(x * y, sum(y)),
    tags=[HIDES_ERROR],
)
def shape_without_computing(node: Apply, view: View) -> Variable | None:
    """Where only the shape counts, any tensor of that shape will do."""
    model, *others = node.inputs
    model = shape_source(model, view)
    return None if model is node.inputs[0] else node.op.apply([model, *others], node.params).out


def shape_source(v: Variable, view: View) -> Variable:
    """The variable that v has its shape from, down through all that is elementwise."""
    while v.owner is not None and (v.owner.op.is_elementwise or v.owner.op is cast):
        alike = [x for x in v.owner.inputs if x.broadcastable == v.broadcastable]
        same = next((x for x in alike if view.lengths.covers(x, v)), None)
        if same is None:
            break
        v = same
    return v
