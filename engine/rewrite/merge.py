"""Merge: equal parts become one, and what depends on constants only is computed at once."""

from __future__ import annotations

import numpy as np

from engine.errors import EngineError
from engine.expression import Apply, Constant
from engine.rewrite.rule import Phase, Replacement
from engine.rewrite.view import View

merge = Phase("merge", "Equal parts become one; constants are computed.")

LARGEST = 4096
"""Elements of a folded constant; a larger one is cheaper to compute than to keep."""


@merge.computed(None, example=lambda x, y: x / y + y / x * (x / y))
def merge_equal_nodes(node: Apply, view: View) -> Replacement:
    """The same op on the same inputs gives the same result: once is enough."""
    twin = view.twin(node)
    if twin is None:
        return None
    return twin.out if len(twin.outputs) == 1 else twin.outputs


@merge.computed(None, example=lambda x: x + (Constant(2.5) - Constant(1.25)))
def fold_constants(node: Apply, view: View) -> Replacement:
    """What depends on constants only never changes: it is computed now, not in every run."""
    op = node.op
    if op.lazy is not None or op.higher_order or op.numpy is None or not node.inputs:
        return None
    values = [v.data for v in node.inputs if isinstance(v, Constant)]
    if len(values) < len(node.inputs):
        return None
    room = max(16, sum(v.size for v in values))
    lengths = [n for out in node.outputs for n in out.type.shape]
    if None not in lengths and np.prod([n or 0 for n in lengths]) > min(room, LARGEST):
        return None
    try:
        with np.errstate(all="ignore"):
            results = op.evaluate(*values, **node.params)
    except EngineError:
        # The mistake is the user's; it is reported where the graph is run.
        return None
    results = results if isinstance(results, tuple) else (results,)
    if sum(np.size(r) for r in results) > min(room, LARGEST):
        return None
    folded = [Constant(r, v.dtype) for r, v in zip(results, node.outputs, strict=True)]
    return folded if len(folded) > 1 else folded[0]
