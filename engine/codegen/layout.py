"""Where the elements of a tensor lie in memory, in lengths that are known only when a graph runs.

A length of an axis is an `Extent`.  Two axes that must always be equally long share one extent,
so that what the compiler decides depends on the graph and never on the size of a batch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

LITERAL_LIMIT = 8
"""Lengths that the graph itself fixes are written into the kernel up to this one."""


class Extent:
    """The length of one axis or more.

    length: how long it is in this run.  literal: whether the graph fixes it, so that it may
    stand in a kernel's text.
    """

    __slots__ = ("_literal", "_same", "length")

    def __init__(self, length: int, literal: bool = False) -> None:
        self.length = length
        self._literal = literal and length <= LITERAL_LIMIT
        self._same: Extent | None = None

    def root(self) -> Extent:
        """The one extent that stands for all that are always as long as this one."""
        extent = self
        while extent._same is not None:
            extent = extent._same
        return extent

    @property
    def literal(self) -> bool:
        """Whether the graph fixes the length."""
        return self.root()._literal

    def unify(self, other: Extent) -> None:
        """State that both are always equally long."""
        a, b = self.root(), other.root()
        if a is not b:
            a._literal = a._literal or b._literal
            b._same = a

    def __repr__(self) -> str:
        return f"<{self.length}>"


ONE = Extent(1, literal=True)
"""The length of an axis that stretches: it has no loop and no stride."""


@dataclass(eq=False)
class Storage:
    """A run of memory for one tensor.

    dtype, length: of its elements.  given: whether it holds something before anything runs;
    value: what it holds then, if that never changes.  kept: whether anybody outside reads it.
    """

    dtype: str
    length: int
    given: bool = False
    value: np.ndarray[Any, Any] | None = None
    kept: bool = False

    @property
    def itemsize(self) -> int:
        """Bytes of one element."""
        return np.dtype(self.dtype).itemsize

    @property
    def bytes(self) -> int:
        """Bytes of the whole."""
        return self.length * self.itemsize


@dataclass(eq=False)
class Buffer:
    """A storage seen as a dense array in C order; axes of length 1 that stretch are left out.

    reused: how many of the first axes share their memory, because what lies at one place of
    them is not needed any more when the next one is computed.
    parted: whether each part of a loop has such memory of its own.
    """

    storage: Storage
    extents: tuple[Extent, ...]
    reused: int = 0
    parted: bool = False

    @classmethod
    def new(cls, dtype: str, extents: Sequence[Extent], **facts: Any) -> Buffer:
        """A buffer on a storage of its own."""
        axes = tuple(e for e in extents if e is not ONE)
        return cls(Storage(dtype, int(np.prod([e.length for e in axes])), **facts), axes)

    @property
    def strides(self) -> tuple[int, ...]:
        """How many elements lie between neighbours on each axis, in this run."""
        strides: list[int] = []
        step = 1
        for extent in reversed(self.extents):
            strides.append(step)
            step *= extent.length
        return (0,) * self.reused + tuple(reversed(strides))[self.reused :]

    def row(self, axis: int) -> Buffer:
        """What lies at one place of an axis, in memory that begins there.

        An outermost axis is left out; any other one stays, for the sake of those outside of it.
        """
        if axis:
            return Buffer(
                Storage(self.storage.dtype, self.storage.length, given=True), self.extents
            )
        return Buffer.new(self.storage.dtype, self.extents[1:], given=True)

    def reuse(self, axes: int, parts: int) -> None:
        """Let the first axes share their memory within each of so many parts of a loop."""
        self.reused = axes
        self.parted = parts > 1
        self.storage.length = parts * int(np.prod([e.length for e in self.extents[axes:]]))


PART = -1
"""In place of the number of a loop: the part of the outermost loop that is being done."""


@dataclass(frozen=True)
class Index:
    """The index on one axis of a buffer: `start + step * i + spacing * k`.

    i runs along `axis`: an axis of the view, or a loop or PART of an access; None if it is fixed.
    k runs along `within`, where the loops of an access go through the elements of windows.
    place: in an access what is added to that and read from memory.
    """

    start: int = 0
    step: int = 1
    axis: int | None = None
    place: Lookup | None = None
    spacing: int = 0
    within: int | None = None


@dataclass(frozen=True, eq=False)
class Lookup:
    """A place on an axis that is the value of another access.

    at: where it is read.  step: how far apart neighbouring places lie in the buffer.
    extent: how many places there are.  wraps: whether it may be negative and counts from the end
    then.  clamps: whether it may lie outside, which is read as place 0: a guard sees to the error.
    """

    at: Access
    extent: Extent
    wraps: bool
    clamps: bool
    step: int = 1


@dataclass(frozen=True)
class Window:
    """Windows along an axis: `start + step * place + spacing * element`.

    place, element: the loops over the windows and over what each of them holds, None for one.
    """

    start: int
    step: int
    place: int | None
    spacing: int
    element: int | None


@dataclass(frozen=True, eq=False)
class View:
    """A tensor as some elements of a buffer.

    extents: the length of each axis, ONE where it stretches.  indices: for each axis of the
    buffer where it runs.
    """

    buffer: Buffer
    extents: tuple[Extent, ...]
    indices: tuple[Index, ...]

    @classmethod
    def whole(cls, buffer: Buffer, extents: Sequence[Extent]) -> View:
        """All elements of a buffer, whose axes are `extents` without those that stretch."""
        kept = [k for k, e in enumerate(extents) if e is not ONE]
        return cls(buffer, tuple(extents), tuple(Index(axis=k) for k in kept))

    @property
    def dtype(self) -> str:
        """The dtype of the elements as they are stored."""
        return self.buffer.storage.dtype

    @property
    def shape(self) -> tuple[int, ...]:
        """The lengths of the axes in this run."""
        return tuple(e.length for e in self.extents)

    @property
    def offset(self) -> int:
        """The place of the first element."""
        strides = self.buffer.strides
        return sum(i.start * s for i, s in zip(self.indices, strides, strict=True))

    @property
    def strides(self) -> tuple[int, ...]:
        """How many elements lie between neighbours on each axis; 0 where it stretches."""
        steps = [0] * len(self.extents)
        for index, stride in zip(self.indices, self.buffer.strides, strict=True):
            if index.axis is not None:
                steps[index.axis] += index.step * stride
        return tuple(steps)

    @property
    def is_stretched(self) -> bool:
        """Whether elements are read again along an axis that has a loop."""
        walked = {i.axis for i in self.indices}
        return any(e is not ONE and k not in walked for k, e in enumerate(self.extents))

    @property
    def is_whole(self) -> bool:
        """Whether it is its buffer, axis by axis."""
        kept = [k for k, e in enumerate(self.extents) if e is not ONE]
        return self.indices == tuple(Index(axis=k) for k in kept)

    def permuted(self, axes: Sequence[int | None]) -> View:
        """The axes in another order, None for a new one; those not named are dropped."""
        place = {old: new for new, old in enumerate(axes) if old is not None}
        extents = tuple(ONE if old is None else self.extents[old] for old in axes)
        indices = tuple(
            i if i.axis is None else Index(i.start, i.step, place[i.axis]) for i in self.indices
        )
        return View(self.buffer, extents, indices)

    def sliced(self, axis: int, start: int, step: int, extent: Extent) -> View:
        """The part of one axis that begins at `start` and takes every `step`-th element."""
        extents = list(self.extents)
        extents[axis] = extent
        indices = tuple(
            Index(i.start + i.step * start, i.step * step, axis) if i.axis == axis else i
            for i in self.indices
        )
        return View(self.buffer, tuple(extents), indices)

    def picked(self, axis: int, at: int) -> View:
        """The elements at one place of an axis, without that axis."""
        fixed = self.sliced(axis, at, 1, ONE)
        indices = tuple(Index(i.start) if i.axis == axis else i for i in fixed.indices)
        rest = [k for k in range(len(self.extents)) if k != axis]
        return View(self.buffer, fixed.extents, indices).permuted(rest)

    def moved(
        self, layout: tuple[int, tuple[int, ...], tuple[int, ...]], radix: int
    ) -> View | None:
        """The view that an op's `view` gives, read off from where it puts the axes.

        The op was told that axis d has stride `radix ** (d + 1)`, so that every stride and offset
        in `layout` tells which axis it comes from.  None where the answer is no such thing.
        """
        offset, shape, strides = layout
        offset, starts = offset // radix, []
        for _ in self.extents:
            offset, start = divmod(offset, radix)
            starts.append(start)
        source: dict[int, tuple[int, int]] = {}
        extents: list[Extent] = []
        for new, (length, stride) in enumerate(zip(shape, strides, strict=True)):
            if stride == 0:
                extents.append(ONE)
                continue
            axis = -1
            while stride % radix == 0:
                stride //= radix
                axis += 1
            if not 0 <= axis < len(self.extents) or abs(stride) >= radix or axis in source:
                return None
            source[axis] = (new, stride)
            old = self.extents[axis]
            whole = stride == 1 and starts[axis] == 0 and length == old.length
            extents.append(old if whole else Extent(length))
        indices = tuple(self._followed(i, starts, source) for i in self.indices)
        return View(self.buffer, tuple(extents), indices)

    @staticmethod
    def _followed(
        index: Index, starts: Sequence[int], source: Mapping[int, tuple[int, int]]
    ) -> Index:
        if index.axis is None:
            return index
        new, step = source.get(index.axis, (None, 1))
        start = index.start + index.step * starts[index.axis]
        return Index(start, index.step * step if new is not None else 1, new)

    def along(self, loops: Sequence[int | None]) -> Access:
        """The element that is met where axis k of the view runs along loop `loops[k]`."""
        indices = tuple(
            i if i.axis is None else Index(i.start, i.step, loops[i.axis]) for i in self.indices
        )
        return Access(self.buffer, indices)

    def through(self, loops: Sequence[int | None], windows: Mapping[int, Window]) -> Access:
        """The element of a window that is met where some axes have windows in place of a loop."""
        indices = []
        for i in self.indices:
            if i.axis is None:
                indices.append(i)
            elif i.axis in windows:
                w = windows[i.axis]
                start, step, spacing = (i.step * n for n in (w.start, w.step, w.spacing))
                indices.append(Index(i.start + start, step, w.place, None, spacing, w.element))
            else:
                indices.append(Index(i.start, i.step, loops[i.axis]))
        return Access(self.buffer, tuple(indices))


@dataclass(frozen=True, eq=False)
class Access:
    """One element of a buffer for each point of some loops; the indices' axes are loop numbers."""

    buffer: Buffer
    indices: tuple[Index, ...]

    @property
    def storage(self) -> Storage:
        """The memory that is touched."""
        return self.buffer.storage

    @property
    def places(self) -> list[Access]:
        """What is read to find the element."""
        return [i.place.at for i in self.indices if i.place is not None]


