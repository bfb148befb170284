"""Powers."""

from __future__ import annotations

from engine.expression import Variable
from engine.ops.arithmetic import inv, pow, sqr, sqrt
from engine.rewrite.pattern import Sides
from engine.rewrite.phases import canonicalize
from engine.rewrite.scalars import like
from engine.types import FLOATS


@canonicalize
def power_zero(x: Variable) -> Sides:
    """Anything to the power of zero is one, also zero and NaN."""
    return x**0, like(x, 1)


@canonicalize
def power_one(x: Variable) -> Sides:
    """The first power is the thing itself."""
    return x**1, x


@canonicalize
def power_two(x: Variable) -> Sides:
    """A square needs one multiplication, a power a logarithm and an exponential."""
    return x**2, sqr(x)


@canonicalize(only=FLOATS, domain=(0.2, 9.0))
def power_one_half(x: Variable) -> Sides:
    """A root has an instruction of its own."""
    return x**0.5, sqrt(x)


@canonicalize(only=FLOATS, domain=(0.5, 3.0))
def power_minus_one(x: Variable) -> Sides:
    """One division is cheaper than a power."""
    return x**-1, inv(x)


@canonicalize(only=FLOATS, domain=(0.5, 3.0))
def power_minus_two(x: Variable) -> Sides:
    """One division and one multiplication are cheaper than a power."""
    return x**-2, inv(sqr(x))


@canonicalize
def one_to_a_power(x: Variable) -> Sides:
    """One stays one."""
    return pow(1, x), like(x, 1)
