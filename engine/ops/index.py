"""What an index means: which elements of a tensor it takes, and in what shape they come out.

An index is kept as a tuple of entries, which are read as NumPy reads them:

    3           one place of an axis, and the axis goes
    (1, 8, 2)   a slice: start, stop and step, None where it is left out
    None        a new axis of length 1
    "..."       all axes that no other entry is for
    "?"         a tensor that is wired in: an integer, an array of integers, or a mask of bools,
                which is for as many axes as it has

A bound of a slice is "?" too where it is an integer that is wired in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import islice
from typing import Any

import numpy as np

from engine.errors import EngineError, IndexOutOfRangeError, ParameterError, TypeMismatchError
from engine.types import INTEGERS, TensorType, broadcast, shape_text

Array = np.ndarray[Any, Any]
Bound = int | str | None
Entry = int | str | tuple[Bound, Bound, Bound] | None
Entries = tuple[Entry, ...]
Bounds = tuple[int | None, int | None, int | None]
Layout = tuple[int, tuple[int, ...], tuple[int, ...]]

WIRED = "?"
REST = "..."
WHOLE = (None, None, None)


@dataclass(frozen=True)
class Place:
    """One place of an axis; `at` is None where that is not known, but read from the wire."""

    axis: int
    at: int | None
    wire: Wire | None = None

    @property
    def key(self) -> int | None:
        """The entry as NumPy takes it."""
        return self.at


@dataclass(frozen=True)
class Span:
    """A slice of an axis; `bounds` is None where one of them is not known.

    ends: start, stop and step then, as they were given.  reach: how far they are apart, where
    that is known all the same, and there is room for it: see `engine.ops.slices`.
    """

    axis: int
    bounds: Bounds | None
    ends: tuple[int | Wire | None, ...] = ()
    reach: int | None = None

    @property
    def key(self) -> slice | None:
        """The entry as NumPy takes it."""
        return slice(*self.bounds) if self.bounds else None

    def picked(self, n: int) -> range:
        """The places that it takes of an axis of length n."""
        assert self.bounds
        return range(*slice(*self.bounds).indices(n))

    def length(self, n: int | None) -> int | None:
        """How many places it takes of an axis of length n."""
        if self.reach is not None:
            return len(range(0, self.reach, self.ends[2] if isinstance(self.ends[2], int) else 1))
        return None if n is None or self.bounds is None else len(self.picked(n))


@dataclass(frozen=True)
class NewAxis:
    """An axis of length 1 that was not there."""

    key = None


@dataclass(frozen=True)
class Gap:
    """An ellipsis for no axis at all; it still stands between what is left and right of it."""

    key = Ellipsis


@dataclass(frozen=True, eq=False)
class Wire:
    """What is wired in for a "?": its place among the wires, its type, its value if known."""

    number: int
    type: TensorType
    value: Array | None

    def refused(self, message: str, expected: str, hint: str | None = None) -> TypeMismatchError:
        """The error of something that cannot stand there."""
        return TypeMismatchError(
            message,
            port=f"indices.{self.number}",
            expected=expected,
            got=str(self.type),
            hint=hint,
        )


@dataclass(frozen=True)
class Gather:
    """Places of an axis, in an array of any rank."""

    axis: int
    wire: Wire

    @property
    def key(self) -> Array | None:
        """The entry as NumPy takes it."""
        return self.wire.value

    @property
    def taken(self) -> TensorType:
        """The type of the array of places."""
        return self.wire.type


@dataclass(frozen=True)
class Mask:
    """The places at which an array of bools is true; it is for as many axes as it has."""

    axis: int
    wire: Wire

    @property
    def key(self) -> Array | None:
        """The entry as NumPy takes it."""
        return self.wire.value

    @property
    def taken(self) -> TensorType:
        """The type of the array of places, one after the other."""
        value = self.wire.value
        return TensorType("int64", (None if value is None else int(np.count_nonzero(value)),))


Item = Place | Span | NewAxis | Gap | Gather | Mask


@dataclass(frozen=True)
class Index:
    """An index, read for a tensor of a certain rank.

    items: the entries, each with the axis that it is for.  adjacent: whether those that take
    single places stand side by side: then what they take comes out where they stand, otherwise
    in front.
    """

    items: tuple[Item, ...]
    adjacent: bool

    @classmethod
    def read(
        cls,
        entries: Entries,
        ndim: int,
        types: Sequence[TensorType] = (),
        values: Sequence[Any] = (),
    ) -> Index:
        """The index of these entries into a tensor of rank `ndim`.

        types, values: of what is wired in for each "?"; a value is None where it is not known.
        Raises IndexOutOfRangeError for too many entries, TypeMismatchError for what is no index,
        ParameterError for entries that mean nothing.
        """
        paired = _paired(entries, types, values)
        rest = ndim - _axes_used(paired, ndim)
        axis = 0
        items: list[Item] = []
        for entry, wires in paired if REST in entries else [*paired, (REST, [])]:
            if entry is None:
                items.append(NewAxis())
            elif entry == REST:
                items += [Span(axis + i, WHOLE) for i in range(rest)] or [Gap()]
                axis += rest
            else:
                items.append(_item(axis, entry, wires))
                axis += _axes_of(entry, wires)
        return cls(tuple(items), _are_adjacent(entries))

    @classmethod
    def of_values(cls, entries: Entries, ndim: int, given: Sequence[Any]) -> Index:
        """The index where everything that is wired in is known."""
        if all(np.ndim(a) == 0 and a.dtype.kind in "iu" for a in given):
            return _without_wires(_filled(entries, given) if given else entries, ndim)
        arrays = [np.asarray(a) for a in given]
        return cls.read(entries, ndim, [TensorType(a.dtype, a.shape) for a in arrays], arrays)

    @cached_property
    def key(self) -> tuple[Any, ...]:
        """The index as NumPy takes it; everything in it must be known."""
        return tuple(item.key for item in self.items)

    @property
    def gathers(self) -> list[Gather]:
        """The arrays of places: only where there are some may a place be taken twice."""
        return [item for item in self.items if isinstance(item, Gather)]

    @property
    def taken(self) -> TensorType | None:
        """The type of the arrays of places, stretched to one shape; None if there are none."""
        arrays = [item for item in self.items if isinstance(item, Gather | Mask)]
        if not arrays:
            return None
        names = [f"the index of axis {item.axis}" for item in arrays]
        try:
            together = broadcast([item.taken for item in arrays], names)
        except EngineError as error:
            error.port = "indices"
            raise
        unknown = any(isinstance(i, Mask) and i.wire.value is None for i in arrays)
        if unknown and together.shape[-1] == 1:  # one place stretches to as many as the mask has
            return TensorType(together.dtype, (*together.shape[:-1], None), together.broadcastable)
        return together

    def check(self, shape: Sequence[int | None]) -> None:
        """Raise IndexOutOfRangeError for what is known to lie outside of a tensor of this shape."""
        for item in self.items:
            if isinstance(item, Place):
                if item.at is not None:
                    _check_places(item.at, item.at, item.axis, shape[item.axis])
            elif isinstance(item, Gather):
                value = item.wire.value
                if value is not None and value.size:
                    _check_places(int(value.min()), int(value.max()), item.axis, shape[item.axis])
            elif isinstance(item, Mask):
                _check_mask(item, shape)

    def part(self, x: TensorType) -> TensorType:
        """The type of what it takes of a tensor; raises where it cannot be taken."""
        self.check(x.shape)
        taken = self.taken
        lengths: list[int | None] = []
        pattern: list[bool] = []
        at = None if self.adjacent else 0
        for item in self.items:
            if isinstance(item, Span):
                n = item.length(x.shape[item.axis])
                lengths.append(n)
                pattern.append(x.broadcastable[item.axis] and n == 1)
            elif isinstance(item, NewAxis):
                lengths.append(1)
                pattern.append(True)
            elif at is None and not isinstance(item, Gap):
                at = len(lengths)
        if taken is not None:
            lengths[at:at] = taken.shape
            pattern[at:at] = taken.broadcastable
        return TensorType(x.dtype, lengths, pattern)

    def layout(self, shape: tuple[int, ...], strides: tuple[int, ...]) -> Layout | None:
        """Where the part lies in a tensor: offset, shape and strides in elements.

        None where it does not lie there, or where is not known.
        """
        offset, lengths, steps = 0, [], []
        for item in self.items:
            match item:
                case NewAxis():
                    lengths.append(1)
                    steps.append(0)
                case Place(axis, at) if at is not None:
                    offset += (at + shape[axis] if at < 0 else at) * strides[axis]
                case Span(axis, bounds) if bounds is not None:
                    picked = item.picked(shape[axis])
                    # Of an axis of length 1 a part is the axis itself, whichever way it runs.
                    whole = len(picked) == shape[axis] == 1
                    offset += picked.start * strides[axis] if len(picked) else 0
                    lengths.append(len(picked))
                    steps.append(strides[axis] if whole else picked.step * strides[axis])
                case Gap():
                    pass
                case _:
                    return None
        return offset, tuple(lengths), tuple(steps)


@lru_cache(maxsize=1024)
def _without_wires(entries: Entries, ndim: int) -> Index:
    return Index.read(entries, ndim)


def _filled(entries: Entries, given: Sequence[Any]) -> Entries:
    """The entries with integers in place of what is wired in."""
    numbers = iter(map(int, given))

    def number(e: Any) -> Any:
        return next(numbers) if e == WIRED else e

    return tuple(tuple(map(number, e)) if isinstance(e, tuple) else number(e) for e in entries)


Paired = list[tuple[Entry, list[Wire]]]


def _paired(entries: Entries, types: Sequence[TensorType], values: Sequence[Any]) -> Paired:
    """Each entry with what is wired in for it."""
    asked = [e.count(WIRED) if isinstance(e, tuple) else int(e == WIRED) for e in entries]
    if sum(asked) != len(types):
        raise ParameterError(
            f"The index has {sum(asked)} ?, but {len(types)} "
            f"{'is' if len(types) == 1 else 'are'} wired in.",
            port="index",
            expected=f"{sum(asked)} at indices",
            got=str(len(types)),
            hint="Each ? of an index stands for one wire into indices.",
        )
    wires = map(Wire, range(len(types)), types, values or [None] * len(types))
    return [(e, list(islice(wires, n))) for e, n in zip(entries, asked, strict=True)]


def _axes_of(entry: Entry, wires: Sequence[Wire]) -> int:
    """How many axes an entry is for, the ellipsis apart."""
    if entry is None or entry == REST:
        return 0
    return max(1, wires[0].type.ndim) if entry == WIRED and wires[0].type.dtype == "bool" else 1


def _axes_used(paired: Paired, ndim: int) -> int:
    """How many axes the entries are for, the ellipsis apart."""
    if sum(entry == REST for entry, _ in paired) > 1:
        raise ParameterError(
            "An index can have only one ellipsis.", port="index", expected="one ...", got="several"
        )
    used = sum(_axes_of(entry, wires) for entry, wires in paired)
    if used > ndim:
        raise IndexOutOfRangeError(
            f"{used} {'index is' if used == 1 else 'indices are'} too many for {ndim} "
            f"{'axis' if ndim == 1 else 'axes'}.",
            port="index",
            expected=f"at most {ndim}",
            got=str(used),
        )
    return used


def _are_adjacent(entries: Entries) -> bool:
    """Whether entries that take single places have no other between them."""
    at = [i for i, e in enumerate(entries) if isinstance(e, int) or e == WIRED]
    return not at or at[-1] - at[0] + 1 == len(at)


def _item(axis: int, entry: Entry, wires: Sequence[Wire]) -> Item:
    """The item of an entry that is for an axis or more."""
    if isinstance(entry, int):
        return Place(axis, entry)
    if isinstance(entry, tuple):
        bounds = _bounds(entry, wires)
        unread = iter(wires if bounds is None else ())
        ends = tuple(next(unread, None) if isinstance(b, str) else b for b in entry)
        return Span(axis, bounds) if bounds else Span(axis, None, ends)
    (wire,) = wires
    type, value = wire.type, wire.value
    if type.dtype in INTEGERS:
        if type.ndim:
            return Gather(axis, wire)
        return Place(axis, None, wire) if value is None else Place(axis, int(value))
    if type.dtype == "bool" and type.ndim:
        return Mask(axis, wire)
    expected = "an integer, an array of integers, or a mask of bools"
    if type.dtype == "bool":
        hint = "Use switch or ifelse to choose by a condition."
        raise wire.refused("A truth value is no index.", expected, hint)
    raise wire.refused("An index must be a whole number.", expected)


def _bounds(entry: tuple[Bound, Bound, Bound], wires: Sequence[Wire]) -> Bounds | None:
    """The bounds of a slice; None where one is not known."""
    for wire in wires:
        if wire.type.ndim or wire.type.dtype not in INTEGERS:
            raise wire.refused("The bounds of a slice must be whole numbers.", "an integer scalar")
    values = [wire.value for wire in wires if wire.value is not None]
    if len(values) < len(wires):
        return None
    given = map(int, values)
    start, stop, step = (next(given) if isinstance(b, str) else b for b in entry)
    if step == 0:
        raise ParameterError(
            "The step of a slice cannot be 0.", port="index", expected="1, 2, -1, ...", got="0"
        )
    return start, stop, step


def _check_places(low: int, high: int, axis: int, n: int | None) -> None:
    if n is None or (-n <= low and high < n):
        return
    at = high if high >= n else low
    raise IndexOutOfRangeError(
        f"Index {at} is outside axis {axis}, which has length {n}.",
        expected=f"{-n} to {n - 1}" if n else "no index: the axis is empty",
        got=str(at),
    )


def _check_mask(mask: Mask, shape: Sequence[int | None]) -> None:
    own = mask.wire.type.shape
    for i, n in enumerate(own):
        length = shape[mask.axis + i]
        if n is not None and length is not None and n != length:
            covered = tuple(shape[mask.axis : mask.axis + len(own)])
            raise IndexOutOfRangeError(
                f"A mask of shape {shape_text(own)} does not fit on axis "
                f"{mask.axis + i}, which has length {length}.",
                port="indices",
                expected=shape_text(covered),
                got=shape_text(own),
            )


def index_text(
    entries: Entries, wired: Sequence[str] = (), rest: str = REST, new: str = "None"
) -> str:
    """An index as it is written in Python; "?" where no text is given for what is wired in.

    rest, new: how an ellipsis and a new axis are written.
    """
    texts = iter(wired)

    def shown(bound: Bound) -> str:
        return next(texts, WIRED) if bound == WIRED else "" if bound is None else str(bound)

    parts = []
    for entry in entries or (REST,):
        if isinstance(entry, tuple):
            start, stop, step = map(shown, entry)
            parts.append(f"{start}:{stop}" + (f":{step}" if step else ""))
        else:
            parts.append(new if entry is None else rest if entry == REST else shown(entry))
    return ", ".join(parts)
