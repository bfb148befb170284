"""How the arrays of a call get to the kernels, and what they compute gets out.

What is small is copied, which takes less time than to ask an array for its address.  What is
large stays where it is: kernels read the arguments themselves, and write results into arrays that
are given away.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from engine.codegen.layout import View
from engine.codegen.memory import shown
from engine.codegen.native import Native
from engine.expression import Variable

Array = np.ndarray[Any, Any]

SPARE = 2
"""How many arrays are kept for a result: a shared variable holds one while the next is made."""


class Exchange:
    """The inputs and outputs of a compiled graph, from call to call.

    native: compiled with `lending`.  inputs: its inputs, in the order of a call's values.
    borrowed: for each output whether it may be memory that the next call uses again.
    """

    def __init__(
        self, native: Native, inputs: Sequence[Variable], borrowed: Sequence[bool]
    ) -> None:
        self.native = native
        self._call = native.call
        self._copied = [(k, native.inputs[v]) for k, v in enumerate(inputs) if v in native.inputs]
        self._lent = [
            (k, native.lent_inputs[v].buffer.storage)
            for k, v in enumerate(inputs)
            if v in native.lent_inputs
        ]
        self._made = {k: _Result(view) for k, view in native.lent_outputs.items()}
        self._borrowed = [k for k, may in enumerate(borrowed) if may and k not in self._made]
        self._outputs = native.outputs
        self._held: list[Array] = []
        self._plain = not (self._lent or self._made or self._borrowed)

    def __call__(self, values: Sequence[Array]) -> list[Array]:
        """The values of the outputs for those of the inputs, after one pass."""
        if not self._plain:
            self.give(values)
            self._call()
            return self.take()
        for k, place in self._copied:
            place[...] = values[k]
        self._call()
        return [array.copy() for array in self._outputs]

    def give(self, values: Sequence[Array]) -> None:
        """Let the kernels find the values of the inputs, and places for what they compute."""
        for k, place in self._copied:
            place[...] = values[k]
        self._held = []
        for k, storage in self._lent:
            array = values[k]
            if not (array.flags.c_contiguous and array.flags.aligned):
                array = np.array(array, order="C")
            self._held.append(array)
            self.native.lend(storage, array.ctypes.data)
        for result in self._made.values():
            self.native.lend(result.storage, result.place())

    def take(self) -> list[Array]:
        """The values of the outputs, in memory that nobody else uses unless it is borrowed."""
        outputs = [array.copy() for array in self._outputs]
        self._held = []
        for k, result in self._made.items():
            outputs[k] = result.take()
        for k in self._borrowed:
            outputs[k] = self._outputs[k]
        return outputs


class _Result:
    """Arrays for an output that are written to where they are.

    One that nobody has any more is used again, since fresh memory costs as much as filling it.
    """

    def __init__(self, view: View) -> None:
        self.storage = view.buffer.storage
        self._view = view
        self._spare: list[Array] = []
        self._now: Array | None = None

    def place(self) -> int:
        """The address of an array to be written to."""
        for array in self._spare:
            if sys.getrefcount(array) == _UNUSED:
                break
        else:
            array = np.empty(self.storage.length, self.storage.dtype)
            self._spare = [array, *self._spare[: SPARE - 1]]
        self._now = array
        return array.ctypes.data

    def take(self) -> Array:
        """The array that was written to, in its shape."""
        array, self._now = self._now, None
        assert array is not None
        return shown(self._view, array)


def _unused() -> int:
    """What is counted of an array in a list that is looked at, if nobody else has it."""
    for array in [np.empty(1)]:
        return sys.getrefcount(array)
    raise AssertionError


_UNUSED = _unused()
