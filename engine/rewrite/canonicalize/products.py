"""Products and quotients in normal form."""

from __future__ import annotations

from engine.expression import Apply, Variable
from engine.ops.arithmetic import inv, sub
from engine.rewrite.pattern import Sides
from engine.rewrite.phases import INEXACT, canonicalize
from engine.rewrite.product import FAMILY as PRODUCTS
from engine.rewrite.product import Product
from engine.rewrite.rule import ERASES_NAN, HIDES_ERROR, SHOWS_NAN
from engine.rewrite.scalars import like
from engine.rewrite.view import View
from engine.types import COMPLEX, INTEGERS


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


@canonicalize(tags=[ERASES_NAN], domain=(0.5, 3.0))
def divide_by_itself(x: Variable) -> Sides:
    """Anything goes into itself once, if it is neither zero nor infinite."""
    return x / x, like(x, 1)


@canonicalize(only=INTEGERS, dtype="int64")
def divide_integer_by_one(x: Variable) -> Sides:
    """One goes into an integer as often as that says."""
    return x // 1, x


@canonicalize(only=INTEGERS, dtype="int64")
def rest_of_one(x: Variable) -> Sides:
    """One goes into every integer without a rest."""
    return x % 1, like(x, 0)


@canonicalize(only=INEXACT, domain=(0.5, 3.0))
def invert_twice(x: Variable) -> Sides:
    """One over one over x is x."""
    return inv(inv(x)), x


@canonicalize.computed(PRODUCTS, example=lambda x: x * x * x)
def collect_equal_factors(node: Apply, view: View) -> Variable | None:
    """Equal factors of a product become powers, and its numbers one number."""
    return _collected(node, view, reordered=False)


@canonicalize.computed(
    PRODUCTS, example=lambda x, y: x * y * x, dtype="float64", tags=[ERASES_NAN, SHOWS_NAN]
)
def collect_factors_in_another_order(node: Apply, view: View) -> Variable | None:
    """Equal factors become powers; in one order or the other more may overflow on the way."""
    return _collected(node, view, reordered=True)


@canonicalize.computed(
    PRODUCTS, example=lambda x, y: x * y * x, dtype="complex128", tags=[ERASES_NAN, SHOWS_NAN]
)
def collect_complex_factors(node: Apply, view: View) -> Variable | None:
    """Equal factors become powers; infinities make NaN in one complex product or the other."""
    form = _product(node, view) if node.out.dtype in COMPLEX else None
    return None if form is None or form.cancelled else form.build()


def _collected(node: Apply, view: View, *, reordered: bool) -> Variable | None:
    """A real product in normal form, if nothing in it goes away."""
    form = None if node.out.dtype in COMPLEX else _product(node, view)
    if form is None or form.cancelled or form.order_decides != reordered:
        return None
    return form.build()


@canonicalize.computed(
    PRODUCTS,
    example=lambda x, y: x * y / x,
    tags=[ERASES_NAN, SHOWS_NAN, HIDES_ERROR],
    domain=(0.5, 3.0),
)
def cancel_equal_factors(node: Apply, view: View) -> Variable | None:
    """What is multiplied and divided again need not be computed, if it is not zero or infinite."""
    form = _product(node, view)
    return form.build() if form and form.cancelled else None


@canonicalize.computed(PRODUCTS, example=lambda x, y, z: -x * (y - z))
def turn_difference(node: Apply, view: View) -> Variable | None:
    """A minus in front of a difference turns it around: -(x - y) is y - x."""
    return _turned(node, view, reordered=False)


@canonicalize.computed(
    PRODUCTS, example=lambda w, x, y, z: -w * (x * (y - z)), tags=[ERASES_NAN, SHOWS_NAN]
)
def turn_difference_in_another_order(node: Apply, view: View) -> Variable | None:
    """A minus turns a difference around; in another order more or less overflows on the way."""
    return _turned(node, view, reordered=True)


def _turned(node: Apply, view: View, *, reordered: bool) -> Variable | None:
    """A product with a minus in front, with one of its differences turned around instead."""
    form = _product(node, view)
    if form is None or form.cancelled or form.number() != -1:
        return None
    if form.order_decides != reordered:
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
