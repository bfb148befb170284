"""Between which numbers values lie, whatever they turn out to be.

What is known of a variable follows from its op (`Op.bounds`) and from what is known of what the
op reads.  A rewrite keeps values, so what was once inferred stays true.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from engine.expression import Apply, Constant, Variable, walk
from engine.types import COMPLEX, DISCRETE, FLOATS

INF = math.inf


@dataclass(frozen=True)
class Range:
    """The numbers that the elements may be: low ≤ x ≤ high, and NaN where `nan` is true."""

    low: float = -INF
    high: float = INF
    nan: bool = True

    @property
    def is_finite(self) -> bool:
        """Whether no element is infinite or NaN."""
        return not self.nan and self.low > -INF and self.high < INF


ANYTHING = Range()


class Ranges:
    """The range of each variable, inferred once."""

    def __init__(self) -> None:
        self._known: dict[Variable, Range] = {}

    def of(self, v: Variable) -> Range:
        """What is known of a variable; NaN apart, complex numbers have no bounds."""
        known = self._known.get(v)
        if known is None:
            for node in walk([v], stop=self._known.__contains__):
                for out in node.outputs:
                    self._known[out] = self._of_result(node, out)
            known = self._leaf(v)
        return known

    def is_never_negative(self, v: Variable) -> bool:
        """Whether no element is below 0."""
        return self.of(v).low >= 0

    def is_never_positive(self, v: Variable) -> bool:
        """Whether no element is above 0."""
        return self.of(v).high <= 0

    def is_positive(self, v: Variable) -> bool:
        """Whether every element that is a number is above 0."""
        return self.of(v).low > 0

    def is_finite(self, v: Variable) -> bool:
        """Whether no element is infinite or NaN."""
        return self.of(v).is_finite

    def _leaf(self, v: Variable) -> Range:
        known = self._known.get(v)
        if known is None:
            known = self._known[v] = _of_constant(v) if isinstance(v, Constant) else of_dtype(v)
        return known

    def _of_result(self, node: Apply, out: Variable) -> Range:
        whole = of_dtype(out)
        if out.dtype in COMPLEX:
            return whole
        read = [self._leaf(v) for v in node.inputs]
        found = _infer(node, read)
        if found is ANYTHING:
            found = whole
        if node.op.bounds is not None:
            low, high = node.op.bounds
            found = Range(max(found.low, low), min(found.high, high), found.nan)
        if found.low < whole.low or found.high > whole.high or _is_rounded(node, out):
            return whole  # integers wrap around
        return Range(*_outward(found.low, found.high, out.dtype), found.nan and whole.nan)


def _is_rounded(node: Apply, out: Variable) -> bool:
    """Whether the elements are made integers, or truth values, of other numbers."""
    first, last = (0, 1) if node.op.name == "cast" else MOVING.get(node.op.name, (0, 0))
    moved = node.inputs[first:last]
    rounded = out.dtype in DISCRETE and any(v.dtype not in DISCRETE for v in moved)
    return out.dtype == "bool" or rounded


def of_dtype(v: Variable) -> Range:
    """All that the dtype can hold."""
    if v.dtype == "bool":
        return Range(0, 1, nan=False)
    if v.dtype in DISCRETE:
        bounds = np.iinfo(v.dtype)
        return Range(int(bounds.min), int(bounds.max), nan=False)
    return ANYTHING


def _of_constant(v: Constant) -> Range:
    if v.dtype in COMPLEX or not v.data.size:
        return ANYTHING
    nan = bool(np.isnan(v.data).any())
    if np.isnan(v.data).all():
        return ANYTHING
    return Range(np.nanmin(v.data).item(), np.nanmax(v.data).item(), nan)


def _outward(low: float, high: float, dtype: str) -> tuple[float, float]:
    """Bounds that hold after rounding to the dtype as well."""
    if dtype not in FLOATS:
        return low, high
    if dtype == "float64":
        return float(low), float(high)  # which rounds integers as their cast does
    with np.errstate(all="ignore"):
        ends = np.array([low, high]).astype(dtype)
        if ends[0] != low:
            ends[0] = np.nextafter(ends[0], -np.inf, dtype=dtype)
        if ends[1] != high:
            ends[1] = np.nextafter(ends[1], np.inf, dtype=dtype)
    return float(ends[0]), float(ends[1])


def _infer(node: Apply, read: Sequence[Range]) -> Range:
    name = node.op.name
    if name in OF_RANGES:
        return OF_RANGES[name](*read)
    if name in KEEPING_ORDER:
        return Range(-INF, INF, read[0].nan)
    if name in MOVING:
        first, last = MOVING[name]
        return hull(read[first:last])
    match name:
        case "sub" if _is_largest_of(node.inputs[1], node.inputs[0]):
            return Range(-INF, 0)
        case "sub":
            return _add(read[0], _neg(read[1]))
        case "mul" if node.inputs[0] is node.inputs[1]:
            return _sqr(read[0])
        case "mul":
            return _mul(*read)
        case "pow":
            power = node.inputs[1]
            even = isinstance(power, Constant) and bool(np.all(power.data % 2 == 0))
            return Range(0 if even or read[0].low >= 0 else -INF, INF)
        case "sum" | "cumsum" | "mean" | "prod" | "cumprod":
            return Range(0 if read[0].low >= 0 else -INF, _never_above(name, read[0]))
        case _:
            return ANYTHING


def _never_above(name: str, x: Range) -> float:
    return 0 if x.high <= 0 and name in {"sum", "cumsum", "mean"} else INF


def _is_largest_of(v: Variable, x: Variable) -> bool:
    """Whether v is the largest of the elements of x, perhaps with axes put back."""
    while v.owner is not None and v.owner.op.name in {"dimshuffle", "fill"}:
        v = v.owner.inputs[-1]
    return v.owner is not None and v.owner.op.name == "max" and v.owner.inputs[0] is x


def hull(ranges: Iterable[Range]) -> Range:
    """What holds for all elements of several variables."""
    found = list(ranges)
    if not found:
        return ANYTHING
    return Range(min(r.low for r in found), max(r.high for r in found), any(r.nan for r in found))


def _add(x: Range, y: Range) -> Range:
    meet = (x.high == INF and y.low == -INF) or (x.low == -INF and y.high == INF)
    low = -INF if -INF in (x.low, y.low) else x.low + y.low
    high = INF if INF in (x.high, y.high) else x.high + y.high
    return Range(low, high, x.nan or y.nan or meet)


def _neg(x: Range) -> Range:
    return Range(-x.high, -x.low, x.nan)


def _mul(x: Range, y: Range) -> Range:
    ends = [_times(a, b) for a in (x.low, x.high) for b in (y.low, y.high)]
    meet = any(
        abs(a.low) + abs(a.high) == INF and b.low <= 0 <= b.high for a, b in ((x, y), (y, x))
    )
    return Range(min(ends), max(ends), x.nan or y.nan or meet)


def _times(a: float, b: float) -> float:
    return 0 if a == 0 or b == 0 else a * b


def _div(x: Range, y: Range) -> Range:
    if y.low > 0:
        # Not by way of 1 / y: it would be rounded twice.
        ends = [0 if b == INF else a / b for a in (x.low, x.high) for b in (y.low, y.high)]
        meet = y.high == INF and INF in (-x.low, x.high)
        return Range(min(ends), max(ends), x.nan or y.nan or meet)
    inverse = Range(0 if y.low >= 0 else -INF, 0 if y.high <= 0 else INF, nan=True)
    return replace(_mul(x, inverse), nan=True)


def _sqr(x: Range) -> Range:
    ends = sorted((_times(x.low, x.low), _times(x.high, x.high)))
    return Range(0 if x.low <= 0 <= x.high else ends[0], ends[1], x.nan)


def _abs(x: Range) -> Range:
    ends = sorted((abs(x.low), abs(x.high)))
    return Range(0 if x.low <= 0 <= x.high else ends[0], ends[1], x.nan)


def _largest(x: Range, y: Range) -> Range:
    return Range(max(x.low, y.low), max(x.high, y.high), x.nan or y.nan)


def _smallest(x: Range, y: Range) -> Range:
    return Range(min(x.low, y.low), min(x.high, y.high), x.nan or y.nan)


def _sqrt(x: Range) -> Range:
    low, high = (math.sqrt(max(end, 0)) for end in (x.low, x.high))
    return Range(low, high, x.nan or x.low < 0)


def _rising(f: Callable[[float], float]) -> Callable[[Range], Range]:
    """The range after a function that keeps order, and infinities as they are."""

    def found(x: Range) -> Range:
        low, high = (f(end) if abs(end) < INF else end for end in (x.low, x.high))
        return Range(low, high, x.nan)

    return found


OF_RANGES: dict[str, Callable[..., Range]] = {
    "add": _add,
    "neg": _neg,
    "true_div": _div,
    "inv": lambda x: _div(Range(1, 1, nan=False), x),
    "sqr": _sqr,
    "abs": _abs,
    "maximum": _largest,
    "minimum": _smallest,
    "clip": lambda x, low, high: _smallest(_largest(x, low), high),
    "relu": lambda x: _largest(x, Range(0, 0, nan=False)),
    "sqrt": _sqrt,
    "sgn": lambda x: Range((x.low > 0) - (x.low < 0), (x.high > 0) - (x.high < 0), x.nan),
    "floor": _rising(math.floor),
    "ceil": _rising(math.ceil),
    "trunc": _rising(math.trunc),
    "round_half_to_even": _rising(round),
    "cast": lambda x: x,
}
"""Ops whose results follow from the ends of the ranges that they read."""

KEEPING_ORDER = frozenset({"exp", "expm1", "sigmoid", "tanh", "softplus", "erf", "erfc", "arctan"})
"""Ops of one number that give NaN for NaN only."""

MOVING: dict[str, tuple[int, int | None]] = {
    "dimshuffle": (0, 1),
    "reshape": (0, 1),
    "reshape_like": (0, 1),
    "subtensor": (0, 1),
    "roll": (0, 1),
    "max": (0, 1),
    "min": (0, 1),
    "sort": (0, 1),
    "fill": (1, 2),
    "alloc": (0, 1),
    "switch": (1, 3),
    "ifelse": (1, 3),
    "join": (0, None),
    "stack": (0, None),
    "assign_at": (0, 2),
}
"""Ops whose elements are some of those of the inputs from the first number to before the second."""
