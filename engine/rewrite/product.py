"""Products and quotients in their normal form: a number times powers of variables."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property

from engine.expression import OPS, Variable
from engine.op import Op
from engine.rewrite.scalars import Number, constant, fits, number_of, wrapped
from engine.types import INTEGERS

FAMILY = frozenset({"mul", "true_div", "inv", "neg", "sqr", "pow"})
"""The ops that a normal form looks through."""

LARGEST_POWER = 64
LARGEST = 10_000
"""Applies that a normal form is read from; a product that lies deeper counts as one factor."""


@dataclass
class Product:
    """`coefficient / divisor * factor ** exponent * ...`, computed in `dtype`.

    factors keeps the order in which they first occur.  size: how many applies it was read from.
    turns: how many of them only turned the sign.  cancelled: whether a factor met its own inverse,
    which may have hidden a zero or infinity.  grows, shrinks: whether a number made it larger, or
    smaller.
    """

    dtype: str
    coefficient: Number = 1
    divisor: Number = 1
    factors: dict[Variable, int] = field(default_factory=dict)
    size: int = 0
    turns: int = 0
    cancelled: bool = False
    grows: bool = False
    shrinks: bool = False

    def copy(self) -> Product:
        """The same product, to be changed."""
        return Product(self.dtype, self.coefficient, self.divisor, self.factors.copy(), self.size)

    @cached_property
    def ops(self) -> frozenset[Op]:
        """The ops that compute its factors; asked of a product that no longer changes."""
        return frozenset(v.owner.op for v in self.factors if v.owner is not None)

    @cached_property
    def is_usable(self) -> bool:
        """Whether nothing has cancelled or overflown; asked of a product that no longer changes."""
        return not self.cancelled and self.is_sound()

    @cached_property
    def _readers(self) -> dict[int, dict[Variable, list[Variable]]]:
        return {}

    def reading(self, x: Variable, depth: int) -> list[Variable]:
        """The factors that x is read in, at most so many applies below their tops.

        Asked of a product that no longer changes.
        """
        found = self._readers.get(depth)
        if found is None:
            found = self._readers[depth] = defaultdict(list)
            for v in self.factors:
                for below in _below(v, depth):
                    found[below].append(v)
        return found.get(x, [])

    def key(self) -> frozenset[tuple[Variable, int]]:
        """Equal for products that differ only in their number."""
        return frozenset(self.factors.items())

    def multiply(self, v: Variable, exponent: int) -> None:
        """Put in one more power."""
        known = self.factors.get(v, 0)
        total = known + exponent
        self.cancelled |= known * exponent < 0
        if total:
            self.factors[v] = total
        else:
            del self.factors[v]

    def scale(self, value: Number, exponent: int) -> None:
        """Put in a power of a number; infinity where that overflows."""
        larger = (abs(value) > 1) == (exponent > 0)
        self.grows |= larger and abs(value) != 1
        self.shrinks |= not larger and abs(value) != 1
        try:
            power = value ** abs(exponent)
        except OverflowError:
            power = math.inf
        if exponent > 0:
            self.coefficient *= power
        else:
            self.divisor *= power

    def is_sound(self) -> bool:
        """Whether no number in it has overflown or vanished on the way."""
        ends = (self.coefficient, self.divisor)
        return all(fits(n, self.dtype) and wrapped(n, self.dtype) != 0 for n in ends)

    @property
    def order_decides(self) -> bool:
        """Whether in another order something may overflow or vanish on the way, or no longer.

        Not where there is one multiplication, or where all that is multiplied makes the product
        larger, or all of it smaller: it is then no further out on the way than at its end.
        """
        if self.dtype in INTEGERS or self.size - self.turns < 2:
            return False
        if len(self.factors) > 1 or (self.grows and self.shrinks):
            return True
        powers = any(abs(e) > 1 for e in self.factors.values())
        return powers and (self.grows or self.shrinks)

    def build(self) -> Variable | None:
        """The product as an expression; None where its dtype could not be kept."""
        top = self._powers([(v, e) for v, e in self.factors.items() if e > 0])
        bottom = self._powers([(v, -e) for v, e in self.factors.items() if e < 0])
        number = self.number()
        size, divisor = (self.coefficient, self.divisor) if number is None else (number, 1)
        minus = isinstance(size, int | float) and wrapped(size, self.dtype) == -1
        own = bool(top) and top[0].dtype == self.dtype  # a lower one would wrap around
        if minus and own and _axes(top[0]) < max(map(_axes, (*top, *bottom))):
            # The sign is turned where there are fewest elements.
            top[0] = OPS["neg"](top[0])
            minus = False
        elif (size != 1 and not (minus and top)) or not (top or bottom):
            top.insert(0, constant(size, self.dtype))
            minus = False
        if divisor != 1:
            bottom.insert(0, constant(divisor, self.dtype))
        out, under = self._multiplied(top), self._multiplied(bottom)
        if (top and out is None) or (bottom and under is None):
            return None
        if under is not None:
            out = OPS["inv"](under) if out is None else OPS["true_div"](out, under)
        if out is None or out.dtype != self.dtype:
            return None
        return OPS["neg"](out) if minus else out

    def number(self) -> Number | None:
        """The coefficient as one number, where dividing it out loses nothing."""
        if self.divisor == 1:
            return self.coefficient
        quotient = self.coefficient / self.divisor
        exact = quotient * self.divisor == self.coefficient
        whole = quotient.imag == 0 and (quotient.real * 4096).is_integer()
        return quotient if exact and whole else None

    def _powers(self, factors: list[tuple[Variable, int]]) -> list[Variable]:
        """Each power as an expression, those with few axes first: they are cheap to multiply."""
        parts = []
        for v, e in factors:
            match e:
                case _ if v.dtype != self.dtype:
                    # Its power would be computed in another dtype than the product.
                    parts += [v] * e
                case 1:
                    parts.append(v)
                case 2:
                    parts.append(OPS["sqr"](v))
                case 3:
                    parts += [OPS["sqr"](v), v]
                case 4:
                    parts.append(OPS["sqr"](OPS["sqr"](v)))
                case _:
                    parts.append(OPS["pow"](v, constant(e, v.dtype)))
        return sorted(parts, key=lambda v: (v.dtype != self.dtype, _axes(v)))

    def _multiplied(self, parts: list[Variable]) -> Variable | None:
        """The parts multiplied in order; None where a step would fall out of the dtype."""
        out: Variable | None = None
        for v in parts:
            out = v if out is None else OPS["mul"](out, v)
            if len(parts) > 1 and out.dtype != self.dtype:
                return None
        return out


def _below(v: Variable, depth: int) -> Iterable[Variable]:
    """All that an expression reads down to a depth."""
    found: dict[Variable, None] = {}
    level = [v]
    for _ in range(depth):
        level = [x for y in level if y.owner is not None for x in y.owner.inputs if x not in found]
        found.update(dict.fromkeys(level))
    return found


def _axes(v: Variable) -> int:
    return v.ndim - sum(v.broadcastable)


def product_of(v: Variable, is_shared: Callable[[Variable], bool]) -> Product:
    """The normal form of a variable.

    Looks through products, quotients, signs and whole powers of the same dtype, as long as they
    are not shared: what others read too would have to be computed twice.  Beyond LARGEST applies
    nothing is collected: the form is right then too, but equal factors may be left apart.
    """
    form = Product(v.dtype)
    stack = [(v, 1)]
    while stack:
        part, exponent = stack.pop()
        number = number_of(part)
        if number and v.dtype != "bool":
            form.scale(number, exponent)
        elif (
            part.dtype == v.dtype != "bool"
            and form.size < LARGEST
            and (part is v or not is_shared(part))
        ):
            inner = _opened(part, exponent)
            if inner is None:
                form.multiply(part, exponent)
                continue
            form.size += 1
            if part.owner is not None and part.owner.op.name == "neg":
                form.turns += 1
                form.scale(-1, 1 if exponent % 2 else 2)
            stack.extend(reversed(inner))
        else:
            form.multiply(part, exponent)
    return form


def _opened(v: Variable, exponent: int) -> list[tuple[Variable, int]] | None:
    """What the variable is a product of, as powers; None if it is none."""
    node = v.owner
    if node is None or node.op.name not in FAMILY:
        return None
    x = node.inputs[0]
    match node.op.name:
        case "mul":
            return [(x, exponent), (node.inputs[1], exponent)]
        case "true_div":
            return [(x, exponent), (node.inputs[1], -exponent)]
        case "inv":
            return [(x, -exponent)]
        case "neg":
            return [(x, exponent)]
        case "sqr":
            return [(x, 2 * exponent)]
        case "pow" if x.dtype == v.dtype:
            power = number_of(node.inputs[1])
            whole = power is not None and power.imag == 0 and power.real == int(power.real)
            if whole and power is not None:
                e = int(power.real) * exponent
                if 0 < abs(e) <= LARGEST_POWER and (e > 0 or v.dtype not in INTEGERS):
                    return [(x, e)]
    return None
