"""Choices between values."""

from __future__ import annotations

import numpy as np

from engine.expression import Apply, Constant, Variable
from engine.ops.arithmetic import abs
from engine.ops.exponential import exp
from engine.ops.logic import and_, fill, ge, gt, invert, or_, switch
from engine.rewrite.pattern import Sides
from engine.rewrite.phases import ELEMENTWISE, canonicalize
from engine.rewrite.rule import HIDES_ERROR, Given
from engine.rewrite.scalars import constant, number_of
from engine.rewrite.view import View
from engine.types import DTYPES

MASK = Given((3, 4), "bool", draw=lambda rng: rng.random((3, 4)) < 0.5)


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


@canonicalize(
    only=frozenset(DTYPES),
    given={"condition": MASK},
    when=lambda condition: condition.dtype == "bool",
)
def choose_by_inverse(condition: Variable, x: Variable, y: Variable) -> Sides:
    """A choice by what does not hold is the choice turned around."""
    return switch(invert(condition), x, y), switch(condition, y, x)


@canonicalize(only=frozenset(DTYPES), tags=[HIDES_ERROR])
def choose_again_within_first(condition: Variable, x: Variable, y: Variable, z: Variable) -> Sides:
    """Where the condition holds it need not be asked again."""
    return switch(condition, switch(condition, x, y), z), switch(condition, x, z)


@canonicalize(only=frozenset(DTYPES), tags=[HIDES_ERROR])
def choose_again_within_second(condition: Variable, x: Variable, y: Variable, z: Variable) -> Sides:
    """Where the condition does not hold it need not be asked again."""
    return switch(condition, x, switch(condition, y, z)), switch(condition, x, z)


@canonicalize(
    only=frozenset(DTYPES),
    given={"condition": MASK, "other": MASK},
    when=lambda condition, other: condition.dtype == other.dtype == "bool",
)
def choose_one_of_two_at_once(
    condition: Variable, other: Variable, x: Variable, y: Variable
) -> Sides:
    """x only where both conditions hold: they are one condition."""
    return switch(condition, switch(other, x, y), y), switch(and_(condition, other), x, y)


@canonicalize.computed(["switch"], example=lambda x, y: switch(x, y, False), dtype="bool")
def choose_truth(node: Apply, view: View) -> Variable | None:
    """A choice between truth values is and, or, not."""
    condition, then, other = node.inputs
    if any(v.dtype != "bool" for v in node.inputs):
        return None
    match number_of(then), number_of(other):
        case 1, 0:
            return condition
        case 0, 1:
            return invert(condition)
        case _, 0:
            return and_(condition, then)
        case 1, _:
            return or_(condition, other)
        case _:
            return None


@canonicalize(only=frozenset(DTYPES))
def add_chosen(condition: Variable, x: Variable, y: Variable) -> Sides:
    """Of one choice with nothing else and another with nothing first, one choice is left."""
    return switch(condition, x, 0) + switch(condition, 0, y), switch(condition, x, y)


@canonicalize.computed(
    ELEMENTWISE, below=["switch"], example=lambda x, y: exp(switch(gt(x, y), 1.0, 2.0))
)
def compute_both_choices(node: Apply, view: View) -> Variable | None:
    """What follows from a choice between numbers is a choice between what follows from them."""
    if node.op is switch or any(number_of(v) is None for v in node.inputs if v.owner is None):
        return None
    chosen = [v for v in node.inputs if v.owner is not None]
    if len(chosen) != 1 or chosen[0].owner is None or chosen[0].owner.op is not switch:
        return None
    if view.is_shared(chosen[0]):
        return None
    condition, *branches = chosen[0].owner.inputs
    results = []
    for branch in branches:
        number = number_of(branch)
        if number is None:
            return None
        value = constant(number, chosen[0].dtype)
        values = [value if v is chosen[0] else v for v in node.inputs]
        with np.errstate(all="ignore"):
            found = node.op.evaluate(*(v.data for v in values if isinstance(v, Constant)))
        if np.size(found) != 1:
            return None
        results.append(Constant(np.reshape(found, ()), node.out.dtype))
    return switch(condition, *results)


@canonicalize.computed(
    ["switch"], example=lambda x: switch(ge(abs(x), 0), abs(x), np.array(np.nan))
)
def choose_what_is_in_range(node: Apply, view: View) -> Variable | None:
    """NaN in place of what is too small is not needed where nothing is; NaN itself stays."""
    condition, then, other = node.inputs
    compared = condition.owner
    if compared is None or compared.op is not ge or compared.inputs[0] is not then:
        return None
    number, nan = number_of(compared.inputs[1]), isinstance(other, Constant) and other.data
    if number is None or isinstance(number, complex) or not np.isnan(nan).all():
        return None
    return then if view.ranges.of(then).low >= number else None
