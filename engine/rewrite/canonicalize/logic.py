"""And, or, not: of truth values and of the bits of integers."""

from __future__ import annotations

from engine.expression import Apply, Variable
from engine.ops.logic import and_, eq, fill, invert, or_, xor
from engine.rewrite.pattern import Sides
from engine.rewrite.phases import canonicalize
from engine.rewrite.rule import HIDES_ERROR
from engine.rewrite.scalars import constant, like, number_of, wrapped
from engine.rewrite.view import View
from engine.types import DISCRETE


def have_same_bits(x: Variable, y: Variable) -> bool:
    """Whether the variables have equally many bits, so that none is turned on the way to more."""
    return x.dtype == y.dtype


@canonicalize(only=DISCRETE, dtype="int64")
def invert_bits_twice(x: Variable) -> Sides:
    """Turned twice, every bit is as before."""
    return invert(invert(x)), x


@canonicalize(only=DISCRETE, dtype="int64")
def and_with_itself(x: Variable) -> Sides:
    """Both of the same are that."""
    return and_(x, x), x


@canonicalize(only=DISCRETE, dtype="int64")
def or_with_itself(x: Variable) -> Sides:
    """Either of the same is that."""
    return or_(x, x), x


@canonicalize(only=DISCRETE, dtype="int64")
def xor_with_itself(x: Variable) -> Sides:
    """Nothing differs from itself."""
    return xor(x, x), like(x, 0)


@canonicalize(only=DISCRETE, dtype="int64")
def and_with_inverse(x: Variable) -> Sides:
    """No bit is set and not set."""
    return and_(x, invert(x)), like(x, 0)


@canonicalize(only=DISCRETE, dtype="int64")
def or_with_inverse(x: Variable) -> Sides:
    """Every bit is set or not set."""
    return or_(x, invert(x)), like(x, -1)


@canonicalize(only=DISCRETE, dtype="int64")
def xor_with_inverse(x: Variable) -> Sides:
    """Every bit differs from its inverse."""
    return xor(x, invert(x)), like(x, -1)


@canonicalize.computed(["and_", "or_", "xor"], example=lambda x: and_(x, -1), dtype="int64")
def combine_with_constant(node: Apply, view: View) -> Variable | None:
    """Bits that are all 0 or all 1 decide, or leave everything as it is."""
    for x, y in (node.inputs, node.inputs[::-1]):
        number = number_of(y)
        if number is None:
            continue
        same = x if x.dtype == node.out.dtype else None
        y = constant(number, node.out.dtype)
        bits = wrapped(number, node.out.dtype)
        if bits == 0:
            return fill(x, y) if node.op is and_ else same
        if bits == wrapped(-1, node.out.dtype):
            if node.op is or_:
                return fill(x, y)
            return same if node.op is and_ or same is None else invert(x)
    return None


@canonicalize(only=DISCRETE, dtype="int64")
def and_again(x: Variable, y: Variable) -> Sides:
    """What is in it already adds nothing."""
    return and_(and_(x, y), x), and_(x, y)


@canonicalize(only=DISCRETE, dtype="int64")
def or_again(x: Variable, y: Variable) -> Sides:
    """What is in it already adds nothing."""
    return or_(or_(x, y), x), or_(x, y)


@canonicalize(only=DISCRETE, dtype="int64", tags=[HIDES_ERROR])
def xor_again(x: Variable, y: Variable) -> Sides:
    """Turned twice, every bit is as before."""
    return xor(xor(x, y), y), fill(y, x)


@canonicalize(only=DISCRETE, dtype="int64", tags=[HIDES_ERROR])
def and_of_either(x: Variable, y: Variable) -> Sides:
    """Where x holds, x or y holds too."""
    return and_(or_(x, y), x), fill(y, x)


@canonicalize(only=DISCRETE, dtype="int64", tags=[HIDES_ERROR])
def or_of_both(x: Variable, y: Variable) -> Sides:
    """Where x and y hold, x holds too."""
    return or_(and_(x, y), x), fill(y, x)


@canonicalize(only=DISCRETE, dtype="int64", when=have_same_bits)
def neither(x: Variable, y: Variable) -> Sides:
    """Not x and not y is not: x or y."""
    return and_(invert(x), invert(y)), invert(or_(x, y))


@canonicalize(only=DISCRETE, dtype="int64", when=have_same_bits)
def not_both(x: Variable, y: Variable) -> Sides:
    """Not x or not y is not: x and y."""
    return or_(invert(x), invert(y)), invert(and_(x, y))


@canonicalize(only=DISCRETE, dtype="int64", when=have_same_bits)
def differ_inverted(x: Variable, y: Variable) -> Sides:
    """Two bits that are both turned differ as before."""
    return xor(invert(x), invert(y)), xor(x, y)


@canonicalize(only=frozenset({"bool"}), dtype="bool")
def add_truth_to_itself(x: Variable) -> Sides:
    """The sum of truth values is whether either holds."""
    return x + x, x


@canonicalize(only=frozenset({"bool"}), dtype="bool")
def multiply_truth_by_itself(x: Variable) -> Sides:
    """The product of truth values is whether both hold."""
    return x * x, x


@canonicalize.computed(["eq", "neq"], example=lambda x: eq(x, True), dtype="bool")
def compare_truth(node: Apply, view: View) -> Variable | None:
    """Whether a truth value is true says that value itself."""
    for x, y in (node.inputs, node.inputs[::-1]):
        number = number_of(y)
        if x.dtype == "bool" and number in {0, 1}:
            return x if (number == 1) is (node.op is eq) else invert(x)
    return None
