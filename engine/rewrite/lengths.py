"""Which axes are known to be equally long, whatever their length turns out to be."""

from __future__ import annotations

import itertools

from engine.errors import EngineError
from engine.expression import Apply, Variable, walk
from engine.known import known_value
from engine.ops.products import subscripts_of
from engine.types import TensorType

FIRST = 10**15
STEP = 10**9 + 7
"""Symbols start here and are this far apart, so that arithmetic on one does not meet another."""


class Lengths:
    """A symbol for the length of each axis; equal symbols are equal lengths.

    Symbols are large numbers, so that the type rules of the ops carry them along by themselves.
    An elementwise op tells that its inputs are equally long: had they not been, it would have
    failed.
    """

    def __init__(self) -> None:
        self._fresh = itertools.count(FIRST, STEP)
        self._known: dict[Variable, tuple[int, ...]] = {}
        self._parent: dict[int, int] = {}

    def of(self, v: Variable) -> tuple[int, ...]:
        """The symbols of a variable's axes; 1 for an axis that stretches."""
        for node in walk([v], stop=self._is_opaque):
            self._infer(node)
        return tuple(map(self._find, self._leaf(v)))

    def covers(self, v: Variable, model: Variable) -> bool:
        """Whether v already has the shape that it would have after stretching against `model`."""
        if v.ndim < model.ndim:
            return False
        own, other = self.of(v), self.of(model)
        lead = v.ndim - model.ndim
        return all(
            stretches or (not v.broadcastable[lead + i] and own[lead + i] == other[i])
            for i, stretches in enumerate(model.broadcastable)
        )

    def _is_opaque(self, v: Variable) -> bool:
        # A branch that may not be taken says nothing about lengths.
        return v in self._known or (v.owner is not None and v.owner.op.lazy is not None)

    def _leaf(self, v: Variable) -> tuple[int, ...]:
        known = self._known.get(v)
        if known is None:
            known = self._known[v] = self._new(v)
        return known

    def _new(self, v: Variable) -> tuple[int, ...]:
        return tuple(
            1 if stretches else next(self._fresh) if n is None else n
            for n, stretches in zip(v.type.shape, v.broadcastable, strict=True)
        )

    def _infer(self, node: Apply) -> None:
        if node.op.is_elementwise:
            self._known[node.out] = self._elementwise(node)
            return
        self._meet(node)
        types = [
            TensorType(v.dtype, map(self._find, self._leaf(v)), v.broadcastable)  # type: ignore[arg-type]
            for v in node.inputs
        ]
        try:
            known = [known_value(v) for v in node.inputs] if node.op.reads_values else ()
            results = node.op.types(types, node.params, known)
        except EngineError:
            results = tuple(v.type for v in node.outputs)
        for v, t in zip(node.outputs, results, strict=True):
            if v in self._known:
                continue
            self._known[v] = tuple(
                1 if stretches else next(self._fresh) if n is None else n
                for n, stretches in zip(t.shape, v.broadcastable, strict=True)
            )

    def _meet(self, node: Apply) -> None:
        """Axes of a product that have the same letter are equally long."""
        axes = subscripts_of(node)
        met: dict[str, int] = {}
        for term, v in zip(axes.operands if axes else (), node.inputs, strict=False):
            for letter, n in zip(term, self._leaf(v), strict=True):
                if n != 1:
                    self._unify(met.setdefault(letter, n), n)

    def _elementwise(self, node: Apply) -> tuple[int, ...]:
        ndim = node.out.ndim
        symbols: list[int] = [1] * ndim
        for v in node.inputs:
            lead = ndim - v.ndim
            for i, n in enumerate(self._leaf(v)):
                if v.broadcastable[i]:
                    continue
                if symbols[lead + i] != 1:
                    self._unify(symbols[lead + i], n)
                symbols[lead + i] = n
        return tuple(symbols)

    def _find(self, n: int) -> int:
        while n in self._parent:
            n = self._parent[n]
        return n

    def _unify(self, a: int, b: int) -> None:
        a, b = self._find(a), self._find(b)
        # The smaller one stands for both, so that a known length stands for an unknown one.
        if a != b and max(a, b) >= FIRST:
            self._parent[max(a, b)] = min(a, b)
