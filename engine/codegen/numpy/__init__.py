"""The reference target: a graph is run op by op in NumPy, at once and without compiling.

What an op means is what its record's `numpy` says; every other target is held against this one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from engine.errors import EngineError, ShapeError
from engine.graph import Apply, Block, Constant, Variable, walk

Array = np.ndarray[Any, Any]
Memory = list[Any]
"""The values of a run by their places, None where there is none yet."""
Watch = Callable[["Step", Memory], None]
"""Runs a step, and looks at the memory before and after."""


class Interpreter:
    """A graph made ready to be run again and again.

    inputs: the variables whose values a call gets, in order; any variable may be an input.
    outputs: the variables whose values a call returns.
    """

    def __init__(self, inputs: Sequence[Variable], outputs: Sequence[Variable]) -> None:
        given = set(inputs)
        order = walk(outputs, stop=lambda v: v in given)
        slots: dict[Variable, int] = {}
        for v in inputs:
            slots.setdefault(v, len(slots))
        self._fixed: list[tuple[int, Array]] = []
        for v in (*(v for node in order for v in node.inputs), *outputs):
            if v not in slots and isinstance(v, Constant):
                slots[v] = len(slots)
                self._fixed.append((slots[v], v.data))
        for v in (v for node in order for v in (*node.inputs, *node.outputs)):
            slots.setdefault(v, len(slots))
        self.inputs = [slots[v] for v in inputs]
        self.outputs = [slots.setdefault(v, len(slots)) for v in outputs]
        self.steps = [Step(node, slots) for node in order]
        self.size = len(slots)
        self._lazy = any(node.op.lazy for node in order)
        self._maker = {out: step for step in self.steps for out in step.outputs}
        last = {slot: step for step in self.steps for slot in step.inputs}
        kept = {*self.outputs, *self.inputs, *(slot for slot, _ in self._fixed)}
        for slot, step in last.items():
            if slot not in kept:
                step.dead.append(slot)

    def __call__(self, values: Sequence[Any], watch: Watch | None = None) -> list[Array]:
        """The values of the outputs, as arrays.

        watch: gets every step that is due, with the memory, and runs it.
        """
        memory: Memory = [None] * self.size
        for slot, value in zip(self.inputs, values, strict=True):
            memory[slot] = value
        for slot, value in self._fixed:
            memory[slot] = value
        run = watch or Step.run
        with np.errstate(all="ignore"):
            if self._lazy:
                self._on_demand(memory, run)
            else:
                for step in self.steps:
                    run(step, memory)
                    for slot in step.dead:
                        memory[slot] = None
        return [np.asarray(memory[slot]) for slot in self.outputs]

    def _on_demand(self, memory: Memory, run: Watch) -> None:
        """Compute what the outputs need and of a lazy op only the branch that is taken."""
        stack = [self._maker[slot] for slot in reversed(self.outputs) if slot in self._maker]
        while stack:
            step = stack[-1]
            if memory[step.outputs[0]] is not None:
                stack.pop()
                continue
            needed = step.needed(memory)
            missing = [slot for slot in needed if memory[slot] is None]
            if missing:
                stack.extend(self._maker[slot] for slot in reversed(missing))
            else:
                run(step, memory)
                stack.pop()


class Step:
    """One apply, with the places of its inputs and outputs in the interpreter's memory."""

    def __init__(self, node: Apply, slots: Mapping[Variable, int]) -> None:
        self.node = node
        self.inputs = [slots[v] for v in node.inputs]
        self.outputs = [slots[v] for v in node.outputs]
        self.dead: list[int] = []
        self.lazy = node.op.lazy
        self.dtypes = [np.dtype(v.dtype) for v in node.outputs]
        self.casts: list[np.dtype[Any] | None] = [None] * len(node.inputs)
        if node.op.rule is not None:
            own = [v.dtype for v in node.inputs]
            wanted = zip(own, node.op.working(own), strict=True)
            self.casts = [None if a == b else np.dtype(b) for a, b in wanted]
        self.plain = not any(self.casts)
        self.function: Callable[..., Any] | None = node.op.numpy
        if self.function is not None and node.op.higher_order:
            self.function = partial(self.function, run_block)
        if self.function is not None and node.params:
            self.function = partial(self.function, **node.params)

    def needed(self, memory: Memory) -> list[int]:
        """The places whose values the step needs before it can run."""
        if self.lazy is None or memory[self.inputs[0]] is None:
            return self.inputs[:1] if self.lazy else self.inputs
        return [self.inputs[0], self.inputs[self._branch(memory)]]

    def _branch(self, memory: Memory) -> int:
        assert self.lazy is not None
        return self.lazy(memory[self.inputs[0]], **self.node.params)

    def run(self, memory: Memory) -> None:
        """Compute the results from the inputs, and put them into their places."""
        if self.lazy is not None:
            chosen = memory[self.inputs[self._branch(memory)]]
            memory[self.outputs[0]] = np.asarray(chosen).astype(self.dtypes[0], copy=False)
            return
        assert self.function is not None
        arguments = [memory[slot] for slot in self.inputs]
        if not self.plain:
            arguments = [
                a if dtype is None else np.asarray(a).astype(dtype)
                for a, dtype in zip(arguments, self.casts, strict=True)
            ]
        try:
            results = self.function(*arguments)
        except EngineError as error:
            error.details = error.details or _details(self.node, arguments)
            raise self.node.located(error) from None
        except (ValueError, IndexError, MemoryError) as error:
            told = ShapeError(f"{error}.", details=_details(self.node, arguments))
            raise self.node.located(told) from error
        if len(self.outputs) == 1:
            results = (results,)
        for slot, value, dtype in zip(self.outputs, results, self.dtypes, strict=True):
            memory[slot] = value if value.dtype == dtype else np.asarray(value).astype(dtype)


def _details(node: Apply, arguments: Sequence[Any]) -> str:
    """What an op was given, line by line."""
    lines = [f"{node.op.name} with {node.params}" if node.params else node.op.name]
    for port, (v, a) in enumerate(zip(node.inputs, map(np.asarray, arguments), strict=True)):
        shown = np.array2string(a, threshold=6, edgeitems=2, prefix=" " * 8)
        lines.append(
            f"input {port}, {v!r}: {a.dtype} of shape {a.shape}, strides {a.strides}: {shown}"
        )
    return "\n".join(lines)


def interpret(outputs: Sequence[Variable], values: Mapping[Variable, Any]) -> list[Array]:
    """The values of `outputs`, given the values of the variables that they depend on."""
    inputs = list(values)
    arrays = [np.asarray(values[v], dtype=v.dtype) for v in inputs]
    return Interpreter(inputs, outputs)(arrays)


_blocks: WeakKeyDictionary[Block, Interpreter] = WeakKeyDictionary()


def run_block(block: Block, values: Sequence[Any]) -> list[Array]:
    """One pass through the body of a loop."""
    interpreter = _blocks.get(block)
    if interpreter is None:
        interpreter = _blocks[block] = Interpreter(block.inputs, block.outputs)
    return interpreter(values)
