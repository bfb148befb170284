"""Between which integers the values of an expression lie, as far as that follows from the graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

import numpy as np

from engine.expression import Apply, Constant, Variable
from engine.types import DISCRETE, TensorType, normalize_axes

Interval = tuple[int, int]
"""The least and the greatest value that may come, both included."""
Types = Callable[[Variable], TensorType]

DEPTH = 12
"""How far an expression is followed."""
ANYTHING = (-(1 << 200), 1 << 200)
"""What floats are taken to lie between; no dtype of integers reaches so far."""


def interval(v: Variable, types: Types, depth: int = DEPTH) -> Interval:
    """The bounds of a tensor of integers or bools; its dtype has some at least.

    types: of every variable, with the lengths of this run.
    """
    if v.dtype not in DISCRETE:
        return ANYTHING
    widest = _of_dtype(v.dtype)
    if isinstance(v, Constant):
        return (int(v.data.min()), int(v.data.max())) if v.data.size else (0, 0)
    node = v.owner
    if node is None or not depth:
        return widest
    rule = RULES.get(node.op.name)
    found = rule and rule(node, lambda t: interval(t, types, depth - 1), types)
    # What does not fit is wrapped around.
    return found if found and widest[0] <= found[0] and found[1] <= widest[1] else widest


def _of_dtype(dtype: str) -> Interval:
    if dtype == "bool":
        return 0, 1
    bounds = np.iinfo(dtype)
    return int(bounds.min), int(bounds.max)


Of = Callable[[Variable], Interval]
Rule = Callable[[Apply, Of, Types], Interval | None]


def _length(node: Apply, types: Types, axes: Sequence[int]) -> Interval | None:
    """Numbers that count some axes of the first input."""
    lengths = [types(node.inputs[0]).shape[k] for k in axes]
    known = [n for n in lengths if n is not None]
    return (0, max(prod(known) - 1, 0)) if len(known) == len(lengths) else None


def _place(node: Apply, of: Of, types: Types) -> Interval | None:
    return _length(node, types, normalize_axes(node.params["axis"], node.inputs[0].ndim))


def _positions(node: Apply, of: Of, types: Types) -> Interval | None:
    return _length(node, types, (0,))


def _first(node: Apply, of: Of, types: Types) -> Interval:
    return of(node.inputs[0])


def _union(node: Apply, of: Of, types: Types) -> Interval:
    parts = [of(v) for v in node.inputs]
    return min(a for a, _ in parts), max(b for _, b in parts)


def _switch(node: Apply, of: Of, types: Types) -> Interval:
    (a, b), (c, d) = of(node.inputs[1]), of(node.inputs[2])
    return min(a, c), max(b, d)


def _add(node: Apply, of: Of, types: Types) -> Interval:
    (a, b), (c, d) = map(of, node.inputs)
    return a + c, b + d


def _sub(node: Apply, of: Of, types: Types) -> Interval:
    (a, b), (c, d) = map(of, node.inputs)
    return a - d, b - c


def _mul(node: Apply, of: Of, types: Types) -> Interval:
    (a, b), (c, d) = map(of, node.inputs)
    corners = (a * c, a * d, b * c, b * d)
    return min(corners), max(corners)


def _mod(node: Apply, of: Of, types: Types) -> Interval | None:
    low, high = of(node.inputs[1])
    return (0, high - 1) if low > 0 else None


def _floor_div(node: Apply, of: Of, types: Types) -> Interval | None:
    (a, b), (low, high) = map(of, node.inputs)
    if low <= 0:
        return None
    corners = (a // low, a // high, b // low, b // high)
    return min(corners), max(corners)


def _minimum(node: Apply, of: Of, types: Types) -> Interval:
    (a, b), (c, d) = map(of, node.inputs)
    return min(a, c), min(b, d)


def _maximum(node: Apply, of: Of, types: Types) -> Interval:
    (a, b), (c, d) = map(of, node.inputs)
    return max(a, c), max(b, d)


def _clip(node: Apply, of: Of, types: Types) -> Interval:
    (a, b), low, high = map(of, node.inputs)
    bottom, top = max(a, low[0]), max(b, low[1])
    return min(bottom, high[0]), min(top, high[1])


RULES: dict[str, Rule] = {
    "add": _add,
    "alloc": _first,
    "argmax": _place,
    "argmin": _place,
    "argsort": _place,
    "cast": _first,
    "clip": _clip,
    "dimshuffle": _first,
    "fill": lambda node, of, types: of(node.inputs[1]),
    "flatten": _first,
    "full": _first,
    "int_div": _floor_div,
    "join": _union,
    "maximum": _maximum,
    "minimum": _minimum,
    "mod": _mod,
    "mul": _mul,
    "positions": _positions,
    "reshape_like": _first,
    "reshape_to": _first,
    "stack": _union,
    "sub": _sub,
    "subtensor": _first,
    "switch": _switch,
}
"""What the values of these ops lie between."""
