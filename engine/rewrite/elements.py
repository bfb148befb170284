"""What is computed on each element of one tensor, whatever order or shape these have."""

from __future__ import annotations

from collections.abc import Sequence

from engine.expression import Apply, Variable
from engine.ops.logic import fill
from engine.rewrite.shapes import shape_source
from engine.rewrite.view import View


def origin_of(v: Variable, view: View) -> tuple[Variable, list[Apply]]:
    """The tensor on whose elements v is computed, and how, the last apply first.

    All that is computed on the way is read nowhere else, and of the shape of v.
    """
    chain: list[Apply] = []
    while v.owner is not None and v.owner.op.is_elementwise and not view.is_shared(v):
        tensors = [x for x in v.owner.inputs if x.ndim]
        if len(tensors) != 1 or tensors[0].broadcastable != v.broadcastable:
            break
        chain.append(v.owner)
        is_model = v.owner.op is fill and tensors[0] is v.owner.inputs[0]
        v = shape_source(tensors[0], view) if is_model else tensors[0]
    return v, chain


def computed_on(v: Variable, chain: Sequence[Apply]) -> Variable:
    """The same computed on the elements of v, which may be in another order or shape."""
    for node in reversed(chain):
        v = node.op.apply([v if x.ndim else x for x in node.inputs], node.params).out
    return v
