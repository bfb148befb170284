"""What a rule may ask about the graph that it is applied to."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable

from engine.expression import OPS, Apply, Block, Variable
from engine.graph import Graph, Sink
from engine.op import Op
from engine.rewrite.equals import Equals
from engine.rewrite.lengths import Lengths
from engine.rewrite.product import FAMILY as PRODUCTS
from engine.rewrite.product import Product, product_of
from engine.rewrite.ranges import Ranges
from engine.rewrite.structure import Structures
from engine.rewrite.sum import Sum, sum_of


class View:
    """A graph as rules see it: they read it, only the driver changes it.

    lengths: which axes are equally long.  ranges: between which numbers values lie.
    structures: which matrices are triangles, symmetric, orthogonal.
    may_cancel: whether a factor and its inverse may go, though that may hide a NaN.
    rewritten: gives a block as the rules that are in force leave it.
    """

    def __init__(
        self,
        graph: Graph,
        equals: Equals,
        rewritten: Callable[[Block], Block],
        *,
        may_cancel: bool = True,
    ) -> None:
        self._graph = graph
        self._equals = equals
        self.rewritten = rewritten
        self.may_cancel = may_cancel
        self._products: dict[tuple[Variable, bool], Product] = {}
        self._factor_ops: dict[Variable, frozenset[Op] | None] = {}
        self._sums: dict[Variable, Sum] = {}
        self._wholes: dict[Variable, Sum] = {}
        self._parts: dict[tuple[Variable, frozenset[str]], bool] = {}
        self._shortcuts: dict[Variable, Variable] = {}
        self.lengths = Lengths()
        self.ranges = Ranges()
        self.structures = Structures(self.lengths)

    def twin(self, node: Apply) -> Apply | None:
        """Another apply of the graph that computes the same."""
        return self._equals.twin(node)

    def is_shared(self, v: Variable) -> bool:
        """Whether the variable is read in more than one place."""
        return self._graph.is_shared(v)

    def readers(self, v: Variable) -> list[tuple[Apply | Sink, int]]:
        """Who reads the variable, and at which port."""
        return self._graph.clients(v)

    def is_part_of(self, v: Variable, family: frozenset[str]) -> bool:
        """Whether the only reader of v is an op of the family with v's dtype.

        Normal forms are taken at the top of such a chain, where all of it is seen at once.
        """
        known = self._parts.get((v, family))
        if known is None:
            known = self._parts[v, family] = not self.is_shared(v) and any(
                reader.op.name in family and reader.out.dtype == v.dtype
                for reader in self._graph.readers(v)
            )
        return known

    def product(self, v: Variable, *, deep: bool = False) -> Product:
        """The normal form of v as a product; to change it, change a copy.

        deep: also through a few parts that others read as well; the same object if there are none.
        """
        form = self._products.get((v, deep))
        if form is None:
            form = product_of(v, _after(DEEP) if deep else self.is_shared)
            plain = self.product(v) if deep else form
            if form == plain:
                form = plain
            self._products[v, deep] = form
        return form

    def factor_ops(self, v: Variable) -> frozenset[Op] | None:
        """The ops that compute the factors of v, deep ones too; None where v is part of a product.

        Tells the laws of products at once that there is nothing for them.
        """
        if v not in self._factor_ops:
            part = self.is_part_of(v, PRODUCTS)
            self._factor_ops[v] = (
                None if part else self.product(v).ops | self.product(v, deep=True).ops
            )
        return self._factor_ops[v]

    def sum(self, v: Variable) -> Sum:
        """The normal form of v as a sum; to change it, change a copy."""
        form = self._sums.get(v)
        if form is None:
            form = self._sums[v] = sum_of(v, self.is_shared)
        return form

    def shortcut(self, v: Variable) -> Variable | None:
        """A variable of the graph, further up, that is known to have the shape of v."""
        found = self._shortcuts.get(v)
        there = found is not None and (found.owner is None or found.owner in self._equals)
        return found if there else None

    def shorten(self, variables: Iterable[Variable], source: Variable) -> None:
        """Take note that variables have the shape of `source`; that stays true."""
        self._shortcuts.update(dict.fromkeys(variables, source))

    def changed(self) -> None:
        """Forget what was derived from the graph as it was."""
        self._products.clear()
        self._factor_ops.clear()
        self._sums.clear()
        self._wholes.clear()
        self._parts.clear()

    def are_opposite(self, x: Variable, y: Variable) -> bool:
        """Whether y is -x, as far as sums tell."""
        if x.dtype != y.dtype:
            total = sum_of(OPS["add"](x, y), lambda v: False)
            return not total.number and not any(t.coefficient for t in total.terms.values())
        ours, others = self._whole(x), self._whole(y)
        return (
            ours.number == -others.number
            and ours.terms.keys() == others.terms.keys()
            and all(
                t.coefficient == -others.terms[key].coefficient for key, t in ours.terms.items()
            )
        )

    def _whole(self, v: Variable) -> Sum:
        """The normal form of v as a sum, also through what others read; no term in it is 0."""
        form = self._wholes.get(v)
        if form is None:
            form = self._wholes[v] = sum_of(v, lambda part: False)
            form.terms = {key: t for key, t in form.terms.items() if t.coefficient}
        return form


DEEP = 24
"""Parts that a deep normal form looks through."""


def _after(count: int) -> Callable[[Variable], bool]:
    """False for the first so many variables that it is asked about."""
    numbers = itertools.count()
    return lambda v: next(numbers) >= count
