"""Which axes are known to be equally long, whatever their length turns out to be."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from engine.errors import EngineError
from engine.expression import Apply, Variable, walk
from engine.known import known_value
from engine.ops.products import subscripts_of
from engine.types import TensorType

FIRST = 10**15
STEP = 10**9 + 7
"""Symbols start here and are this far apart, so that arithmetic on one does not meet another."""

SQUARE = frozenset(
    {"cholesky", "det", "eig", "eigh", "eigvals", "eigvalsh", "lu", "matrix_inverse", "slogdet"}
    | {"solve"}
)
"""Ops that fail unless their first input is as many rows as columns."""


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

    @staticmethod
    def is_known(n: int) -> bool:
        """Whether a symbol is the length itself."""
        return n < FIRST

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
        known = [self._value(v) for v in node.inputs] if node.op.reads_values else []
        lengths = [tuple(map(self._find, self._leaf(v))) for v in node.inputs]
        long = _results(node, lengths, known) or [v.type.shape for v in node.outputs]
        symbols = {n for own in lengths for n in own} | {int(n) for n in known if _is_length(n)}
        unknown = [n for n in sorted(symbols, reverse=True) if n >= FIRST]
        # Where a result is as long as an input only if that is long enough, as x[:100] is, or
        # longer than another, as a diagonal, short lengths in reverse order show it.
        shorter = [{n: 2 + i for i, n in enumerate(unknown)}]
        if any(n is not None and n < FIRST for own in long for n in own):
            # Where it is the same for all that are long, single ones that are not show it.
            shorter += [{n: few} for n in unknown for few in (0, 1)]
        tried = [(short, _at(short, node, lengths, known)) for short in shorter if unknown]
        for i, v in enumerate(node.outputs):
            if v not in self._known:
                self._known[v] = tuple(
                    1
                    if stretches
                    else n
                    if n is not None
                    and (n == own or all(_holds(n, short, found, i, k) for short, found in tried))
                    else next(self._fresh)
                    for k, (n, own, stretches) in enumerate(
                        zip(long[i], v.type.shape, v.broadcastable, strict=True)
                    )
                )

    def _value(self, v: Variable) -> Any:
        """The value of a small integer, where it is read off a shape as a symbol."""
        known = known_value(v)
        axis = axis_read(v) if known is None else None
        if axis is None:
            return known
        x, i = axis
        return np.array(self._find(self._leaf(x)[i]))

    def _meet(self, node: Apply) -> None:
        """Axes of what is joined are equally long, those of a square, those with one letter."""
        if node.op.name in {"join", "stack"}:
            along = node.params["axis"] % node.out.ndim if node.op.name == "join" else -1
            for i in range(node.inputs[0].ndim):
                known = [self._leaf(v)[i] for v in node.inputs if not v.broadcastable[i]]
                for n in known[1:] if i != along else ():
                    self._unify(known[0], n)
        if node.op.name in SQUARE:
            rows, columns = self._leaf(node.inputs[0])[-2:]
            self._unify(rows, columns)
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


def axis_read(v: Variable) -> tuple[Variable, int] | None:
    """The tensor and the axis of which v is the length, where it is read off a shape."""
    part = v.owner
    if part is None or part.op.name != "subtensor" or v.ndim or len(part.inputs) > 1:
        return None
    shape, (at, *_) = part.inputs[0].owner, part.params["index"]
    if shape is None or shape.op.name != "shape" or not isinstance(at, int):
        return None
    (x,) = shape.inputs
    return (x, at % x.ndim) if -x.ndim <= at < x.ndim else None


Found = list[tuple[int | None, ...]] | None


def _results(node: Apply, lengths: Sequence[Sequence[int]], known: Sequence[Any]) -> Found:
    """The lengths of the results for inputs of these; None where there are none."""
    types = [
        TensorType(v.dtype, own, v.broadcastable)
        for v, own in zip(node.inputs, lengths, strict=True)
    ]
    # Lengths that must be equal, but are not known to be, do not fit together: perhaps those of
    # the first input tell enough.
    for given in (types, [*types[:1], *(v.type for v in node.inputs[1:])]):
        with suppress(EngineError, OverflowError):  # no range is as long as a product of symbols
            return [t.shape for t in node.op.types(given, node.params, known)]
    return None


def _at(
    short: Mapping[int, int], node: Apply, lengths: Sequence[Sequence[int]], known: Sequence[Any]
) -> Found:
    """The lengths of the results where those that are not known are as short as that."""
    return _results(
        node,
        [[short.get(n, n) for n in own] for own in lengths],
        [np.array(short.get(int(n), int(n))) if _is_length(n) else n for n in known],
    )


def _is_length(n: Any) -> bool:
    """Whether a known value is one whole number."""
    return n is not None and not n.ndim and n.dtype.kind in "iu"


def _holds(n: int, short: Mapping[int, int], found: Found, i: int, axis: int) -> bool:
    """Whether a length that was found holds for these lengths, if they can be."""
    other = None if found is None else found[i][axis]
    return other is None or other == short.get(n, n) or (n >= FIRST and n not in short)
