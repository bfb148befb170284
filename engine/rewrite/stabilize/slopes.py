"""Slopes of costs."""

from __future__ import annotations

from engine.expression import Apply, Variable
from engine.ops.activations import sigmoid
from engine.ops.exponential import log
from engine.rewrite.pattern import Sides
from engine.rewrite.phases import stabilize
from engine.rewrite.product import FAMILY as PRODUCTS
from engine.rewrite.rule import ERASES_NAN, HIDES_ERROR
from engine.rewrite.sum import FAMILY as SUMS
from engine.rewrite.view import View
from engine.types import DISCRETE


@stabilize.computed(
    PRODUCTS,
    example=lambda x, y, z: z * (x / y) * y + log(x / y),
    tags=[ERASES_NAN, HIDES_ERROR],
    domain=(0.5, 3.0),
)
def cancel_shared_factors(node: Apply, view: View) -> Variable | None:
    """x / y * y is x, also where x / y is needed elsewhere; y may be zero or infinite."""
    if node.out.dtype in DISCRETE or view.is_part_of(node.out, PRODUCTS):
        return None
    form = view.product(node.out, deep=True)
    return form.build() if form.cancelled and form.is_sound() else None


@stabilize.computed(
    PRODUCTS,
    example=lambda x, y, z, w: (z / x + w / y) * (x * y),
    tags=[ERASES_NAN, HIDES_ERROR],
    domain=(0.5, 3.0),
)
def multiply_quotients_by_their_divisors(node: Apply, view: View) -> Variable | None:
    """(p/a + q/b) * ab divides by what it multiplies with; pb + qa cannot become 0/0."""
    if node.out.dtype in DISCRETE or view.is_part_of(node.out, PRODUCTS):
        return None
    whole = view.product(node.out).copy()
    for v, e in whole.factors.items():
        if e != 1 or v.owner is None or v.owner.op.name not in SUMS or view.is_shared(v):
            continue
        inner = view.sum(v).copy()
        if inner.number or v.dtype != whole.dtype:
            continue
        divisors = {
            d: min(-n, whole.factors[d])
            for term in inner.terms.values()
            for d, n in term.product.factors.items()
            if n < 0 < whole.factors.get(d, 0)
        }
        if not divisors:
            continue
        for term in inner.terms.values():
            term.whole = None
            for d, n in divisors.items():
                term.product.multiply(d, n)
        rest = inner.build()
        if rest is None:
            continue
        whole.multiply(v, -1)
        for d, n in divisors.items():
            whole.multiply(d, -n)
        whole.multiply(rest, 1)
        return whole.build()
    return None


@stabilize(
    when=lambda x, y, view: view.are_opposite(x, y),
    example=lambda t, x: (t, x, -x),
)
def slope_of_crossentropy(t: Variable, x: Variable, y: Variable) -> Sides:
    """The slope of a cross-entropy is prediction minus truth: (1-t)σ(x) - tσ(-x) is σ(x) - t."""
    return (1 - t) * sigmoid(x) - t * sigmoid(y), sigmoid(x) - t


@stabilize(
    when=lambda x, y, view: view.are_opposite(x, y),
    example=lambda t, x: (t, x, -x),
)
def falling_slope_of_crossentropy(t: Variable, x: Variable, y: Variable) -> Sides:
    """Prediction minus truth, the other way round: tσ(-x) - (1-t)σ(x) is t - σ(x)."""
    return t * sigmoid(y) - (1 - t) * sigmoid(x), t - sigmoid(x)