def loops_over(extents: Sequence[Extent]) -> tuple[list[int | None], tuple[Extent, ...]]:
    """A loop for every axis that needs one: their numbers by axis, and their lengths."""
    space = tuple(e for e in extents if e is not ONE)
    numbers = iter(range(len(space)))
    return [None if e is ONE else next(numbers) for e in extents], space


def stretched(views: Sequence[View], ndim: int) -> tuple[Extent, ...]:
    """The lengths of the result of an elementwise op; those that must be equal become one."""
    return united([view.extents for view in views], ndim)


def united(shapes: Sequence[Sequence[Extent]], ndim: int) -> tuple[Extent, ...]:
    """The lengths of axes that are aligned at the end; those that must be equal become one."""
    result: list[Extent] = [ONE] * ndim
    for extents in shapes:
        for k, extent in enumerate(extents, ndim - len(extents)):
            if extent is ONE:
                continue
            if result[k] is ONE:
                result[k] = extent
            result[k].unify(extent)
    return tuple(result)


def restored(view: View, axes: Sequence[int], ndim: int, keepdims: bool) -> View:
    """The result of a fold, with the folded axes back as axes of length 1 if they are kept."""
    if not keepdims:
        return view
    rest = iter(range(len(view.extents)))
    return view.permuted([None if k in axes else next(rest) for k in range(ndim)])


def memory_order(*operands: Access, size: int) -> tuple[int, ...]:
    """The order of loops in which the operands are walked through as they lie in memory."""
    before: dict[int, set[int]] = {k: set() for k in range(size)}
    for access in operands:
        walked = [i.axis for i in access.indices if i.axis is not None]
        for outer, inner in pairwise(walked):
            before[inner].add(outer)
    order: list[int] = []
    while len(order) < size:
        waiting = [k for k in range(size) if k not in order]
        free = [k for k in waiting if before[k] <= set(order)]
        order.append(min(free or waiting))
    return tuple(order)
