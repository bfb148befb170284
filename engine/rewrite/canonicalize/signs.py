"""Signs and sizes."""

from __future__ import annotations

from engine.expression import Variable
from engine.ops.arithmetic import abs, neg, sqr, sqrt
from engine.rewrite.pattern import Sides
from engine.rewrite.phases import SIGNED, canonicalize
from engine.types import FLOATS


@canonicalize
def negate_twice(x: Variable) -> Sides:
    """Turned twice, a sign is as before."""
    return neg(neg(x)), x


@canonicalize(only=SIGNED)
def absolute_of_negative(x: Variable) -> Sides:
    """The size of a number does not depend on its sign."""
    return abs(-x), abs(x)


@canonicalize
def absolute_twice(x: Variable) -> Sides:
    """A size is its own size."""
    return abs(abs(x)), abs(x)


@canonicalize
def square_of_negative(x: Variable) -> Sides:
    """A square does not depend on the sign."""
    return sqr(-x), sqr(x)


@canonicalize(only=FLOATS)
def square_of_absolute(x: Variable) -> Sides:
    """A square does not depend on the sign."""
    return sqr(abs(x)), sqr(x)


@canonicalize(only=FLOATS)
def root_of_square(x: Variable) -> Sides:
    """The root of x² is the size of x, also where x² overflows."""
    return sqrt(sqr(x)), abs(x)
