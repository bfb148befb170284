"""A mode that shows every step of a function to the user's own functions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.codegen.numpy import Memory, Step
from engine.expression import Apply
from engine.modes.mode import Mode
from engine.printing import debugprint
from engine.tiers import Rewritten, Runner


@dataclass
class Thunk:
    """The values at a step, each in a list of its own as in Theano: `fn.outputs[0][0]`."""

    inputs: list[list[Any]]
    outputs: list[list[Any]]


Monitor = Callable[[int, Apply, Thunk], Any]


class MonitorMode(Mode):
    """Runs in NumPy and calls `pre_func(i, node, fn)` before and `post_func(i, node, fn)` after
    each step: its number, the apply, and its values.

    linker: for Theano's sake; the mode has its own.
    """

    def __init__(
        self,
        pre_func: Monitor | None = None,
        post_func: Monitor | None = None,
        optimizer: str | None = "default",
        linker: str | None = None,
    ) -> None:
        super().__init__("numpy", optimizer)
        self.pre_func = pre_func
        self.post_func = post_func

    def runner(self, work: Rewritten) -> Runner:
        """What runs the graph between the two functions."""
        numbers = {node: i for i, node in enumerate(work.graph.toposort())}

        def watch(step: Step, memory: Memory) -> None:
            i = numbers[step.node]
            if self.pre_func is not None:
                self.pre_func(i, step.node, _thunk(step, memory))
            step.run(memory)
            if self.post_func is not None:
                self.post_func(i, step.node, _thunk(step, memory))

        return Runner(work, watch=watch)


def detect_nan(i: int, node: Apply, fn: Thunk) -> None:
    """A `post_func` that prints the first op to give NaN, with its values."""
    for (value,) in fn.outputs:
        if np.isnan(value).any():
            print("*** NaN detected ***")
            print(debugprint(*node.outputs))
            print(f"Inputs : {[value for (value,) in fn.inputs]}")
            print(f"Outputs: {[value for (value,) in fn.outputs]}")
            break


def _thunk(step: Step, memory: Memory) -> Thunk:
    return Thunk(
        [[memory[slot]] for slot in step.inputs], [[memory[slot]] for slot in step.outputs]
    )
