"""Logarithms of sums of exponentials over axes."""

from __future__ import annotations

from engine.expression import Apply, Variable
from engine.makers import restore_axes
from engine.ops.statistics import logsumexp
from engine.rewrite.phases import canonicalize
from engine.rewrite.view import View


@canonicalize.computed(["dimshuffle"], example=lambda x: logsumexp(x, axis=1).dimshuffle(0, "x"))
def keep_axes_of_logsumexp(node: Apply, view: View) -> Variable | None:
    """An axis that is folded away and put back with length 1 can be kept at once."""
    folded = node.inputs[0].owner
    if folded is None or folded.op is not logsumexp or folded.params["keepdims"]:
        return None
    x = folded.inputs[0]
    restored = restore_axes(folded.out, x, folded.params["axis"], False).owner
    if restored is None or restored.params != node.params:
        return None
    return logsumexp.apply([x], {**folded.params, "keepdims": True}).out
