"""Sigmoids."""

from __future__ import annotations

from engine.expression import Variable
from engine.ops.activations import sigmoid, softplus
from engine.ops.exponential import exp
from engine.rewrite.pattern import Sides
from engine.rewrite.phases import specialize
from engine.types import FLOATS


@specialize(only=FLOATS)
def exp_of_minus_softplus(x: Variable) -> Sides:
    """The exponential of a log-sigmoid is the sigmoid itself."""
    return exp(-softplus(x)), sigmoid(-x)
