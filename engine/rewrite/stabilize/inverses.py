"""What is done and undone again."""

from __future__ import annotations

from engine.expression import Variable
from engine.ops.trigonometry import arcsinh, arctanh, sinh, tanh
from engine.rewrite.pattern import Sides
from engine.rewrite.phases import stabilize


@stabilize
def arcsinh_of_sinh(x: Variable) -> Sides:
    """sinh(x) overflows above 710; x does not."""
    return arcsinh(sinh(x)), x


@stabilize
def arctanh_of_tanh(x: Variable) -> Sides:
    """tanh(x) is 1 for all large x, from which x is not found again."""
    return arctanh(tanh(x)), x
