"""The reference target: a graph is run op by op in NumPy, at once and without compiling.

What an op means is what its record's `numpy` says; every other target is held against this one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from engine.errors import EngineError, ShapeError
from engine.expression import Apply, Block, Constant, Variable, certain, walk
from engine.types import TensorType

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
        order = walk(outputs, stop=given.__contains__)
        needed = certain(outputs, stop=given.__contains__)
        slots: dict[Variable, int] = {}
        for v in inputs:
            slots.setdefault(v, len(slots))
        fixed: list[tuple[int, Array]] = []
        for v in (*(v for node in order for v in node.inputs), *outputs):
            if v not in slots and isinstance(v, Constant):
                slots[v] = len(slots)
                fixed.append((slots[v], v.data))
        for v in (v for node in order for v in (*node.inputs, *node.outputs)):
            slots.setdefault(v, len(slots))
        self.inputs = [slots[v] for v in inputs]
        self.outputs = [slots.setdefault(v, len(slots)) for v in outputs]
        self._memory: Memory = [None] * len(slots)
        for slot, value in fixed:
            self._memory[slot] = value
        made = [(node, Step(node, slots)) for node in order]
        self.steps = [step for node, step in made if node in needed]
        self._branches = Branches(step for node, step in made if node not in needed)
        last = {slot: step for step in self.steps for slot in step.inputs}
        kept = {*self.outputs, *self.inputs, *(slot for slot, _ in fixed), *self._branches.read}
        for slot, step in last.items():
            if slot not in kept:
                step.dead.append(slot)

    def __call__(self, values: Sequence[Any], watch: Watch | None = None) -> list[Array]:
        """The values of the outputs, as arrays.

        watch: gets every step that is due, with the memory, and runs it.
        """
        with np.errstate(all="ignore"):
            return [np.asarray(value) for value in self.run(values, watch or Step.run)]

    def run(self, values: Sequence[Any], due: Watch | None = None) -> list[Any]:
        """As a call, inside of another one: NumPy's warnings are off already."""
        run = due or Step.run
        memory = self._memory.copy()
        for slot, value in zip(self.inputs, values, strict=True):
            memory[slot] = value
        for step in self.steps:
            if step.lazy is not None:
                self._branches.compute(step.chosen(memory), memory, run)
            run(step, memory)
            for slot in step.dead:
                memory[slot] = None
        return [memory[slot] for slot in self.outputs]


class Branches:
    """The applies that are needed only if a branch is taken, each computed once at most.

    read: the places in memory that they read.
    """

    def __init__(self, steps: Iterable[Step]) -> None:
        self._maker = {out: step for step in steps for out in step.outputs}
        self.read = {slot for step in self._maker.values() for slot in step.inputs}

    def compute(self, slot: int, memory: Memory, run: Watch) -> None:
        """Compute what lies at a place in memory, unless it is there already."""
        stack = [slot] if memory[slot] is None else []
        while stack:
            step = self._maker[stack[-1]]
            missing = [i for i in step.needed(memory) if memory[i] is None]
            if missing:
                stack.extend(reversed(missing))
                continue
            stack.pop()
            if memory[step.outputs[0]] is None:
                run(step, memory)


