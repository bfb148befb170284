"""Functions of the interpreter's, called by native code between its kernels."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np

from engine.codegen.layout import Storage, View
from engine.codegen.memory import Arena, Array
from engine.codegen.primitives import Callback
from engine.errors import EngineError, ShapeError
from engine.types import shape_text


class Call:
    """A callback, with the arrays that it reads and writes.

    words: of its row, the places that move from step to step of a loop around it.
    storages: all memory that it touches.
    """

    def __init__(
        self, callback: Callback, moving: Collection[Storage], steps: Sequence[Array]
    ) -> None:
        """moving: the memory that moves.  steps: for each loop around it the number of the step."""
        self.callback = callback
        self._steps = tuple(steps)
        self._views = (*callback.sources, *callback.targets)
        self.storages = tuple(v.buffer.storage for v in self._views)
        self._moving = [k for k, s in enumerate(self.storages) if s in moving]
        self._arrays: list[Any] = [None] * len(self._views)
        self._shown: list[Callable[[int], Array]] = []
        self._addresses = ctypes.c_int64 * len(self._moving)
        self.words = tuple((self.storages[k], 0) for k in self._moving)

    def fixed(self) -> list[Storage]:
        """The memory that does not move."""
        return [s for k, s in enumerate(self.storages) if k not in self._moving]

    def place(self, arena: Arena) -> None:
        """Make the arrays, and what finds those that move, once all memory has its place."""
        self._shown = [_finder(self._views[k]) for k in self._moving]
        for k, view in enumerate(self._views):
            if k not in self._moving:
                self._arrays[k] = arena.view(view)

    def __call__(self, row: int) -> None:
        """Call it; row: the address of the words."""
        try:
            if self._moving:
                addresses = self._addresses.from_address(row)
                for k, find, address in zip(self._moving, self._shown, addresses, strict=True):
                    self._arrays[k] = find(address)
            sources = self._arrays[: len(self.callback.sources)]
            targets = self._arrays[len(self.callback.sources) :]
            for target, value in zip(targets, self.callback.function(sources), strict=True):
                if value.shape != target.shape:
                    raise self._unforeseen(target, value)
                target[...] = value
        except EngineError as error:
            for step in reversed(self._steps):
                error.details = f"In step {step[0]} of the loop.\n{error.details or ''}".strip()
            raise

    def _unforeseen(self, target: Array, value: Array) -> EngineError:
        error = ShapeError(
            f"The result has the shape {shape_text(value.shape)} in place of "
            f"{shape_text(target.shape)}.",
            expected=shape_text(target.shape),
            got=shape_text(value.shape),
        )
        return self.callback.node.located(error) if self.callback.node else error


def _finder(view: View) -> Callable[[int], Array]:
    """Gives the tensor that a view shows of memory that begins at an address."""
    storage = view.buffer.storage
    size, dtype, shape = storage.itemsize, np.dtype(storage.dtype), view.shape
    offset, strides = view.offset * size, tuple(s * size for s in view.strides)
    memory: Any = ctypes.c_byte * storage.bytes
    return lambda address: np.ndarray(shape, dtype, memory.from_address(address), offset, strides)
