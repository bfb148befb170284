"""What lies inside of an op."""

from __future__ import annotations

from engine.expression import OPS, Apply, Block, Variable
from engine.ops.blocks import op_from_graph
from engine.ops.exponential import exp
from engine.rewrite.examples import loop, row_of
from engine.rewrite.phases import merge
from engine.rewrite.rule import DESCENDS, Replacement
from engine.rewrite.view import View

WITH_BLOCKS = [op.name for op in set(OPS.values()) if op.higher_order]


@merge.computed(WITH_BLOCKS, example=lambda x: _doubled(x), tags=[DESCENDS])
def rewrite_body(node: Apply, view: View) -> Replacement:
    """What is done in every step is rewritten as all else is, once."""
    block = view.rewritten(node.params["block"])
    if block == node.params["block"]:
        return None
    return node.op.apply(node.inputs, {**node.params, "block": block}).outputs


def _doubled(x: Variable) -> Variable:
    row, last = row_of(x), row_of(x)
    return loop(x, last + (exp(row) + exp(row)), last=last, row=row)[0]


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
