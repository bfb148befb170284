"""Parts, read and changed by index."""

from __future__ import annotations

from engine.expression import Apply, Variable
from engine.ops.changing import assign_at
from engine.ops.index import REST, WHOLE, WIRED
from engine.ops.indexing import subtensor
from engine.ops.logic import cast, gt, switch
from engine.ops.reductions import sum
from engine.rewrite.phases import canonicalize
from engine.rewrite.rule import HIDES_ERROR
from engine.rewrite.view import View


@canonicalize.computed(["subtensor"], example=lambda x: subtensor(x, [], ()))
def part_that_is_all(node: Apply, view: View) -> Variable | None:
    """The part that leaves nothing out is the tensor itself."""
    whole = all(entry in (WHOLE, REST) for entry in node.params["index"])
    return node.inputs[0] if whole else None


@canonicalize.computed(
    ["assign_at"],
    example=lambda x: assign_at(x, sum(x), [gt(x, 0)], (WIRED,)),
    tags=[HIDES_ERROR],
)
def assign_by_choosing(node: Apply, view: View) -> Variable | None:
    """A number put where a mask holds is a choice for each element, which needs no places."""
    x, value, *given = node.inputs
    if node.params["index"] != (WIRED,) or given[0].dtype != "bool" or value.ndim:
        return None
    (mask,) = given
    if mask.broadcastable != x.broadcastable:  # it has fewer axes, or stretches where x does not
        return None
    return switch(mask, cast(value, x.dtype), x)
