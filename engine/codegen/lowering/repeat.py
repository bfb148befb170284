"""Loops: the tasks of a body, which are done again and again on rows where they lie.

A step reads the rows of sequences and earlier rows of states in the memory of the whole, and
writes its results to their places there, so that nothing is copied from step to step.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from engine.codegen.layout import ONE, Buffer, Extent, Index, Storage, View
from engine.codegen.primitives import Callback, Repeat, Task, Walk, calls_back
from engine.errors import CompileError, EngineError
from engine.expression import Apply, Variable
from engine.inference import infer_inside
from engine.ops.loop import Loop
from engine.ops.scan import check_steps
from engine.types import DISCRETE, TensorType

if TYPE_CHECKING:
    from engine.codegen.lowering.lower import Lowering


CALL_WORK = 3
"""To call NumPy from native code takes as long as so many ops of a loop that runs in NumPy."""


def repeated(low: Lowering, node: Apply) -> None:
    """The rule of the op `scan`.

    NumPy runs a loop of which a step makes something of a shape that is not known before, or has
    little more to do than to call NumPy.  Where the number of steps is found only by a run, the
    results have a length that is known if no more is wanted than last rows of states.
    """
    try:
        _Steps(low, node).lower()
    except EngineError:
        low.call(node)


class _Steps:
    """The steps of one loop while they are put together.

    count: how many there are at most, None where only a run knows.
    """

    def __init__(self, low: Lowering, node: Apply) -> None:
        self.low = low
        self.node = node
        self.loop = loop = Loop(**node.params)
        self.walked, self.first, self.constants = loop.split(node.inputs[1:])
        self.walks: dict[Storage, Walk] = {}
        known = low.value(node.inputs[0])
        self.count = None if known is None else int(known)
        exact = None if loop.until else self.count
        self.results = [
            _rows(low, v, loop.depths[i], loop.kept(i), exact) for i, v in enumerate(node.outputs)
        ]

    def lower(self) -> None:
        """Add the tasks that set the first rows, and the loop."""
        low, node = self.low, self.node
        until: Storage | None = None
        with low.apart() as tasks:
            if self.count != 0:
                until = self._body()
        calls = sum(isinstance(task, Callback) for task in tasks)
        if CALL_WORK * calls > len(self.loop.block.applies()):
            raise CompileError("Too much of a step is left to NumPy.")
        once, tasks = self._parted(tasks)
        low.tasks += once
        for v, own in zip(self.first, self.results, strict=False):
            own.begin(low, node, low.views[v])
        for v, own in zip(node.outputs, self.results, strict=True):
            low.views[v] = own.value()
        if tasks:
            steps = self._counted() if self.count is None else self.count
            low.tasks.append(Repeat(node, steps, tasks, self.walks, until))

    def _parted(self, tasks: Sequence[Task]) -> tuple[list[Task], list[Task]]:
        """Those that do the same in each step, to lay a matrix out for BLAS say, and the rest."""
        writers = Counter(s for task in tasks for s in task.touched()[1])
        varying = {*self.walks, *(s for s, count in writers.items() if count > 1)}
        once: list[Task] = []
        rest: list[Task] = []
        for task in tasks:
            read, written = task.touched()
            if calls_back(task) or not varying.isdisjoint(read | written):
                varying |= written
                rest.append(task)
            else:
                once.append(task)
        return once, rest

    def _counted(self) -> Storage:
        """Memory for the number of steps that a run has found, once NumPy has checked it."""
        low, node = self.low, self.node
        shapes = [low.views[v].shape for v in self.walked]

        def checked(values: Sequence[Any]) -> list[Any]:
            try:
                check_steps(int(values[0]), shapes, self.loop)
            except EngineError as error:
                raise node.located(error) from None
            return [np.asarray(values[0])]

        place = View.whole(Buffer.new("int64", ()), ())
        low.tasks.append(Callback(node, checked, (low.views[node.inputs[0]],), (place,)))
        return place.buffer.storage

    def _body(self) -> Storage | None:
        """Lower a step; gives the memory of the condition under which it is the last one."""
        low, node, block = self.low, self.node, self.loop.block
        views = [self._element(low.views[v]) for v in self.walked]
        for own, taps in zip(self.results, self.loop.taps, strict=False):
            views += [own.row(tap, self.walks) for tap in taps]
        known = [None] * len(views) + [low.value(v) for v in self.constants]
        views += [low.views[v] for v in self.constants]
        views = [_fitted(view, v) for view, v in zip(views, block.inputs, strict=True)]
        types = [
            TensorType(v.dtype, view.shape) for view, v in zip(views, block.inputs, strict=True)
        ]
        inputs = dict(zip(block.inputs, views, strict=True))
        rows = low.inside(block, infer_inside(block, types, known), inputs)
        until = self._condition(rows.pop()) if self.loop.until else None
        made = {s for task in low.tasks for s in task.touched()[1]}
        news = [own.ready(low, node, v, made) for own, v in zip(self.results, rows, strict=True)]
        for own, new in zip(self.results, news, strict=True):
            own.add(low, node, new, made, self.walks)
        return until

    def _condition(self, view: View) -> Storage:
        if view.extents or view.dtype not in DISCRETE:
            raise CompileError("The condition is no bool.")
        holds = View.whole(Buffer.new("bool", (), kept=True), ())
        self.low.write(self.node, "{x} != 0", {"x": view}, view.dtype, holds)
        return holds.buffer.storage

    def _element(self, view: View) -> View:
        """A row of a sequence, another one in each step."""
        axis = next((k for k, i in enumerate(view.indices) if i.axis == 0), None)
        rest = range(1, len(view.extents))
        if axis is None:
            return view.permuted(rest)
        index, buffer = view.indices[axis], view.buffer
        stride = buffer.strides[axis]
        start, step = index.start * stride, index.step * stride
        if self.loop.backwards:
            if self.count is None:
                raise CompileError("The row at which a loop begins is not known.")
            start, step = start + (self.count - 1) * step, -step
        row = buffer.row(axis)
        self.walks[row.storage] = Walk(buffer.storage, start, step, axis=axis)
        kept = [] if axis == 0 else [Index()]
        fixed = (*view.indices[:axis], *kept, *view.indices[axis + 1 :])
        return View(row, view.extents, fixed).permuted(rest)


class _Result(Protocol):
    """The rows of a result in memory."""

    def begin(self, low: Lowering, node: Apply, first: View) -> None:
        """Put the rows from before the loop into their places."""

    def row(self, tap: int, walks: dict[Storage, Walk]) -> View:
        """The row that a step reads by a tap."""

    def ready(self, low: Lowering, node: Apply, row: View, made: set[Storage]) -> View:
        """What a step has made, where it stays until all results are added."""

    def add(
        self,
        low: Lowering,
        node: Apply,
        row: View,
        made: set[Storage],
        walks: dict[Storage, Walk],
    ) -> None:
        """Let a step leave its row in its place.

        made: the memory to which the step has written so far.
        """

    def value(self) -> View:
        """The rows that are wanted, once the loop is done."""


def _rows(low: Lowering, v: Variable, depth: int, wanted: int, count: int | None) -> _Result:
    """The memory for a result v of a loop of so many steps, None if only a run knows."""
    known = low.types[v]
    extents = tuple(
        ONE if b else Extent(low.length(n, v))
        for n, b in zip(known.shape[1:], known.broadcastable[1:], strict=True)
    )
    if count is not None:
        return _Rows(v.dtype, extents, depth, wanted, count)
    if not 0 < wanted <= depth:
        raise CompileError("The number of rows is not known.")
    return _LastRows(v.dtype, extents, depth, wanted)


class _Rows:
    """All rows, or the last few, round and round: rows stay where they are written.

    depth: how many there are before the first step.  wanted: how many last ones, 0 for all.
    """

    def __init__(
        self, dtype: str, extents: tuple[Extent, ...], depth: int, wanted: int, count: int
    ) -> None:
        total = depth + count
        self.depth = depth
        self.extents = extents
        self.kept = min(wanted, total) if wanted else total
        # A row is written while those are there that a step may read.
        self.rows = min(total, max(self.kept, depth + 1))
        self.skipped = total - self.kept if self.rows < total else 0
        axes = (Extent(self.rows), *extents)
        self.whole = View.whole(Buffer.new(dtype, axes), axes)

    def _slot(self, number: int) -> int:
        """Where the row of that number lies; the last ones, which are wanted, lie in order."""
        return (number - self.skipped) % self.rows if self.rows else 0

    def _walk(self, tap: int) -> Walk:
        """Where, in each step, the row lies that is so far from the one that the step makes."""
        storage = self.whole.buffer.storage
        first = self._slot(self.depth + tap)
        rows = self.rows if self.skipped else None
        return Walk(storage, 0, storage.length // max(self.rows, 1), first, rows)

    def begin(self, low: Lowering, node: Apply, first: View) -> None:
        if not self.skipped:
            low.copy(node, first, self.whole.sliced(0, 0, 1, Extent(self.depth)))
            return
        for number in range(self.depth):
            place = self.whole.picked(0, self._slot(number))
            low.copy(node, first.picked(0, number), place)

    def row(self, tap: int, walks: dict[Storage, Walk]) -> View:
        buffer = Buffer.new(self.whole.dtype, self.extents, given=True)
        walks[buffer.storage] = self._walk(tap)
        return View.whole(buffer, self.extents)

    def ready(self, low: Lowering, node: Apply, row: View, made: set[Storage]) -> View:
        return row

    def add(
        self,
        low: Lowering,
        node: Apply,
        row: View,
        made: set[Storage],
        walks: dict[Storage, Walk],
    ) -> None:
        storage = row.buffer.storage
        alone = storage in made and storage not in walks and row.is_whole
        if alone and row.shape == tuple(e.length for e in self.extents):
            for own, other in zip(self.extents, row.extents, strict=True):
                if own is not ONE and other is not ONE:
                    own.unify(other)
            storage.kept = True
            walks[storage] = self._walk(0)  # it is made in its place
            return
        buffer = Buffer.new(self.whole.dtype, self.extents, kept=True)
        walks[buffer.storage] = self._walk(0)
        low.copy(node, row, View.whole(buffer, self.extents))

    def value(self) -> View:
        if self.kept == self.rows:
            return self.whole
        start = 0 if self.skipped else self.rows - self.kept
        return self.whole.sliced(0, start, 1, Extent(self.kept))


class _LastRows:
    """Only as many rows as a step may read; they move up in each step, which may be the last."""

    def __init__(self, dtype: str, extents: tuple[Extent, ...], depth: int, wanted: int) -> None:
        self.depth = depth
        self.wanted = wanted
        self.extents = extents
        axes = (Extent(depth), *extents)
        self.whole = View.whole(Buffer.new(dtype, axes), axes)
        self.inside = View.whole(Buffer.new(dtype, axes, kept=True), axes)

    def begin(self, low: Lowering, node: Apply, first: View) -> None:
        low.copy(node, first, self.whole)

    def row(self, tap: int, walks: dict[Storage, Walk]) -> View:
        walks[self.inside.buffer.storage] = Walk(self.whole.buffer.storage, 0, 0)
        return self.inside.picked(0, self.depth + tap)

    def ready(self, low: Lowering, node: Apply, row: View, made: set[Storage]) -> View:
        if row.buffer.storage in made:
            return row
        # It may be an old row of a state, which is about to change.
        fresh = View.whole(Buffer.new(row.dtype, row.extents), row.extents)
        low.copy(node, row, fresh)
        return fresh

    def add(
        self,
        low: Lowering,
        node: Apply,
        row: View,
        made: set[Storage],
        walks: dict[Storage, Walk],
    ) -> None:
        for k in range(1, self.depth):
            low.copy(node, self.inside.picked(0, k), self.inside.picked(0, k - 1))
        low.copy(node, row, self.inside.picked(0, self.depth - 1))

    def value(self) -> View:
        if self.wanted == self.depth:
            return self.whole
        return self.whole.sliced(0, self.depth - self.wanted, 1, Extent(self.wanted))


def _fitted(view: View, v: Variable) -> View:
    """The view, stretching along the axes along which the variable does."""
    extents = tuple(
        ONE if stretches else Extent(1) if extent is ONE else extent
        for extent, stretches in zip(view.extents, v.broadcastable, strict=True)
    )
    if extents == view.extents:
        return view
    indices = tuple(
        Index(i.start) if i.axis is not None and extents[i.axis] is ONE else i for i in view.indices
    )
    return View(view.buffer, extents, indices)
