"""Choices between values, and what compares them."""

from __future__ import annotations

from engine.expression import Apply, Variable
from engine.ops.arithmetic import maximum, minimum
from engine.ops.logic import fill, switch
from engine.rewrite.pattern import Sides
from engine.rewrite.phases import canonicalize
from engine.rewrite.rule import HIDES_ERROR
from engine.rewrite.scalars import number_of
from engine.rewrite.view import View
from engine.types import DTYPES


@canonicalize
def maximum_of_itself(x: Variable) -> Sides:
    """There is nothing to choose."""
    return maximum(x, x), x


@canonicalize
def minimum_of_itself(x: Variable) -> Sides:
    """There is nothing to choose."""
    return minimum(x, x), x


@canonicalize.computed(["switch"], example=lambda x, y: switch(1, x, y), tags=[HIDES_ERROR])
def choose_once(node: Apply, view: View) -> Variable | None:
    """If the condition is a constant, so is the choice."""
    condition, then, other = node.inputs
    number = number_of(condition)
    if number is None:
        return None
    chosen = then if number else other
    return chosen if view.lengths.covers(chosen, node.out) else fill(node.out, chosen)


@canonicalize(tags=[HIDES_ERROR], only=frozenset(DTYPES))
def choose_between_equals(condition: Variable, x: Variable) -> Sides:
    """If both choices are the same there is none."""
    return switch(condition, x, x), fill(condition, x)
