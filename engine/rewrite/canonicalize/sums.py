"""Sums and differences in normal form."""

from __future__ import annotations

from engine.expression import Apply, Variable
from engine.rewrite.pattern import Sides
from engine.rewrite.phases import canonicalize
from engine.rewrite.product import Product
from engine.rewrite.rule import ERASES_NAN, HIDES_ERROR
from engine.rewrite.scalars import like
from engine.rewrite.sum import FAMILY as SUMS
from engine.rewrite.sum import Sum
from engine.rewrite.view import View
from engine.types import COMPLEX, DISCRETE, INTEGERS


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


@canonicalize(tags=[ERASES_NAN])
def subtract_itself(x: Variable) -> Sides:
    """Nothing is left, if x is finite."""
    return x - x, like(x, 0)


@canonicalize.computed(SUMS, example=lambda x, y: (x + y) + (x + y))
def collect_like_terms(node: Apply, view: View) -> Variable | None:
    """Equal terms of a sum are counted and its constants added: 2x + 3x is 5x."""
    return None if node.out.dtype in COMPLEX else _counted(node, view)


@canonicalize.computed(
    SUMS, example=lambda x, y: (x + y) + (x + y), dtype="complex128", tags=[ERASES_NAN]
)
def collect_complex_terms(node: Apply, view: View) -> Variable | None:
    """Equal terms are counted; a complex 2 makes NaN of infinities, where x + x does not."""
    return _counted(node, view) if node.out.dtype in COMPLEX else None


def _counted(node: Apply, view: View) -> Variable | None:
    """The sum in normal form, if there is something to count and nothing goes away."""
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


@canonicalize.computed(SUMS, example=lambda x, y, z: x * y + z * x, tags=[ERASES_NAN])
def take_out_common_factor(node: Apply, view: View) -> Variable | None:
    """ab + ac is a(b + c), one multiplication in place of several, if b + c does not overflow."""
    return None if node.out.dtype in DISCRETE else _with_factor_outside(node, view)


@canonicalize.computed(SUMS, example=lambda x, y, z: x * y + z * x, dtype="int64")
def take_out_whole_factor(node: Apply, view: View) -> Variable | None:
    """ab + ac is a(b + c), also where integers wrap around."""
    return _with_factor_outside(node, view) if node.out.dtype in INTEGERS else None


def _with_factor_outside(node: Apply, view: View) -> Variable | None:
    """The sum with the factors that all its terms have in front of it."""
    form = _sum(node, view)
    if form is None or form.number or form.cancelled or len(form.terms) < 2:
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
