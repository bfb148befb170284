"""Powers that are cheap."""

from __future__ import annotations

from engine.expression import Apply, Variable
from engine.ops.arithmetic import inv, mul, pow, sqr
from engine.ops.exponential import exp2
from engine.rewrite.pattern import Sides
from engine.rewrite.phases import specialize
from engine.rewrite.scalars import number_of
from engine.rewrite.view import View
from engine.types import FLOATS, INTEGERS

LARGEST = 64
"""The largest power that is multiplied out, in at most ten products."""


@specialize.computed(["pow"], below=["constant"], example=lambda x: x**7)
def multiply_out_power(node: Apply, view: View) -> Variable | None:
    """A whole power takes a few products: x to the 7 is x x² x⁴."""
    x, y = node.inputs
    power = number_of(y)
    if x.dtype != node.out.dtype or power is None or isinstance(power, complex):
        return None
    if power != int(power) or not 3 <= abs(power) <= LARGEST:
        return None
    if x.dtype not in INTEGERS | EXACT_ENOUGH or (power < 0 and x.dtype in INTEGERS):
        return None
    out, square, left = None, x, int(abs(power))
    while left:
        if left % 2:
            out = square if out is None else mul(out, square)
        left //= 2
        square = sqr(square) if left else square
    return inv(out) if power < 0 and out is not None else out


EXACT_ENOUGH = FLOATS - {"float16"}
"""Where the rounding of ten products does not matter."""


@specialize(only=FLOATS)
def power_of_two(x: Variable) -> Sides:
    """A power of 2 has an instruction of its own."""
    return pow(2, x), exp2(x)
