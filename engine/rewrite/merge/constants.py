"""What depends on constants only is computed at once."""

from __future__ import annotations

import numpy as np

from engine.errors import EngineError
from engine.expression import Apply, Constant
from engine.rewrite.phases import merge
from engine.rewrite.rule import Replacement
from engine.rewrite.view import View

LARGEST = 4096
"""Elements of a folded constant; a larger one is cheaper to compute than to keep."""


@merge.computed(None, below=["constant"], example=lambda x: x + (Constant(2.5) - Constant(1.25)))
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
