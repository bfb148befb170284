"""Products, quotients and signs."""

from __future__ import annotations

import math

from engine.expression import Apply, Variable
from engine.ops.arithmetic import inv, sqr
from engine.rewrite.pattern import Sides
from engine.rewrite.phases import specialize
from engine.rewrite.scalars import constant, number_of
from engine.rewrite.view import View
from engine.types import COMPLEX, FLOATS, INTEGERS


@specialize(only=FLOATS | COMPLEX, domain=(0.5, 3.0))
def one_over(x: Variable) -> Sides:
    """One over x is an op with one input."""
    return 1 / x, inv(x)


@specialize(only=FLOATS | INTEGERS)
def multiply_by_itself(x: Variable) -> Sides:
    """A square reads x once."""
    return x * x, sqr(x)


@specialize(only=FLOATS | INTEGERS)
def multiply_by_minus_one(x: Variable) -> Sides:
    """Turning the sign is cheaper than a product."""
    return x * -1, -x


@specialize(only=FLOATS)
def divide_by_minus_one(x: Variable) -> Sides:
    """Turning the sign is cheaper than a quotient."""
    return x / -1, -x


@specialize.computed(["true_div"], example=lambda x: x / 4)
def divide_by_power_of_two(node: Apply, view: View) -> Variable | None:
    """A product is cheaper than a quotient, and just as exact where the divisor is a power of 2."""
    x, y = node.inputs
    divisor = number_of(y)
    if node.out.dtype not in FLOATS - {"float16"} or x.dtype != node.out.dtype:
        return None
    if not isinstance(divisor, float | int) or not divisor or not -1024 <= divisor <= 1024:
        return None
    mantissa, _ = math.frexp(divisor)
    return x * constant(1 / divisor, node.out.dtype) if abs(mantissa) == 0.5 else None
