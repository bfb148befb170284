"""A graph compiled for the processor: its memory, its kernels, and the loop that runs them."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.codegen.cpu import blas, cache
from engine.codegen.cpu.compiler import ENTRY, compile_kernel
from engine.codegen.cpu.emit import emit
from engine.codegen.cpu.machine import Loaded
from engine.codegen.cpu.runner import run, runner
from engine.codegen.fuse import Kernel, fuse, settle
from engine.codegen.layout import Storage
from engine.codegen.memory import Arena, Array
from engine.codegen.plan import Plan
from engine.codegen.primitives import Callback, Product, Task, storages
from engine.errors import EngineError, ShapeError
from engine.expression import Variable
from engine.graph import Graph
from engine.types import TensorType, shape_text

Progress = Callable[[int, int], None]

ENTRY_BYTES = 16
"""Of a line of the table: the address of a native function and that of its row."""


@dataclass(frozen=True)
class KernelLine:
    """A line of a kernel: its text, the names of the ops that it is for, and where it comes from.

    origins: ids of the canvas nodes that it computes or helps to compute.
    """

    text: str
    ops: tuple[str, ...]
    origins: frozenset[str]


@dataclass(frozen=True)
class KernelInfo:
    """A kernel, for people to see.

    name: that of its object code.  source: its text; for a product, the routine of BLAS, and
    for what is left to NumPy, the op.
    ops: the names of the ops in it.  origins: ids of the canvas nodes that it computes.
    from_cache: whether it was compiled before.  seconds: what it took to compile or to load.
    lines: of its source.  The source itself names no node, so that all graphs share kernels.
    """

    name: str
    source: str
    ops: tuple[str, ...]
    origins: frozenset[str]
    from_cache: bool
    seconds: float
    lines: tuple[KernelLine, ...]


@dataclass(frozen=True)
class _Entry:
    """A line of the table: a native function, and the words in its row.

    A word is a number, or a place: a storage and an offset in elements.
    """

    address: int
    words: tuple[int | tuple[Storage, int], ...]


class Native:
    """A graph compiled for given shapes, with memory of its own.

    inputs: for each input and leaf the array from which the kernels read it, to be written to.
    outputs: for each output of the graph the array in which it lies after a pass.
    kernels: what runs in a pass, in order.  peak_bytes: all memory that it uses.
    """

    def __init__(
        self,
        graph: Graph,
        types: Mapping[Variable, TensorType],
        updates: Mapping[Variable, int],
        record: int | None,
        progress: Progress | None = None,
    ) -> None:
        plan = Plan(graph, types, updates, record)
        self.kernels: list[KernelInfo] = []
        self._codes: list[Loaded] = [runner()]
        self._cells: list[Any] = []
        self._callbacks: list[tuple[Callback, list[Array], list[Array]]] = []
        self._failed = np.zeros(1, np.int64)
        self._failure: BaseException | None = None
        entries = self._compile(plan, progress or (lambda done, total: None))
        places = [s for e in entries for w in e.words if isinstance(w, tuple) for s in w[:1]]
        words = 2 * len(entries) + sum(len(e.words) for e in entries)
        places += [s for callback, *_ in self._callbacks for s in storages(callback)]
        self._arena = Arena([*plan.storages(), *places], words)
        self.peak_bytes = self._arena.bytes
        for callback, sources, targets in self._callbacks:
            sources += map(self._arena.view, callback.sources)
            targets += map(self._arena.view, callback.targets)
        table = self._fill(entries)
        self.inputs = {v: self._arena.view(view) for v, view in plan.leaves.items()}
        self.outputs: list[Array] = [self._arena.view(view) for view in plan.outputs]
        self._value = self._arena.address(plan.record) if plan.record else None
        self._control = np.zeros(1, np.int64)
        self._run = run()
        self._table = table, len(entries)
        control, failed = self._control.ctypes.data, self._failed.ctypes.data
        self._pass = (*self._table, 1, control, failed, None, None, 0)

    def call(self) -> None:
        """One pass: the outputs are computed from the inputs, then updates take effect.

        Raises what an op that is left to NumPy raises; no update takes effect then.
        """
        self._run(*self._pass)
        if self._failure is not None:
            self._raise()

    def call_timed(self) -> list[float]:
        """One pass, a kernel at a time; gives the seconds that each of `kernels` took."""
        table, count = self._table
        seconds = []
        for k in range(count):
            started = time.perf_counter()
            self._run(table + ENTRY_BYTES * k, 1, *self._pass[2:])
            seconds.append(time.perf_counter() - started)
            if self._failure is not None:
                self._raise()
        return seconds

    def _raise(self) -> None:
        failure, self._failure = self._failure, None
        self._failed[0] = 0
        assert failure is not None
        raise failure

    def run(self, steps: int, control: int = 0, ring: int = 0, first: int = 1) -> int:
        """Up to `steps` passes without the interpreter; returns how many were done.

        control: address of an int64 that is looked at before each pass; it ends the loop once it
        is not 0.  ring: address of the memory of a Ring, to which (number of the pass, recorded
        value) goes after each pass; the loop ends when it is full.  first: the number of the
        first pass.  Raises what an op that is left to NumPy raises in the pass after those.
        """
        control = control or self._control.ctypes.data
        failed = self._failed.ctypes.data
        done = self._run(*self._table, steps, control, failed, ring or None, self._value, first)
        if self._failure is not None and not done:
            self._raise()
        return int(done)

    # Compiling.

    def _compile(self, plan: Plan, progress: Progress) -> list[_Entry]:
        steps = fuse(plan.tasks)
        needed = settle(steps)
        entries = []
        for done, step in enumerate(steps):
            progress(done, len(steps))
            match step:
                case Kernel():
                    entries.append(self._kernel(step, needed))
                case Product():
                    entries.append(self._product(step))
                case Callback():
                    entries.append(self._callback(step))
        progress(len(steps), len(steps))
        return entries

    def _kernel(self, kernel: Kernel, needed: set[Storage]) -> _Entry:
        source = emit(kernel, needed)
        started = time.perf_counter()
        name = cache.key("kernel", source.text, *source.signature)
        code, cached = cache.load(name, lambda: compile_kernel(source.text, source.signature))
        self._codes.append(code)
        seconds = time.perf_counter() - started
        number = {p: n for n, p in enumerate(kernel.places)}
        reasons = [sorted(line, key=number.__getitem__) for line in source.lines]
        self._show(name, source.text, reasons, cached, seconds)
        words: list[int | tuple[Storage, int]] = [(s, 0) for s in source.pointers]
        words += [e.length for e in source.lengths]
        words += source.offsets
        return _Entry(code.address(ENTRY), tuple(words))

    def _product(self, product: Product) -> _Entry:
        call = blas.call(product)
        words: list[int | tuple[Storage, int]] = [blas.address(call.routine)]
        for argument in call.arguments:
            words.append(
                argument if isinstance(argument, tuple) else self._cell(argument, call.dtype)
            )
        self._show(call.routine, call.routine, [[product]], True, 0.0)
        return _Entry(runner().address(f"blas{len(call.arguments)}"), tuple(words))

    def _callback(self, callback: Callback) -> _Entry:
        sources: list[Array] = []
        targets: list[Array] = []

        def entry(row: int | None) -> None:
            try:
                for target, value in zip(targets, callback.function(sources), strict=True):
                    if value.shape != target.shape:
                        raise _unforeseen(callback, target, value)
                    target[...] = value
            except BaseException as error:  # nothing may fly through native code
                self._failure = error
                self._failed[0] = 1

        address = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(entry)
        self._cells.append(address)
        self._callbacks.append((callback, sources, targets))
        name = callback.node.op.name if callback.node else "copy"
        self._show(name, f"numpy: {name}", [[callback]], True, 0.0)
        return _Entry(ctypes.cast(address, ctypes.c_void_p).value or 0, ())

    def _cell(self, value: str | float, dtype: str) -> int:
        """The address of memory that holds an argument of a Fortran routine."""
        cell: Any
        match value:
            case str():
                cell = ctypes.c_char(value.encode())
            case int():
                cell = ctypes.c_int32(value)
            case float():
                cell = ctypes.c_float(value) if dtype == "float32" else ctypes.c_double(value)
        self._cells.append(cell)
        return ctypes.addressof(cell)

    def _show(
        self,
        name: str,
        source: str,
        reasons: Sequence[Sequence[Task]],
        cached: bool,
        seconds: float,
    ) -> None:
        """Take note of a kernel; `reasons` are the tasks of each line, of the first one all."""
        lines = tuple(
            KernelLine(text, _ops(tasks), frozenset().union(*(t.origins for t in tasks)))
            for text, tasks in zip(source.splitlines(), reasons, strict=True)
        )
        whole = lines[0]
        info = KernelInfo(name, source, whole.ops, whole.origins, cached, seconds, lines)
        self.kernels.append(info)

    def _fill(self, entries: Sequence[_Entry]) -> int:
        """Write the table and its rows into memory; gives its address."""
        words = self._arena.words()
        table = ctypes.addressof(words)
        at = 2 * len(entries)
        for k, entry in enumerate(entries):
            words[2 * k] = entry.address
            words[2 * k + 1] = table + 8 * at
            for word in entry.words:
                if isinstance(word, tuple):
                    storage, offset = word
                    words[at] = self._arena.address(storage) + offset * storage.itemsize
                else:
                    words[at] = word
                at += 1
        return table


def _ops(tasks: Sequence[Task]) -> tuple[str, ...]:
    nodes = dict.fromkeys(t.node for t in tasks if t.node is not None)
    return tuple(n.op.name for n in nodes)


def _unforeseen(callback: Callback, target: Array, value: Array) -> EngineError:
    error = ShapeError(
        f"The result has the shape {shape_text(value.shape)} in place of "
        f"{shape_text(target.shape)}.",
        expected=shape_text(target.shape),
        got=shape_text(value.shape),
    )
    return callback.node.located(error) if callback.node else error
