"""Canonicalize: one spelling for everything that means the same."""

from __future__ import annotations

import numpy as np

from engine.expression import Apply, Variable
from engine.ops.arithmetic import abs, inv, maximum, minimum, neg, pow, sqr, sqrt, sub
from engine.ops.logic import cast, eq, fill, switch
from engine.rewrite.pattern import Sides
from engine.rewrite.products import FAMILY as PRODUCTS
from engine.rewrite.products import Product
from engine.rewrite.rule import ERASES_NAN, HIDES_ERROR, Phase
from engine.rewrite.scalars import constant, number_of
from engine.rewrite.sums import FAMILY as SUMS
from engine.rewrite.sums import Sum
from engine.rewrite.view import View
from engine.types import COMPLEX, DISCRETE, DTYPES, FLOATS, INTEGERS

NUMBERS = INTEGERS | FLOATS | COMPLEX
INEXACT = FLOATS | COMPLEX
SIGNED = frozenset(d for d in NUMBERS if not d.startswith("uint"))

canonicalize = Phase(
    "canonicalize", "One spelling for everything that means the same.", only=NUMBERS
)


def like(x: Variable, value: int) -> Variable:
    """The number in the shape and dtype of x."""
    return fill(x, constant(value, x.dtype))


# Neutral elements


@canonicalize
def add_zero(x: Variable) -> Sides:
    """Adding nothing changes nothing."""
    return x + 0, x


@canonicalize
def subtract_zero(x: Variable) -> Sides:
    """Taking nothing away changes nothing."""
    return x - 0, x


@canonicalize
def subtract_from_zero(x: Variable) -> Sides:
    """What is left of nothing is the negative."""
    return 0 - x, -x


@canonicalize
def multiply_by_one(x: Variable) -> Sides:
    """Once is the thing itself."""
    return x * 1, x


@canonicalize
def divide_by_one(x: Variable) -> Sides:
    """Divided by one it stays as it is."""
    return x / 1, x


@canonicalize(tags=[ERASES_NAN])
def multiply_by_zero(x: Variable) -> Sides:
    """Nothing times anything is nothing, if it is finite."""
    return x * 0, like(x, 0)


@canonicalize(tags=[ERASES_NAN], domain=(0.5, 3.0))
def zero_divided(x: Variable) -> Sides:
    """Nothing divided by anything is nothing, if that is not zero."""
    return 0 / x, like(x, 0)


# The same on both sides


@canonicalize(tags=[ERASES_NAN])
def subtract_itself(x: Variable) -> Sides:
    """Nothing is left, if x is finite."""
    return x - x, like(x, 0)


@canonicalize(tags=[ERASES_NAN], domain=(0.5, 3.0))
def divide_by_itself(x: Variable) -> Sides:
    """Anything goes into itself once, if it is neither zero nor infinite."""
    return x / x, like(x, 1)


@canonicalize
def maximum_of_itself(x: Variable) -> Sides:
    """There is nothing to choose."""
    return maximum(x, x), x


@canonicalize
def minimum_of_itself(x: Variable) -> Sides:
    """There is nothing to choose."""
    return minimum(x, x), x


@canonicalize(only=DISCRETE, dtype="int64")
def equal_to_itself(x: Variable) -> Sides:
    """Whole numbers equal themselves; NaN, which does not, is not among them."""
    return eq(x, x), fill(x, constant(True, "bool"))


# Twice is nothing


@canonicalize
def negate_twice(x: Variable) -> Sides:
    """Turned twice, a sign is as before."""
    return neg(neg(x)), x


@canonicalize(only=INEXACT, domain=(0.5, 3.0))
def invert_twice(x: Variable) -> Sides:
    """One over one over x is x."""
    return inv(inv(x)), x


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


# Powers


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


# Sums and products in normal form


@canonicalize.computed(SUMS, example=lambda x, y: (x + y) + (x + y))
def collect_like_terms(node: Apply, view: View) -> Variable | None:
    """Equal terms of a sum are counted and its constants added: 2x + 3x is 5x."""
    form = _sum(node, view)
    alike = form is not None and (form.merged or form.numbers > 1) and not form.cancelled
    return form.build() if form and alike else None


@canonicalize.computed(SUMS, example=lambda x, y, z: x - y + z - x, tags=[ERASES_NAN, HIDES_ERROR])
def cancel_opposite_terms(node: Apply, view: View) -> Variable | None:
    """What is added and taken away again need not be computed, if it is finite."""
    form = _sum(node, view)
    return form.build() if form and form.cancelled else None


