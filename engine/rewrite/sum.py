"""Sums and differences in their normal form: a number plus multiples of products."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from engine.expression import OPS, Variable
from engine.rewrite.product import FAMILY as PRODUCTS
from engine.rewrite.product import Product, product_of
from engine.rewrite.scalars import Number, constant, fits, number_of, wrapped

FAMILY = frozenset({"add", "sub", "neg"})
"""The ops that a normal form looks through."""


@dataclass
class Term:
    """`coefficient * product`; `whole` is the product where it stands in the graph already."""

    coefficient: Number
    product: Product
    whole: Variable | None = None

    def base(self) -> Variable | None:
        """The product as an expression."""
        if self.whole is not None:
            return self.whole
        factors, divisor = self.product.factors, self.product.divisor
        if divisor == 1 and list(factors.values()) == [1]:
            # Its dtype may be a lower one than that of the sum, which it takes on there.
            return next(iter(factors))
        return self.product.build()


@dataclass
class Sum:
    """`number + term + term + ...`, computed in `dtype`.

    terms: by what makes them alike, in the order in which they first occur.
    merged: how many terms went into another.  cancelled: whether terms of opposite sign met,
    which may have hidden an infinity.  numbers: how many constants there were.  signs: how many
    minus signs.
    """

    dtype: str
    number: Number = 0
    terms: dict[Any, Term] = field(default_factory=dict)
    merged: int = 0
    cancelled: bool = False
    numbers: int = 0
    signs: int = 0

    def copy(self) -> Sum:
        """The same sum, to be changed."""
        terms = {
            key: Term(t.coefficient, t.product.copy(), t.whole) for key, t in self.terms.items()
        }
        return Sum(self.dtype, self.number, terms)

    def is_sound(self) -> bool:
        """Whether no number in it has overflown on the way."""
        numbers = (self.number, *(t.coefficient for t in self.terms.values()))
        return all(fits(n, self.dtype) for n in numbers)

    def build(self) -> Variable | None:
        """The sum as an expression; None where its dtype could not be kept.

        Starts with what is added, a number last; then comes what is subtracted.  A common number
        in front of all terms is taken out.
        """
        terms = [(t, wrapped(t.coefficient, self.dtype)) for t in self.terms.values()]
        terms = [(t, c) for t, c in terms if c != 0]
        number = wrapped(self.number, self.dtype)
        if not terms:
            return constant(number, self.dtype)
        common = self.common_number()
        plus: list[Variable] = []
        minus: list[Variable] = []
        for term, c in terms:
            negative = _is_negative(c) and self.dtype != "bool"
            base = term.base()
            part = None if base is None else self._scaled(base, 1 if common != 1 else _size(c))
            if part is None:
                return None
            (minus if negative else plus).append(part)
        out = self._added(plus, minus, number)
        return out if out is None or common == 1 else self._scaled(out, common)

    def common_number(self) -> Number:
        """The number, more than 1, that is in front of all terms; 1 if there is none."""
        sizes = {_size(wrapped(t.coefficient, self.dtype)) for t in self.terms.values()} - {0}
        shared = len(self.terms) > 1 and len(sizes) == 1 and not self.number
        return sizes.pop() if shared else 1

    def _scaled(self, base: Variable, c: Number) -> Variable | None:
        if c == 1:
            return base
        out = OPS["mul"](constant(c, self.dtype), base)
        return out if out.dtype == self.dtype else None

    def _added(
        self, plus: list[Variable], minus: list[Variable], number: Number
    ) -> Variable | None:
        """All parts in one chain, starting with one of the sum's own dtype."""
        turned = not plus and number == 0
        if turned:
            plus, minus = minus, []
        if number != 0:
            if plus and not _is_negative(number):
                plus = [*plus, constant(number, self.dtype)]
            elif plus:
                minus = [*minus, constant(_size(number), self.dtype)]
            else:
                plus = [constant(number, self.dtype)]
        plus.sort(key=lambda v: v.dtype != self.dtype)
        out, *rest = plus
        if out.dtype != self.dtype and (rest or minus):
            out = OPS["cast"](out, self.dtype)  # parts of lower dtypes would wrap around
        for v in rest:
            out = OPS["add"](out, v)
        for v in minus:
            out = OPS["sub"](out, v)
        if turned:
            out = OPS["neg"](out)
        return out if out.dtype == self.dtype else None


def _is_negative(c: Number) -> bool:
    return isinstance(c, int | float) and c < 0


def _size(c: Number) -> Number:
    return -c if _is_negative(c) else c


def sum_of(v: Variable, is_shared: Callable[[Variable], bool]) -> Sum:
    """The normal form of a variable.

    Looks through sums and signs of the same dtype that nobody else reads.
    """
    form = Sum(v.dtype)
    stack: list[tuple[Variable, int]] = [(v, 1)]
    while stack:
        part, sign = stack.pop()
        number = number_of(part)
        node = part.owner
        if number is not None:
            form.number += sign * number
            form.numbers += 1
        elif (
            node is not None
            and node.op.name in FAMILY
            and part.dtype == v.dtype
            and (part is v or not is_shared(part))
        ):
            form.signs += node.op.name == "neg"
            second = -sign if node.op.name == "sub" else sign
            first = -sign if node.op.name == "neg" else sign
            signs = [(node.inputs[0], first), *((x, second) for x in node.inputs[1:])]
            stack.extend(reversed(signs))
        else:
            _add_term(form, part, sign, is_shared)
    return form


def _add_term(form: Sum, v: Variable, sign: int, is_shared: Callable[[Variable], bool]) -> None:
    product = Product(v.dtype, factors={v: 1})
    coefficient: Number = sign
    whole: Variable | None = v
    if v.owner is not None and v.owner.op.name in PRODUCTS and v.dtype == form.dtype:
        found = product_of(v, lambda part: part is not v and is_shared(part))
        number = found.number()
        if found.is_sound() and found.factors and not found.cancelled:
            taken = found.coefficient if number is None else number
            whole = v if taken == 1 else None
            form.signs += taken == -1
            coefficient *= taken
            divisor = found.divisor if number is None else 1
            product = Product(v.dtype, 1, divisor, found.factors)
    key = (product.key(), product.divisor)
    known = form.terms.get(key)
    if known is None:
        form.terms[key] = Term(coefficient, product, whole)
    else:
        form.cancelled |= _is_negative(known.coefficient) != _is_negative(coefficient)
        known.coefficient += coefficient
        known.whole = whole if known.whole is None else known.whole
        form.merged += 1
