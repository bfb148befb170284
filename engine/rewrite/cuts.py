"""Parts that lie in a tensor axis by axis: one place or one slice of each.

Laws of parts are laws of these; an index with arrays, masks or new axes is none of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engine.expression import Apply, Variable
from engine.ops.index import REST, WHOLE, WIRED, Entry
from engine.ops.indexing import subtensor
from engine.types import INTEGERS


@dataclass(frozen=True)
class Cut:
    """What is taken of one axis: the entry of the index, and what is wired into it."""

    entry: Entry = WHOLE
    wires: tuple[Variable, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether nothing is left out."""
        return self.entry == WHOLE

    @property
    def is_place(self) -> bool:
        """Whether one place is taken, after which the axis is gone."""
        return not isinstance(self.entry, tuple)

    @property
    def place(self) -> int | None:
        """The place, where it is known; negative if it is counted from the end."""
        return self.entry if isinstance(self.entry, int) else None

    @property
    def bounds(self) -> tuple[int | None, int | None, int] | None:
        """Start, stop and step of a slice, where they are known."""
        if not isinstance(self.entry, tuple) or self.wires:
            return None
        start, stop, step = (b if isinstance(b, int) else None for b in self.entry)
        return start, stop, 1 if step is None else step


def cuts_of(index: Sequence[Entry], wires: Sequence[Variable], ndim: int) -> list[Cut] | None:
    """What an index takes of each axis; None where it is not one place or slice of each."""
    given = iter(wires)
    found: list[Cut] = []
    rest: int | None = None
    for entry in index:
        if entry is None:
            return None
        if entry == REST:
            rest = len(found)
            continue
        count = entry.count(WIRED) if isinstance(entry, tuple) else int(entry == WIRED)
        own = tuple(next(given) for _ in range(count))
        if any(v.ndim or v.dtype not in INTEGERS for v in own):
            return None
        found.append(Cut(entry, own))
    at = len(found) if rest is None else rest
    found[at:at] = [Cut()] * (ndim - len(found))
    return found


def cuts_of_part(node: Apply) -> list[Cut] | None:
    """What a subtensor takes of each axis of its tensor."""
    x, *wires = node.inputs
    return cuts_of(node.params["index"], wires, x.ndim)


def cut(x: Variable, cuts: Sequence[Cut]) -> Variable:
    """The part of x; x itself where nothing is left out."""
    own = list(cuts)
    while own and own[-1].is_whole:
        own.pop()
    if not own:
        return x
    wires = [v for c in own for v in c.wires]
    return subtensor.apply([x, *wires], {"index": tuple(c.entry for c in own)}).out


def cut_again(first: Cut, second: Cut, n: int | None) -> Cut | None:
    """The cut of what another left of an axis of length n, as one cut of the axis.

    None where the two are no single cut for every length, or where it is not known which.
    """
    if second.is_whole:
        return first
    if first.is_whole:
        return second
    bounds = first.bounds
    if bounds is None or second.wires:
        return None
    if n is not None:
        return _among(range(n)[slice(*bounds)], second)
    if second.place is not None:
        at = _place_after(bounds, second.place)
        return None if at is None else Cut(at)
    assert second.bounds is not None
    entry = _slice_after(bounds, second.bounds)
    return None if entry is None else Cut(entry)


def _among(left: range, second: Cut) -> Cut | None:
    if second.place is not None:
        inside = -len(left) <= second.place < len(left)
        return Cut(left[second.place]) if inside else None
    bounds = second.bounds
    assert bounds is not None
    return Cut(slice_of(left[slice(*bounds)]))


def slice_of(places: range) -> tuple[int | None, int | None, int | None]:
    """The slice that takes these places, none of them negative."""
    if not places:
        return 0, 0, None
    stop = places.stop if places.step > 0 else max(places.stop, -1)
    return places.start, None if stop < 0 else stop, None if places.step == 1 else places.step


def _place_after(bounds: tuple[int | None, int | None, int], at: int) -> int | None:
    """The place in an axis of any length; None where an error would no longer be one."""
    start, stop, step = bounds
    if (start, stop, step) == (None, None, -1):
        return -1 - at
    first = start or 0
    if step < 1 or first < 0:
        return None
    if at >= 0:
        place = first + at * step
        return place if stop is None or 0 <= place < stop else None
    # From the end of what ends before the end.
    return stop + at if first == 0 and step == 1 and stop is not None and stop < 0 else None


def _slice_after(
    bounds: tuple[int | None, int | None, int], then: tuple[int | None, int | None, int]
) -> Entry:
    """The slice of an axis of any length; None where it would be another for each length."""
    start, stop, step = bounds
    a, b, by = then
    if (start, stop, step) == (None, None, -1):
        return (None if a is None else -1 - a, None if b is None else -1 - b, -by)
    first, second = start or 0, a or 0
    if step < 1 or by < 1 or first < 0 or second < 0:
        return None
    begin = first + second * step
    every = None if step * by == 1 else step * by
    if (stop is None or stop >= 0) and (b is None or b >= 0):
        ends = [e for e in (stop, None if b is None else first + b * step) if e is not None]
        return (begin or None, min(ends) if ends else None, every)
    if step == 1 and (stop is None or stop < 0) and (b is None or b < 0):
        return (begin or None, (stop or 0) + (b or 0) or None, every)
    return None
