"""A mode that stops at the first NaN, infinity or very big number and says where it is from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from engine.codegen.numpy import Memory, Step
from engine.errors import EngineError, NanGuardError
from engine.expression import Apply
from engine.modes.mode import Mode
from engine.tiers import Rewritten, Runner
from engine.types import DISCRETE, shape_text

Array = np.ndarray[Any, Any]
BIG = 1e10
"""Above this a number is big."""


class NanGuardMode(Mode):
    """Runs in NumPy and raises NanGuardError, an AssertionError as in Theano, at the first bad
    value: of an input, of a shared variable, or of the op that made it.

    nan_is_error, inf_is_error, big_is_error: what is bad; big is above 1e10.  What is uint64 is
    not looked at: those are the states and bits of random streams.
    linker: for Theano's sake; the mode has its own.
    """

    def __init__(
        self,
        nan_is_error: bool = True,
        inf_is_error: bool = True,
        big_is_error: bool = True,
        optimizer: str | None = "default",
        linker: str | None = None,
    ) -> None:
        super().__init__("numpy", optimizer)
        self.nan_is_error = nan_is_error
        self.inf_is_error = inf_is_error
        self.big_is_error = big_is_error

    def runner(self, work: Rewritten) -> Runner:
        """What runs the graph and looks at every value."""
        return _Guard(self, work)

    def fault(self, value: Array) -> str | None:
        """What is bad about a value, and where: "NaN in 1 of 4 elements, the first at [2]"."""
        value = np.asarray(value)
        if (value.dtype.name in DISCRETE and not self.big_is_error) or value.dtype == np.uint64:
            return None
        for name, wrong, find in (
            ("NaN", self.nan_is_error, np.isnan),
            ("infinity", self.inf_is_error, np.isinf),
            (f"a number above {BIG:g}", self.big_is_error, lambda v: np.abs(v) > BIG),
        ):
            with np.errstate(all="ignore"):
                bad = find(value) if wrong else np.zeros((), bool)
            if bad.any():
                if not value.ndim:
                    return name
                first = [int(i) for i in np.argwhere(bad)[0]]
                return f"{name} in {bad.sum()} of {bad.size} elements, the first at {first}"
        return None


class _Guard(Runner):
    """A runner that looks at every value on its way."""

    def __init__(self, mode: NanGuardMode, work: Rewritten) -> None:
        self.mode = mode
        super().__init__(work, watch=self._step)

    def __call__(self, values: Sequence[Array]) -> list[Array]:
        for v, value in zip(self.graph.inputs, values, strict=True):
            fault = self.mode.fault(value)
            if fault:
                raise NanGuardError(f"The input {v!r} has {fault}.", node=v.name, got=fault)
        return super().__call__(values)

    def _step(self, step: Step, memory: Memory) -> None:
        step.run(memory)
        for slot in step.outputs:
            fault = self.mode.fault(memory[slot])
            if fault:
                raise _error(step.node, fault, [memory[slot] for slot in step.inputs])


def _error(node: Apply, fault: str, inputs: Sequence[Any]) -> EngineError:
    told = (
        f"{v!r}, {v.dtype} {shape_text(np.shape(value))}{_range(value)}"
        for v, value in zip(node.inputs, inputs, strict=True)
        if value is not None  # the branch that was not taken
    )
    error = NanGuardError(f"The result has {fault}.", got=fault)
    error.hint = f"It got {'; '.join(told)}."
    return node.located(error)


def _range(value: Any) -> str:
    array = np.asarray(value)
    if not array.size or array.dtype.kind in "bc":
        return ""
    low, high = array.min(), array.max()
    return f" of {low:g}" if low == high else f" from {low:g} to {high:g}"
