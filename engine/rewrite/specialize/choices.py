"""Choices that cost less."""

from __future__ import annotations

from engine.expression import Apply, Variable
from engine.ops.arithmetic import maximum, minimum
from engine.ops.exponential import exp
from engine.ops.logic import cast, clip, gt, switch
from engine.rewrite.choices import chosen_before
from engine.rewrite.phases import specialize
from engine.rewrite.scalars import number_of
from engine.rewrite.view import View


@specialize.computed(["switch"], below=["constant"], example=lambda x: switch(gt(x, 0), 1.0, 0.0))
def choose_one_or_zero(node: Apply, view: View) -> Variable | None:
    """A truth value is the number 1 or 0."""
    condition, then, other = node.inputs
    if condition.dtype != "bool" or (number_of(then), number_of(other)) != (1, 0):
        return None
    return cast(condition, node.out.dtype)


@specialize.computed(["switch"], example=lambda x, y: switch(gt(x, y), exp(x), exp(y)))
def choose_before_computing(node: Apply, view: View) -> Variable | None:
    """Where the same is done to either choice, it is done once, to what is chosen."""
    return chosen_before(node, view)


@specialize.computed(
    ["minimum", "maximum"], below=["constant"], example=lambda x: minimum(maximum(x, 1), 2)
)
def clip_between_numbers(node: Apply, view: View) -> Variable | None:
    """What is bounded on both sides is clipped, in one step."""
    for v, end in (node.inputs, node.inputs[::-1]):
        inner = v.owner
        if inner is None or inner.op not in {minimum, maximum} or inner.op is node.op:
            continue
        if v.dtype != node.out.dtype or view.is_shared(v):
            continue
        for x, start in (inner.inputs, inner.inputs[::-1]):
            low, high = (start, end) if node.op is minimum else (end, start)
            least, most = number_of(low), number_of(high)
            if least is not None and most is not None and least.real <= most.real:
                return clip(x, low, high)
    return None
