"""Signs and sizes."""

from __future__ import annotations

from engine.expression import Apply, Variable
from engine.ops.activations import sigmoid
from engine.ops.arithmetic import abs, neg, sgn, sqr, sqrt
from engine.ops.complex import conj
from engine.ops.exponential import exp
from engine.ops.logic import cast, gt
from engine.rewrite.pattern import Sides
from engine.rewrite.phases import SIGNED, canonicalize
from engine.rewrite.scalars import like
from engine.rewrite.view import View
from engine.types import COMPLEX, FLOATS, INTEGERS


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


@canonicalize.computed(["abs"], example=lambda x: abs(exp(x)))
def absolute_of_never_negative(node: Apply, view: View) -> Variable | None:
    """What is never negative is its own size."""
    (x,) = node.inputs
    return x if view.ranges.is_never_negative(x) else None


@canonicalize.computed(["sgn"], example=lambda x: sgn(1 + sigmoid(cast(gt(x, 0), x.dtype))))
def sign_of_positive(node: Apply, view: View) -> Variable | None:
    """The sign of what is positive is 1, if it is not NaN."""
    (x,) = node.inputs
    return like(x, 1) if view.ranges.is_positive(x) and not view.ranges.of(x).nan else None


@canonicalize(only=FLOATS | INTEGERS)
def sign_of_sign(x: Variable) -> Sides:
    """A sign is its own sign."""
    return sgn(sgn(x)), sgn(x)


@canonicalize(only=FLOATS)
def size_times_sign(x: Variable) -> Sides:
    """A number is its size with its sign."""
    return sgn(x) * abs(x), x


@canonicalize(only=FLOATS)
def size_of_product(x: Variable, y: Variable) -> Sides:
    """The product of sizes is the size of the product, one sign to drop in place of two."""
    return abs(x) * abs(y), abs(x * y)


@canonicalize(only=COMPLEX, dtype="complex128")
def conjugate_twice(x: Variable) -> Sides:
    """Turned twice, the sign of the imaginary part is as before."""
    return conj(conj(x)), x
