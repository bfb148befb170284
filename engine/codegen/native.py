"""A graph compiled for the processor: its memory, its kernels, and the loop that runs them."""

from __future__ import annotations

import ctypes
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np

from engine.codegen.cpu import batch, blas, gather, threads
from engine.codegen.cpu.call import Call
from engine.codegen.cpu.compiler import ENTRY, Compiled, compile_kernels
from engine.codegen.cpu.emit import Source, emit
from engine.codegen.cpu.machine import Loaded
from engine.codegen.cpu.philox import philox
from engine.codegen.cpu.runner import Request, counts_time, run, runner
from engine.codegen.cpu.table import Entry, LoopEntry, Table, Word
from engine.codegen.cpu.threads import pool
from engine.codegen.fuse import Kernel, Step, fuse, settle
from engine.codegen.layout import Storage
from engine.codegen.memory import Arena, Array, shown
from engine.codegen.minibatches import Batches
from engine.codegen.numpy import Interpreter
from engine.codegen.plan import Plan
from engine.codegen.primitives import (
    Batch,
    Callback,
    Guard,
    Product,
    Repeat,
    Task,
    Words,
    storages,
)
from engine.codegen.sink import sunk
from engine.errors import UnforeseenError
from engine.expression import Variable
from engine.graph import Graph
from engine.types import TensorType

Progress = Callable[[int, int], None]

LENT_BYTES = 16_384
"""From this size on, to copy an array takes longer than to ask for its address."""

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

    name: that of its object code.  source: its text; for a product, the routine of BLAS, for a
    batch, all that runs for each of its entries, for a loop, how many of the kernels that follow
    are in it, for random words `philox`, for a look at what was checked `guard`, and for what is
    left to NumPy, the op.
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


