"""Slices whose length is plain although their bounds are computed: `x[i * 20:(i + 1) * 20]`.

They have it if they lie on the axis as a whole, which is known only when it runs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from engine.expression import Variable
from engine.ops.index import Index, Item, Span, Wire
from engine.types import INTEGERS

DEPTH = 12
"""How far a bound is followed."""

Value = Callable[[Variable], Any]


def regular(
    index: Index, given: Sequence[Variable], shape: Sequence[int | None], value: Value
) -> Index:
    """The index with the reach of such slices filled in.

    given: what is wired in.  shape: that of the tensor.  value: what a variable holds, None where
    that is not known.
    """

    def filled(item: Item) -> Item:
        if not isinstance(item, Span) or item.bounds is not None:
            return item
        start, stop, step = item.ends
        n = shape[item.axis]
        if not isinstance(start, Wire) or not isinstance(stop, Wire) or isinstance(step, Wire):
            return item
        reach = _difference(given[stop.number], given[start.number], value)
        if n is None or reach is None or not 0 <= reach <= n or (step or 1) < 1:
            return item
        return replace(item, reach=reach)

    return Index(tuple(map(filled, index.items)), index.adjacent)


def _difference(stop: Variable, start: Variable, value: Value) -> int | None:
    """How much greater the one is than the other, where that is the same whatever they are."""
    terms = _linear(stop, value)
    terms.subtract(_linear(start, value))
    constant = terms.pop(None, 0)
    return None if any(terms.values()) else constant


def _linear(v: Variable, value: Value, depth: int = DEPTH) -> Counter[Variable | None]:
    """A number as a sum of variables, so many times each; None stands for 1."""
    known = value(v)
    if known is not None:
        return Counter({None: int(known)})
    node = v.owner
    if node is None or not depth or any(t.dtype not in INTEGERS for t in node.inputs):
        return Counter({v: 1})
    match node.op.name, [_linear(t, value, depth - 1) for t in node.inputs]:
        case "add", [x, y]:
            x.update(y)
            return x
        case "sub", [x, y]:
            x.subtract(y)
            return x
        case "neg", [x]:
            return Counter({k: -n for k, n in x.items()})
        case "mul", [x, y] if x.keys() <= {None} or y.keys() <= {None}:
            factor, of = (x[None], y) if x.keys() <= {None} else (y[None], x)
            return Counter({k: factor * n for k, n in of.items()})
        case "cast", [x]:
            return x
    return Counter({v: 1})