@canonicalize.computed(SUMS, example=lambda x, y: -x + y)
def absorb_signs(node: Apply, view: View) -> Variable | None:
    """A sum takes a minus sign in for nothing: -x + y is y - x."""
    form = _sum(node, view)
    only_signs = form is not None and form.signs and not form.merged and form.numbers < 2
    return form.build() if form and only_signs else None


def _sum(node: Apply, view: View) -> Sum | None:
    """The normal form at the top of a sum."""
    if node.out.dtype == "bool" or view.is_part_of(node.out, SUMS):
        return None
    form = view.sum(node.out)
    return form if form.is_sound() else None


@canonicalize.computed(PRODUCTS, example=lambda x, y: x * y * x)
def collect_equal_factors(node: Apply, view: View) -> Variable | None:
    """Equal factors of a product become powers, and its numbers one number."""
    form = _product(node, view)
    return None if form is None or form.cancelled else form.build()


@canonicalize.computed(
    PRODUCTS, example=lambda x, y: x * y / x, tags=[ERASES_NAN, HIDES_ERROR], domain=(0.5, 3.0)
)
def cancel_equal_factors(node: Apply, view: View) -> Variable | None:
    """What is multiplied and divided again need not be computed, if it is not zero or infinite."""
    form = _product(node, view)
    return form.build() if form and form.cancelled else None


@canonicalize.computed(PRODUCTS, example=lambda x, y, z: -x * (y - z))
def turn_difference(node: Apply, view: View) -> Variable | None:
    """A minus in front of a difference turns it around: -(x - y) is y - x."""
    form = _product(node, view)
    if form is None or form.cancelled or form.number() != -1:
        return None
    for v, e in form.factors.items():
        difference = v.owner is not None and v.owner.op is sub and not view.is_shared(v)
        if e == 1 and v.owner is not None and difference and v.dtype == form.dtype:
            turned = form.copy()
            turned.scale(-1, 1)
            turned.multiply(v, -1)
            turned.multiply(sub(v.owner.inputs[1], v.owner.inputs[0]), 1)
            return turned.build()
    return None


def _product(node: Apply, view: View) -> Product | None:
    """The normal form at the top of a product of more than one step."""
    if node.out.dtype == "bool" or view.is_part_of(node.out, PRODUCTS):
        return None
    form = view.product(node.out)
    return form if form.size > 1 and form.is_sound() else None


@canonicalize.computed(SUMS, example=lambda x, y, z: x * y + z * x)
def take_out_common_factor(node: Apply, view: View) -> Variable | None:
    """ab + ac is a(b + c): one multiplication in place of several."""
    form = _sum(node, view)
    if form is None or form.number or form.cancelled or len(form.terms) < 2:
        return None
    if form.dtype in DISCRETE:
        return None
    first, *others = (t.product.factors for t in form.terms.values())
    common = {
        v: e
        for v, e in first.items()
        if v.dtype == form.dtype and all(f.get(v) == e for f in others)
    }
    if not common:
        return None if form.common_number() == 1 else form.build()
    form = form.copy()
    for term in form.terms.values():
        term.whole = None
        for v, e in common.items():
            term.product.multiply(v, -e)
    rest = form.build()
    if rest is None:
        return None
    whole = Product(form.dtype, factors=common)
    whole.multiply(rest, 1)
    return whole.build()


# Casts and choices


@canonicalize.computed(["cast"], example=lambda x: cast(x, "float64"))
def cast_to_own_dtype(node: Apply, view: View) -> Variable | None:
    """What has the dtype already needs no cast."""
    return node.inputs[0] if node.inputs[0].dtype == node.out.dtype else None


@canonicalize.computed(["cast"], example=lambda x: cast(cast(x, "complex128"), "complex64"))
def cast_once(node: Apply, view: View) -> Variable | None:
    """A cast to a dtype that holds every value changes nothing before the next cast."""
    inner = node.inputs[0].owner
    if inner is None or inner.op is not cast:
        return None
    x = inner.inputs[0]
    return cast(x, node.out.dtype) if np.can_cast(x.dtype, inner.out.dtype, "safe") else None


@canonicalize.computed(["switch"], example=lambda x, y: switch(1, x, y), tags=[HIDES_ERROR])
def choose_once(node: Apply, view: View) -> Variable | None:
    """If the condition is a constant, so is the choice."""
    condition, then, other = node.inputs
    number = number_of(condition)
    if number is None:
        return None
    chosen = then if number else other
    return chosen if view.lengths.covers(chosen, node.out) else fill(node.out, chosen)


@canonicalize(tags=[HIDES_ERROR], only=frozenset(DTYPES))
def choose_between_equals(condition: Variable, x: Variable) -> Sides:
    """If both choices are the same there is none."""
    return switch(condition, x, x), fill(condition, x)
