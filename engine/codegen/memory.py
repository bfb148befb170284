"""The memory of a compiled graph, laid out before it runs.

What is needed only for a while shares its place with what is needed at another time.
"""

from __future__ import annotations

import ctypes
from bisect import bisect_left, insort
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from engine.codegen.layout import Storage, View

ALIGNMENT = 64
"""Bytes; a cache line, and the widest vector there is."""

Array = np.ndarray[Any, Any]


class Arena:
    """Places for storages in one block of memory.

    bytes: how much it takes.
    """

    def __init__(self, uses: Sequence[Collection[Storage]], words: int = 0) -> None:
        """Lay out the storages that each step uses, then `words` of 8 bytes for addresses.

        What is neither kept nor there from the start has its place from the first step that uses
        it to the last one.
        """
        self._offsets, self._words = _laid_out(uses)
        self.bytes = self._words + _rounded(8 * words)
        block = np.zeros(self.bytes + ALIGNMENT, np.uint8)
        start = -block.ctypes.data % ALIGNMENT
        self._block = block[start : start + self.bytes]
        self._address = self._block.ctypes.data
        for storage in self._offsets:
            if storage.value is not None:
                self.array(storage)[...] = storage.value.reshape(-1)

    def __contains__(self, storage: Storage) -> bool:
        return storage in self._offsets

    def address(self, storage: Storage) -> int:
        """Where a storage begins."""
        return self._address + self._offsets[storage]

    def array(self, storage: Storage) -> Array:
        """A storage as a vector."""
        start = self._offsets[storage]
        return self._block[start : start + storage.bytes].view(storage.dtype)

    def view(self, view: View) -> Array:
        """A tensor where it lies; writing to it writes to the kernels' memory."""
        return shown(view, self.array(view.buffer.storage))

    def words(self) -> ctypes.Array[ctypes.c_int64]:
        """The words at the end."""
        count = (self.bytes - self._words) // 8
        return (ctypes.c_int64 * count).from_address(self._address + self._words)


def shown(view: View, flat: Array) -> Array:
    """The tensor that a view shows of a storage, which is given as a vector."""
    strides = [s * view.buffer.storage.itemsize for s in view.strides]
    return np.lib.stride_tricks.as_strided(flat[view.offset :], view.shape, strides)


def _laid_out(uses: Sequence[Collection[Storage]]) -> tuple[dict[Storage, int], int]:
    """The place of each storage, and where the last one ends."""
    last = {storage: step for step, used in enumerate(uses) for storage in used}
    free = _Gaps()
    offsets: dict[Storage, int] = {}
    ending: list[list[Storage]] = [[] for _ in uses]
    for storage, step in last.items():
        if storage.kept or storage.given:
            offsets[storage] = free.take(_size(storage))
        else:
            ending[step].append(storage)
    for used, ended in zip(uses, ending, strict=True):
        for storage in used:
            if storage not in offsets:
                offsets[storage] = free.take(_size(storage))
        for storage in ended:
            free.put(offsets[storage], _size(storage))
    return offsets, free.end


class _Gaps:
    """Memory that is free: gaps between what is in use, and all that follows `end`."""

    def __init__(self) -> None:
        self.end = 0
        self._sizes: list[tuple[int, int]] = []  # (size, start), the smallest first
        self._starts: dict[int, int] = {}  # size by start
        self._ends: dict[int, int] = {}  # start by end

    def take(self, size: int) -> int:
        """Where there is room for so many bytes: the smallest gap that has it, or the end."""
        at = bisect_left(self._sizes, (size, 0))
        if at == len(self._sizes):
            start = self._ends.get(self.end, self.end)  # the last gap can be made larger
            if start < self.end:
                self._remove(start)
            self.end = start + size
            return start
        found, start = self._sizes[at]
        self._remove(start)
        if found > size:
            self._add(start + size, found - size)
        return start

    def put(self, start: int, size: int) -> None:
        """Give back a place; it becomes one with the gaps beside it."""
        before = self._ends.get(start)
        if before is not None:
            size += self._remove(before)
            start = before
        if start + size in self._starts:
            size += self._remove(start + size)
        self._add(start, size)

    def _add(self, start: int, size: int) -> None:
        insort(self._sizes, (size, start))
        self._starts[start] = size
        self._ends[start + size] = start

    def _remove(self, start: int) -> int:
        size = self._starts.pop(start)
        del self._ends[start + size]
        del self._sizes[bisect_left(self._sizes, (size, start))]
        return size


def _size(storage: Storage) -> int:
    # An empty one gets room as well, so that no address is shared.
    return _rounded(max(storage.bytes, 1))


def _rounded(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT
