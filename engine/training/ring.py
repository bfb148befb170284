"""A ring of (step, value) points in memory that two processes may share.

One side writes and one side reads; neither waits for the other.  The write index rises with
every point and belongs to the writer, the read index with every point taken out and belongs to
the reader; what lies between them is waiting.  The writer stores a point before it moves its
index and never overwrites one that is waiting: a full ring makes it stop instead, so that no
point is ever lost.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from engine.errors import ParameterError

Array = np.ndarray[Any, Any]

LINE = 64
"""Bytes between two words of the head, so that the two sides don't share a cache line."""
HEAD = 3 * LINE
WRITTEN, READ, CAPACITY = 0, LINE // 8, 2 * LINE // 8


class Ring:
    """Points in a buffer given by the caller, which must hold zeros before the first side opens it.

    The head has the write index, the read index and the capacity, each an int64 of its own cache
    line; the points follow as pairs of float64.
    """

    def __init__(self, buffer: Any, capacity: int) -> None:
        """Open a ring over `buffer`, which has room for `Ring.bytes_needed(capacity)`.

        Raises ParameterError where the buffer is too small, read-only or not aligned to 8 bytes.
        """
        block = np.frombuffer(buffer, np.uint8)
        needed = self.bytes_needed(capacity)
        if block.size < needed or not block.flags.writeable or block.ctypes.data % 8:
            raise ParameterError(
                f"A ring of {capacity} points needs {needed} writable bytes of memory.",
                expected=f"{needed} bytes, writable, at an address divisible by 8",
                got=f"{block.size} bytes",
            )
        self.capacity = capacity
        self.address = int(block.ctypes.data)
        self._head = block[:HEAD].view(np.int64)
        self._points = block[HEAD:needed].view(np.float64).reshape(capacity, 2)
        self._head[CAPACITY] = capacity

    @staticmethod
    def bytes_needed(capacity: int) -> int:
        """How much memory a ring of `capacity` points takes."""
        if capacity < 1:
            raise ParameterError(
                "A ring has room for one point or more.", expected="1 or more", got=str(capacity)
            )
        return HEAD + 16 * capacity

    @classmethod
    def of(cls, capacity: int) -> Ring:
        """A ring in memory of its own."""
        return cls(np.zeros(cls.bytes_needed(capacity), np.uint8), capacity)

    def __len__(self) -> int:
        """How many points are waiting."""
        return int(self._head[WRITTEN] - self._head[READ])

    # The writer's side.

    def append(self, step: int, value: float) -> bool:
        """Put a point in; False if there is no room."""
        written = int(self._head[WRITTEN])
        if written - int(self._head[READ]) >= self.capacity:
            return False
        self._points[written % self.capacity] = step, value
        self._head[WRITTEN] = written + 1
        return True

    # The reader's side.

    def drain(self) -> tuple[Array, Array]:
        """Take out all points that are waiting: their steps as int64, their values as float64."""
        read, written = int(self._head[READ]), int(self._head[WRITTEN])
        parts = [self._points[piece] for piece in self._pieces(read, written)]
        points = np.concatenate(parts) if parts else np.empty((0, 2))
        self._head[READ] = written
        return points[:, 0].astype(np.int64), points[:, 1].copy()

    def _pieces(self, read: int, written: int) -> Iterator[slice]:
        while read < written:
            start = read % self.capacity
            count = min(written - read, self.capacity - start)
            yield slice(start, start + count)
            read += count
