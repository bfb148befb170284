"""One block of memory for everything that a compiled graph touches, laid out before it runs."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable
from typing import Any

import numpy as np

from engine.codegen.layout import Storage, View

ALIGNMENT = 64
"""Bytes; a cache line, and the widest vector there is."""

Array = np.ndarray[Any, Any]


class Arena:
    """Places for storages in one block of memory.

    bytes: how much it takes, which is all that the kernels ever use.
    """

    def __init__(self, storages: Iterable[Storage], words: int = 0) -> None:
        """Lay out the storages, each once, then `words` of 8 bytes for tables of addresses."""
        self._offsets: dict[Storage, int] = {}
        self.bytes = 0
        for storage in storages:
            if storage not in self._offsets:
                self._offsets[storage] = self.bytes
                # An empty one gets room as well, so that no address is shared.
                self.bytes += _rounded(max(storage.bytes, 1))
        self._words = self.bytes
        self.bytes += _rounded(8 * words)
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
        flat = self.array(view.buffer.storage)[view.offset :]
        strides = [s * view.buffer.storage.itemsize for s in view.strides]
        return np.lib.stride_tricks.as_strided(flat, view.shape, strides)

    def words(self) -> ctypes.Array[ctypes.c_int64]:
        """The words at the end."""
        count = (self.bytes - self._words) // 8
        return (ctypes.c_int64 * count).from_address(self._address + self._words)


def _rounded(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT
