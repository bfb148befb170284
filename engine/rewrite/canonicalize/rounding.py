"""Whole numbers of others."""

from __future__ import annotations

from engine.expression import Apply, Variable
from engine.makers import cast_to
from engine.ops.rounding import floor
from engine.rewrite.phases import canonicalize
from engine.rewrite.view import View
from engine.types import DISCRETE

ROUNDING = ("floor", "ceil", "trunc", "round_half_to_even", "round_half_away_from_zero")


@canonicalize.computed(ROUNDING, example=lambda x: floor(floor(x)))
def round_what_is_whole(node: Apply, view: View) -> Variable | None:
    """A whole number is rounded to itself."""
    (x,) = node.inputs
    rounded = x.owner is not None and x.owner.op.name in ROUNDING
    return cast_to(x, node.out.dtype) if rounded or x.dtype in DISCRETE else None