class Native:
    """A graph compiled for given shapes, with memory of its own.

    inputs: for each input and leaf the array from which the kernels read it, to be written to.
    outputs: for each output of the graph the array in which it lies after a pass.
    lent_inputs, lent_outputs: those of either, outputs by number, which are not there but where
        `lend` says before a pass.
    kernels: what runs in a pass, in order; a loop comes before the kernels in it.
    peak_bytes: all memory that it uses, with what is lent to it.
    """

    def __init__(
        self,
        graph: Graph,
        types: Mapping[Variable, TensorType],
        updates: Mapping[Variable, int],
        record: int | None,
        progress: Progress | None = None,
        lending: bool = False,
        batches: Batches | None = None,
    ) -> None:
        """Compile the graph; see `compile_graph`."""
        self.plan = plan = Plan(graph, types, updates, record)
        self._results = list(graph.outputs)
        self.kernels: list[KernelInfo] = []
        self._codes: list[Loaded] = [runner()]
        self._cells: list[Any] = []
        self._inner: dict[Batch, list[Step]] = {}
        self._calls: list[Call] = []
        self._failed = np.zeros(1, np.int64)
        self._timing = np.zeros(1, np.int64)
        self._failure: BaseException | None = None
        self._moving: set[Storage] = set()
        self._steps: list[Array] = []
        self._batches = batches  # whose data is read where it is
        self._deck = gather.deck(batches) if batches else np.empty(0, np.int64)
        entries = self._gathered(plan, batches) if batches else []
        entries += self._compile(plan.tasks, progress or (lambda done, total: None))
        self._entries = entries
        lent = self._lent(lending)
        uses = [dict.fromkeys(plan.storages()), *(dict.fromkeys(e.storages) for e in entries)]
        table = Table(entries)
        fixed = [[s for s in used if s not in lent] for used in uses]
        self._arena = Arena(fixed, len(table.words))
        self.peak_bytes = self._arena.bytes + sum(s.bytes for s in lent) + self._deck.nbytes
        for call in self._calls:
            call.place(self._arena)
        self._words = self._arena.words()
        self._places = table.fill(self._words, self._arena)
        for storage in lent:
            if storage.value is not None:
                self.lend(storage, storage.value.ctypes.data)
        self.lent_inputs = {v: x for v, x in plan.leaves.items() if x.buffer.storage in lent}
        self.lent_outputs = {k: x for k, x in enumerate(plan.outputs) if x.buffer.storage in lent}
        self.inputs = {
            v: self._arena.view(x) for v, x in plan.leaves.items() if v not in self.lent_inputs
        }
        self.outputs: list[Array] = [
            self._arena.view(x) if k not in self.lent_outputs else np.empty(0, x.dtype)
            for k, x in enumerate(plan.outputs)
        ]
        self._control = np.zeros(1, np.int64)
        self._run = run()
        self._once = Request(
            table=ctypes.addressof(self._words),
            count=len(entries),
            steps=1,
            control=self._control.ctypes.data,
            failed=self._failed.ctypes.data,
        )
        self._once_address = ctypes.addressof(self._once)

    @property
    def calls_back(self) -> bool:
        """Whether it calls the interpreter, for ops that are left to NumPy."""
        return bool(self._calls)

    def lend(self, storage: Storage, address: int) -> None:
        """Where the storage of a lent input or output begins from now on."""
        for place, offset in self._places.get(storage, ()):
            self._words[place] = address + offset

    def call(self) -> None:
        """One pass: the outputs are computed from the inputs, then updates take effect.

        Raises what NumPy raises for the same values, or UnforeseenError; no update takes effect
        then.
        """
        if not self._run(self._once_address):
            self._raise()

    def call_timed(self) -> list[float]:
        """One pass, a kernel at a time; gives the seconds that each of `kernels` took.

        A kernel in a loop gets what it took in all steps, the loop what went by in between; where
        the processor has no counter that may be read, the loop gets it all.
        """
        seconds = []
        request = Request.from_buffer_copy(self._once)
        request.count = 1
        self._timing[0] = counts_time()
        try:
            for entry in self._entries:
                started = time.perf_counter()
                done = self._run(ctypes.addressof(request))
                seconds += entry.times(time.perf_counter() - started)
                request.table += ENTRY_BYTES
                if not done:
                    self._raise()
        finally:
            self._timing[0] = 0
        return seconds

    def _raise(self) -> None:
        failure, self._failure = self._failure, None
        self._failed[0] = 0
        if failure is not None:
            raise failure
        # A guard has ended the pass: no leaf has changed, and NumPy says what is wrong with them.
        Interpreter(list(self.plan.leaves), self._results)([*map(self._held, self.plan.leaves)])
        raise UnforeseenError("NumPy can do what was not foreseen when kernels were made.")

    def _held(self, leaf: Variable) -> Array:
        """The value of a leaf."""
        if leaf not in self.lent_inputs:
            return self.inputs[leaf]
        view = self.lent_inputs[leaf]
        storage = view.buffer.storage
        places = self._places.get(storage)
        if not places:  # only its shape is read
            return np.zeros(view.shape, view.dtype)
        word, offset = places[0]
        memory: Any = (ctypes.c_char * storage.bytes).from_address(self._words[word] - offset)
        return shown(view, np.frombuffer(memory, storage.dtype))

    def run(self, steps: int, control: int = 0, ring: int = 0, first: int = 1) -> int:
        """Up to `steps` passes without the interpreter; returns how many were done.

        control: address of an int64 that is looked at before each pass; it ends the loop once it
        is not 0.  ring: address of the memory of a Ring, to which (number of the pass, recorded
        value) goes after each pass; the loop ends when it is full.  first: the number of the
        first pass.  Raises in the pass after those what NumPy raises for the same values, or
        UnforeseenError.
        """
        request = Request.from_buffer_copy(self._once)
        request.steps, request.first, request.ring = steps, first, ring
        request.control = control or self._once.control
        request.value = self._arena.address(self.plan.record) if self.plan.record else 0
        if self._batches is not None:
            self._deck[gather.STEP] = first
        done = self._run(ctypes.addressof(request))
        if self._failed[0] and not done:
            self._raise()
        return int(done)

    # Compiling.

    def _gathered(self, plan: Plan, batches: Batches) -> list[Entry]:
        """The lines that choose the rows of a step's batch and copy them."""
        code = gather.functions()
        self._codes.append(code)
        choose = "in_order" if batches.key is None else "shuffled"
        self._show(choose, f"gather: which rows, {choose.replace('_', ' ')}", [[]], True, 0.0)
        entries = [Entry(code.address(choose), (self._deck.ctypes.data,), ())]
        rows = self._deck[gather.ROWS :].ctypes.data
        for v, data in batches.data.items():
            storage = plan.leaves[v].buffer.storage
            words = (rows, batches.size, data.ctypes.data, data.nbytes // len(data), (storage, 0))
            self._show("gather", "gather: the rows of a batch", [[]], True, 0.0)
            entries.append(Entry(code.address("gather"), words, (storage,)))
        return entries

    def _compile(self, tasks: Sequence[Task], progress: Progress) -> list[Entry]:
        steps = fuse(sunk(tasks))
        needed = settle(steps)
        sources = dict(self._emitted(steps, needed))
        compiled = compile_kernels([(s.text, s.signature, s.parted) for s in sources.values()])
        entries: list[Entry] = []
        for done, step in enumerate(steps):
            progress(done, len(steps))
            entries.append(self._entry(step, sources, compiled))
        progress(len(steps), len(steps))
        return entries

    def _emitted(
        self, steps: Sequence[Step], needed: set[Storage]
    ) -> Iterator[tuple[Kernel, Source]]:
        """The text of each kernel, also of those for the entries of a batch."""
        for step in steps:
            if isinstance(step, Kernel):
                yield step, emit(step, needed)
            elif isinstance(step, Batch):
                inner = self._inner[step] = fuse(step.tasks)
                yield from self._emitted(inner, settle(inner, storages(step)))

    def _entry(
        self, step: Step, sources: Mapping[Kernel, Source], compiled: Iterator[Compiled]
    ) -> Entry:
        match step:
            case Kernel():
                return self._kernel(step, sources[step], next(compiled))
            case Product():
                return self._product(step)
            case Batch():
                first = len(self.kernels)
                entries = [self._entry(s, sources, compiled) for s in self._inner[step]]
                self.kernels[first:] = [_together(self.kernels[first:])]
                return self._batch(step, entries)
            case Repeat():
                return self._repeat(step)
            case Words():
                return self._drawn(step)
            case Callback():
                return self._callback(step)
            case Guard():
                return self._guard(step)

    def _kernel(self, kernel: Kernel, source: Source, compiled: Compiled) -> Entry:
        self._codes.append(compiled.code)
        number = {p: n for n, p in enumerate(kernel.places)}
        reasons = [sorted(line, key=number.__getitem__) for line in source.lines]
        self._show(compiled.name, source.text, reasons, compiled.from_cache, compiled.seconds)
        words: list[Word] = [(s, 0) for s in source.pointers]
        words += [e.length for e in source.lengths]
        words += source.offsets
        address = compiled.code.address(ENTRY)
        if source.parted:
            shared = pool()
            self._cells.append(shared)
            words = [address, shared.address, kernel.parts, kernel.length, *words]
            address = threads.code().address("share")
        return Entry(address, tuple(words), source.pointers)

    def _product(self, product: Product) -> Entry:
        calls = [blas.call(part) for part in blas.shares(product)]
        routine = calls[0].routine
        self._show(routine, routine, [[product]], True, 0.0)
        address = runner().address(f"blas{len(calls[0].arguments)}")
        rows = [self._arguments(call) for call in calls]
        used = tuple(w[0] for w in rows[0] if isinstance(w, tuple))
        if len(rows) == 1:
            entry = Entry(address, rows[0], used)
            return self._alone(entry) if prod(product.space) >= blas.THREADED else entry
        shared = [batch.row([(address, words)], 1, {}, {}) for words in rows]
        return self._shared(shared, len(rows), used)

    def _arguments(self, call: blas.Call) -> tuple[Word, ...]:
        given = (a if isinstance(a, tuple) else self._cell(a, call.dtype) for a in call.arguments)
        return blas.address(call.routine), *given

    def _batch(self, batched: Batch, entries: Sequence[Entry]) -> Entry:
        used = tuple(dict.fromkeys(s for e in entries for s in e.storages))
        functions = [(e.address, e.words) for e in entries]
        facts = batched.count, batched.moving, batched.apart
        rows = [batch.row(functions, *facts, part) for part in range(batched.parts)]
        if batched.parts == 1:
            return Entry(batch.code().address("batch"), rows[0], used)
        return self._shared(rows, batched.count, used)

    def _shared(
        self, rows: Sequence[tuple[Word, ...]], turns: int, used: tuple[Storage, ...]
    ) -> Entry:
        """Parts that threads do, each with the row of a batch, while BLAS uses one thread."""
        shared = pool()
        self._cells.append(shared)
        words: list[Word] = [batch.code().address("part"), shared.address]
        words += [len(rows), turns, len(rows[0]), *(w for row in rows for w in row)]
        return self._alone(Entry(threads.code().address("share"), tuple(words), used))

    def _alone(self, entry: Entry) -> Entry:
        """The entry, while BLAS uses no threads of its own."""
        functions = blas.threads()
        if functions is None:
            return entry
        words = *functions, entry.address, *entry.words
        return Entry(batch.code().address("alone"), words, entry.storages)

    def _repeat(self, repeat: Repeat) -> Entry:
        self._moving.update(repeat.walks)
        step = np.zeros(1, np.int64)
        self._cells.append(step)
        self._steps.append(step)
        place = len(self.kernels)
        body = self._compile(repeat.tasks, lambda done, total: None)
        self._steps.pop()
        inside = len(self.kernels) - place
        text = f"loop of {inside} kernel{'' if inside == 1 else 's'}"
        self._show("loop", text, [[repeat]], True, 0.0)
        self.kernels.insert(place, self.kernels.pop())
        ticks = np.zeros(len(body) + 1, np.int64)
        steps = repeat.steps if isinstance(repeat.steps, int) else (repeat.steps, 0)
        cells = (a.ctypes.data for a in (self._failed, step, self._timing, ticks))
        words: tuple[Word, ...] = steps, *cells, (repeat.until, 0) if repeat.until else 0
        return LoopEntry.of(runner().address("loop"), words, body, repeat.walks, ticks)

    def _callback(self, callback: Callback) -> Entry:
        call = Call(callback, self._moving, self._steps)
        self._calls.append(call)

        def entry(row: int | None) -> None:
            try:
                call(row or 0)
            except BaseException as error:  # nothing may fly through native code
                self._failure = error
                self._failed[0] = 1

        address = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(entry)
        self._cells.append(address)
        name = callback.node.op.name if callback.node else "copy"
        self._show(name, f"numpy: {name}", [[callback]], True, 0.0)
        return Entry(ctypes.cast(address, ctypes.c_void_p).value or 0, call.words, call.storages)

    def _drawn(self, words: Words) -> Entry:
        self._show("philox", "philox", [[words]], True, 0.0)
        self._codes.append(philox())
        state, target = words.state.buffer.storage, words.target.buffer.storage
        row = (state, words.state.offset), (target, 0), target.length
        return Entry(philox().address("words"), row, (state, target))

    def _guard(self, guard: Guard) -> Entry:
        self._show("guard", "guard", [[guard]], True, 0.0)
        place = guard.flag.buffer.storage, 0
        words = self._failed.ctypes.data, place
        return Entry(runner().address("guard"), words, (place[0],))

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

    def _lent(self, lending: bool) -> set[Storage]:
        """The storages that lie outside: large constants, and perhaps large inputs and outputs.

        A callback has its arrays for good.  An output that shows a part of something, or what
        another one shows, is copied.
        """
        ends = [*self.plan.leaves.values(), *self.plan.outputs]
        count = Counter(x.buffer.storage for x in ends)
        alone = {x.buffer.storage for x in ends if x.is_whole and count[x.buffer.storage] == 1}
        found = {s for e in self._entries for s in e.storages if s.value is not None} - set(count)
        if lending:
            found |= {s for s in alone if s.value is None}
        called = {s for call in self._calls for s in call.fixed()}
        return {s for s in found - called if s.bytes >= LENT_BYTES}


def _together(kernels: Sequence[KernelInfo]) -> KernelInfo:
    """Kernels that run one after the other for each entry of a batch, as one."""
    ops = tuple(dict.fromkeys(op for k in kernels for op in k.ops))
    origins = frozenset[str]().union(*(k.origins for k in kernels))
    inner = [replace(line, text=f"    {line.text}") for k in kernels for line in k.lines]
    lines = (KernelLine("for each entry of the batch:", ops, origins), *inner)
    return KernelInfo(
        "+".join(k.name for k in kernels),
        "\n".join(line.text for line in lines) + "\n",
        ops,
        origins,
        all(k.from_cache for k in kernels),
        sum(k.seconds for k in kernels),
        lines,
    )


def _ops(tasks: Sequence[Task]) -> tuple[str, ...]:
    nodes = dict.fromkeys(t.node for t in tasks if t.node is not None)
    return tuple(n.op.name for n in nodes)
