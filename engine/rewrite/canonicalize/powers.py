"""Powers."""

from __future__ import annotations

import math

from engine.expression import Variable
from engine.ops.arithmetic import abs, inv, pow, sqr, sqrt
from engine.ops.exponential import exp
from engine.rewrite.pattern import Sides
from engine.rewrite.phases import canonicalize
from engine.rewrite.rule import ERASES_NAN
from engine.rewrite.scalars import like
from engine.rewrite.view import View
from engine.types import FLOATS, INTEGERS


def is_never_negative(x: Variable, view: View) -> bool:
    """Whether no element is below 0."""
    return view.ranges.is_never_negative(x)


def is_above_minus_infinity(x: Variable, view: View) -> bool:
    """Whether no element is minus infinity, whose powers are not NaN."""
    return view.ranges.of(x).low > -math.inf


def size_of(x: Variable) -> list[Variable]:
    """What is never negative, to draw a law with."""
    return [abs(x)]


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


@canonicalize(only=FLOATS, domain=(0.2, 9.0), when=is_above_minus_infinity, example=size_of)
def power_one_half(x: Variable) -> Sides:
    """A root has an instruction of its own; only at minus infinity it is not this power."""
    return x**0.5, sqrt(x)


@canonicalize(only=FLOATS, domain=(0.2, 9.0), tags=[ERASES_NAN])
def power_one_half_of_anything(x: Variable) -> Sides:
    """A root has an instruction of its own; minus infinity has one that is NaN."""
    return x**0.5, sqrt(x)


@canonicalize(only=FLOATS, domain=(0.2, 9.0), when=is_never_negative, example=size_of)
def power_one_and_a_half(x: Variable) -> Sides:
    """A root and a product are cheaper than a power."""
    return x**1.5, x * sqrt(x)


@canonicalize(only=FLOATS, domain=(0.2, 9.0), when=is_never_negative, example=size_of)
def power_one_quarter(x: Variable) -> Sides:
    """Two roots are cheaper than a power."""
    return x**0.25, sqrt(sqrt(x))


@canonicalize(
    only=FLOATS,
    domain=(0.5, 3.0),
    when=lambda x, view: view.ranges.is_positive(x),
    example=lambda x: [exp(x) + 1],
)
def power_minus_one_half(x: Variable) -> Sides:
    """A root and a quotient are cheaper than a power; they differ where x is -0."""
    return x**-0.5, inv(sqrt(x))


@canonicalize(only=FLOATS, domain=(0.2, 9.0), when=is_never_negative, example=size_of)
def square_of_root(x: Variable) -> Sides:
    """The square of the root of x is x."""
    return sqr(sqrt(x)), x


@canonicalize(only=FLOATS, domain=(0.2, 9.0), in_product=True, tags=[ERASES_NAN])
def divide_by_root(x: Variable) -> Sides:
    """x over its root is the root, if x is not 0 or infinite."""
    return x / sqrt(x), sqrt(x)


@canonicalize(only=FLOATS, domain=(0.5, 3.0))
def power_minus_one(x: Variable) -> Sides:
    """One division is cheaper than a power."""
    return x**-1, inv(x)


@canonicalize(only=FLOATS, domain=(0.5, 3.0))
def power_minus_two(x: Variable) -> Sides:
    """One division and one multiplication are cheaper than a power."""
    return x**-2, inv(sqr(x))


@canonicalize(only=FLOATS | INTEGERS)
def one_to_a_power(x: Variable) -> Sides:
    """One stays one."""
    return pow(1, x), like(x, 1)