class Lazily:
    """What only branches of lazy ops need, computed between kernels where it is asked for.

    It is asked for by the choices of one pass, in their order; what one of them has made another
    need not make again.
    """

    def __init__(self, order: Sequence[Apply], needed: set[Apply]) -> None:
        self._needed = needed
        self._slots: dict[Variable, int] = {}
        for node in order:
            if node not in needed or node.op.lazy is not None:
                for v in (*node.inputs, *node.outputs):
                    self._slots.setdefault(v, len(self._slots))
        self._fresh: Memory = [None] * len(self._slots)
        for v, slot in self._slots.items():
            if isinstance(v, Constant):
                self._fresh[slot] = v.data
        self._memory = self._fresh
        self._branches = Branches(Step(n, self._slots) for n in order if n not in needed)
        self._first: Apply | None = None

    def choosing(self, node: Apply) -> tuple[list[Variable], Callable[[Sequence[Any]], list[Any]]]:
        """What has to be there for a choice to be made, and the function that makes it of that.

        Of all choices of a pass this has to be called in the order in which they are made.
        """
        if self._first is None:
            self._first = node
        read = [v for n in walk(node.inputs, stop=self._is_there) for v in n.inputs]
        given = [v for v in dict.fromkeys([*read, *node.inputs]) if self._is_source(v)]
        slots = [self._slots[v] for v in given]
        step = Step(node, self._slots)
        out = self._slots[node.out]

        def choose(values: Sequence[Any]) -> list[Any]:
            if self._first is node:
                self._memory = self._fresh.copy()
            memory = self._memory
            for slot, value in zip(slots, values, strict=True):
                memory[slot] = value
            with np.errstate(all="ignore"):
                self._branches.compute(step.chosen(memory), memory, Step.run)
                step.run(memory)
            return [np.asarray(memory[out])]

        return given, choose

    def _is_there(self, v: Variable) -> bool:
        return v.owner is None or v.owner in self._needed

    def _is_source(self, v: Variable) -> bool:
        return self._is_there(v) and not isinstance(v, Constant)


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
        self.meets = node.op.is_elementwise and len(node.inputs) > 1
        self.function: Callable[..., Any] | None = node.op.numpy
        if self.function is not None and node.op.higher_order:
            self.function = partial(self.function, ready)
        if self.function is not None and node.params:
            self.function = partial(self.function, **node.params)

    def needed(self, memory: Memory) -> list[int]:
        """The places whose values the step needs before it can run."""
        if self.lazy is None or memory[self.inputs[0]] is None:
            return self.inputs[:1] if self.lazy else self.inputs
        return [self.inputs[0], self.chosen(memory)]

    def chosen(self, memory: Memory) -> int:
        """The place of the value that a lazy op gives."""
        assert self.lazy is not None
        return self.inputs[self.lazy(memory[self.inputs[0]], **self.node.params)]

    def run(self, memory: Memory) -> None:
        """Compute the outputs from the inputs."""
        if self.lazy is not None:
            chosen = memory[self.chosen(memory)]
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
            if self.meets:
                self._check_lengths(arguments)
            results = self.function(*arguments)
        except EngineError as error:
            error.details = error.details or what_was_given(self.node, arguments)
            raise self.node.located(error) from None
        except (ValueError, IndexError, MemoryError) as error:
            told = ShapeError(f"{error}.", details=what_was_given(self.node, arguments))
            raise self.node.located(told) from error
        if len(self.outputs) == 1:
            results = (results,)
        for slot, value, dtype in zip(self.outputs, results, self.dtypes, strict=True):
            memory[slot] = value if value.dtype == dtype else np.asarray(value).astype(dtype)

    def _check_lengths(self, arguments: Sequence[Any]) -> None:
        """Raise ShapeError where NumPy would stretch an axis that is not declared broadcastable."""
        shapes = [np.shape(a) for a in arguments]
        if shapes.count(shapes[0]) == len(shapes):
            return
        given = zip(self.node.inputs, shapes, strict=True)
        types = [TensorType(v.dtype, shape, v.broadcastable) for v, shape in given]
        self.node.op.types(types, self.node.params)


def what_was_given(node: Apply, arguments: Sequence[Any]) -> str:
    """What an op was given, line by line: the details of an error."""
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


def ready(block: Block) -> Callable[[Sequence[Any]], list[Any]]:
    """A block made ready to be run again and again, by an op that is itself being run."""
    interpreter = _blocks.get(block)
    if interpreter is None:
        interpreter = _blocks[block] = Interpreter(block.inputs, block.outputs)
    return interpreter.run
