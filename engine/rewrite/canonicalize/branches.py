"""Lazy choices."""

from __future__ import annotations

from engine.expression import OPS, Apply, Constant, Variable
from engine.ops.control import ifelse
from engine.ops.exponential import exp
from engine.ops.logic import fill
from engine.rewrite.phases import canonicalize
from engine.rewrite.scalars import like, number_of
from engine.rewrite.view import View


@canonicalize.computed(["ifelse"], example=lambda x: ifelse(Constant(1), x, exp(x)))
def choose_at_once(node: Apply, view: View) -> Variable | None:
    """Where the condition is known, or both branches are the same, nothing is left to choose."""
    condition, then, other = node.inputs
    number = number_of(condition)
    if number is not None:
        chosen = then if number else other
    elif then is other:
        chosen = then
    else:
        return None
    return chosen if chosen.broadcastable == node.out.broadcastable else None


@canonicalize.computed(["add"], example=lambda x, y: _either(x, y))
def add_choices(node: Apply, view: View) -> Variable | None:
    """Of one choice with nothing else and another with nothing first, one choice is left."""
    choices = [v.owner for v in node.inputs if v.owner is not None and v.owner.op is ifelse]
    if len(choices) < 2 or any(view.is_shared(v) for v in node.inputs):
        return None
    (condition, *first), (same, *second) = (c.inputs for c in choices)
    if condition is not same:
        return None
    branches = [b if _is_zero(a) else a for a, b in zip(first, second, strict=True)]
    if not all(_is_zero(a) or _is_zero(b) for a, b in zip(first, second, strict=True)):
        return None
    out = ifelse(condition, *branches)
    return out if out.broadcastable == node.out.broadcastable else None


def _is_zero(v: Variable) -> bool:
    number = number_of(v.owner.inputs[1] if v.owner is not None and v.owner.op is fill else v)
    return number is not None and number == 0


def _either(x: Variable, y: Variable) -> Variable:
    condition, zeros = OPS["sum"](x) > 0, like(x, 0)
    return ifelse(condition, exp(x), zeros) + ifelse(condition, zeros, x * y)
