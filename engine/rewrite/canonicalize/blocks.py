"""Graphs that are one op: what goes in and what comes out."""

from __future__ import annotations

from engine.expression import OPS, Apply, Block, Constant, Variable, leaves, substitute
from engine.ops.blocks import op_from_graph
from engine.ops.exponential import exp
from engine.rewrite.phases import canonicalize
from engine.rewrite.rule import HIDES_ERROR, Replacement
from engine.rewrite.view import View

BLOCKS = ("op_from_graph", "checkpoint")


@canonicalize.computed(BLOCKS, example=lambda x, y: _block([x, y])[0], tags=[HIDES_ERROR])
def drop_unread_parts_of_a_block(node: Apply, view: View) -> Replacement:
    """What nobody reads of a graph that is one op is not computed, nor what only that needs."""
    if node.params.get("gradient") is not None:
        return None
    block: Block = node.params["block"]
    read = [i for i, v in enumerate(node.outputs) if view.readers(v)]
    outputs = [block.outputs[i] for i in read]
    used = set(leaves(outputs))
    inputs = {v: x for v, x in zip(block.inputs, node.inputs, strict=True) if v in used}
    if not read or (len(read), len(inputs)) == (len(node.outputs), len(node.inputs)):
        return None
    params = {**node.params, "block": Block(tuple(inputs), tuple(outputs))}
    new = dict(zip(read, node.op.apply(list(inputs.values()), params).outputs, strict=True))
    return [new.get(i, v) for i, v in enumerate(node.outputs)]


@canonicalize.computed(BLOCKS, example=lambda x: _block([x, x])[1])
def give_a_block_once(node: Apply, view: View) -> Replacement:
    """A graph that is given the same thing twice reads it once; constants it knows by itself."""
    if node.params.get("gradient") is not None:
        return None
    block: Block = node.params["block"]
    first: dict[Variable, Variable] = {}
    known: dict[Variable, Variable] = {}
    for v, x in zip(block.inputs, node.inputs, strict=True):
        same = x if isinstance(x, Constant) else first.setdefault(x, v)
        if same is not v and same.broadcastable == v.broadcastable:
            known[v] = same
    if not known:
        return None
    inputs = {v: x for v, x in zip(block.inputs, node.inputs, strict=True) if v not in known}
    smaller = Block(tuple(inputs), tuple(substitute(block.outputs, known)))
    return node.op.apply(list(inputs.values()), {**node.params, "block": smaller}).outputs


def _block(inputs: list[Variable]) -> list[Variable]:
    x, y = (Variable(v.type) for v in inputs)
    return op_from_graph.each(inputs, block=Block((x, y), (exp(x), OPS["mul"](x, y))))
