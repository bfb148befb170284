"""Lazy choices."""

from __future__ import annotations

from engine.expression import OPS, Apply, Constant, Variable
from engine.ops.control import ifelse
from engine.ops.exponential import exp
from engine.ops.logic import eq, fill, invert, neq
from engine.ops.reductions import count
from engine.rewrite.choices import chosen_before
from engine.rewrite.phases import canonicalize
from engine.rewrite.scalars import like, number_of
from engine.rewrite.view import View
from engine.types import DISCRETE


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


@canonicalize.computed(
    ["ifelse"], example=lambda x, y: ifelse(_any(x), ifelse(_any(x), x, y), exp(y))
)
def choice_within_a_choice(node: Apply, view: View) -> Variable | None:
    """In a branch the condition is known: what it chooses there again is chosen already."""
    condition, *branches = node.inputs
    new = [
        v.owner.inputs[port] if _is_choice(v, condition) and v.owner is not None else v
        for port, v in enumerate(branches, start=1)
    ]
    if all(a is b for a, b in zip(new, branches, strict=True)):
        return None
    out = ifelse(condition, *new)
    return out if out.type == node.out.type else None


def _is_choice(v: Variable, condition: Variable) -> bool:
    return v.owner is not None and v.owner.op is ifelse and v.owner.inputs[0] is condition


@canonicalize.computed(["ifelse"], example=lambda x, y: ifelse(invert(_any(x)), x, exp(y)))
def choose_the_other_way_round(node: Apply, view: View) -> Variable | None:
    """Where something does not hold, the other branch is taken where it does."""
    condition, then, other = node.inputs
    negated = condition.owner is not None and condition.owner.op is invert
    if not negated or condition.owner is None or condition.dtype != "bool":
        return None
    return ifelse(condition.owner.inputs[0], other, then)


@canonicalize.computed(["ifelse"], example=lambda x, y: ifelse(neq(count(x), 0), x, exp(y)))
def choose_by_the_number(node: Apply, view: View) -> Variable | None:
    """A number that is not 0 is as good a condition as the comparison that says so."""
    condition, then, other = node.inputs
    compared = condition.owner
    if compared is None or compared.op not in (eq, neq):
        return None
    number, zero = compared.inputs
    if number_of(zero) != 0:
        number, zero = zero, number
    if number_of(zero) != 0 or number.ndim or number.dtype not in DISCRETE:
        return None
    return ifelse(number, *((then, other) if compared.op is neq else (other, then)))


@canonicalize.computed(["ifelse"], example=lambda x, y: ifelse(_any(x), exp(x), exp(y)))
def branch_before_computing(node: Apply, view: View) -> Variable | None:
    """What is done in both branches is done once, to what the choice gives."""
    return chosen_before(node, view)


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


def _any(x: Variable) -> Variable:
    return OPS["sum"](x) > 0


def _either(x: Variable, y: Variable) -> Variable:
    condition, zeros = _any(x), like(x, 0)
    return ifelse(condition, exp(x), zeros) + ifelse(condition, zeros, x * y)
