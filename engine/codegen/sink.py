"""Formulas that make the rows of a sequence, moved into the loop that reads them.

So a bias that is added to a product of all rows costs a loop nothing, where to add it beforehand
means to write and read all of them once more.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from engine.codegen.layout import Access, Buffer, Index, Storage
from engine.codegen.primitives import Map, Operand, Position, Primitive, Repeat, Task, Walk

CHEAP = frozenset({"T", "abs", "max", "min"})
"""Functions that are as good as free beside memory; others are worth several threads."""


def sunk(tasks: Sequence[Task]) -> list[Task]:
    """The tasks, in which loops make rows of sequences themselves where that saves memory."""
    if not any(isinstance(task, Repeat) for task in tasks):
        return list(tasks)
    return _Sinking(tasks).tasks()


class _Sinking:
    """The tasks, by number, and which of them read and write what."""

    def __init__(self, tasks: Sequence[Task]) -> None:
        self._tasks: dict[int, Task] = dict(enumerate(tasks))
        self._readers: dict[Storage, set[int]] = defaultdict(set)
        self._writers: dict[Storage, set[int]] = defaultdict(set)
        for number, task in self._tasks.items():
            self._note(number, task)
        for number, task in list(self._tasks.items()):
            if isinstance(task, Repeat):
                self._fill(number, task)

    def tasks(self) -> list[Task]:
        """Those that are left, in their order."""
        return list(self._tasks.values())

    def _note(self, number: int, task: Task) -> None:
        read, written = task.touched()
        for storage in read:
            self._readers[storage].add(number)
        for storage in written:
            self._writers[storage].add(number)

    def _fill(self, number: int, loop: Repeat) -> None:
        """Move into a loop what can be, and what is read by that then."""
        waiting = list(loop.walks)
        while waiting:
            moving = waiting.pop()
            maker = self._maker(number, loop, moving)
            if maker is None:
                continue
            made = self._tasks[maker]
            row = _of_a_row(made, loop, moving)
            if row is None:
                continue
            task, walks = row
            if self._is_dearer(maker, made, number, walks):
                continue
            waiting += walks
            self._readers[loop.walks[moving].storage].clear()
            for storage in made.touched()[0]:
                self._readers[storage].discard(maker)
            del self._tasks[maker]
            moving.given = False  # it is made in the step now
            kept = {s: w for s, w in loop.walks.items() if s is not moving}
            # Right before it is read, so that the two are in one kernel.
            at = next(k for k, t in enumerate(loop.tasks) if moving in t.touched()[0])
            inside = [*loop.tasks[:at], task, *loop.tasks[at:]]
            loop = replace(loop, tasks=inside, walks={**kept, **walks})
            self._tasks[number] = loop
            self._note(number, loop)

    def _maker(self, number: int, loop: Repeat, moving: Storage) -> int | None:
        """The task that makes the rows for this loop alone."""
        storage = loop.walks[moving].storage
        if storage.kept or storage.given or self._readers[storage] != {number}:
            return None
        if len(self._writers[storage]) != 1:
            return None
        if sum(w.storage is storage for w in loop.walks.values()) > 1:
            return None
        (maker,) = self._writers[storage]
        return maker

    def _is_dearer(self, maker: int, made: Task, loop: int, walks: Mapping[Storage, Walk]) -> bool:
        """Whether more than before would lie in memory, or what is read would have changed."""
        if any(maker < n < loop for s in made.touched()[0] for n in self._writers[s]):
            return True
        fresh = [
            storage
            for storage in {moving.storage for moving in walks.values()}
            if self._readers[storage] == {maker} and self._writers[storage]
            if all(isinstance(self._tasks[n], Primitive) for n in self._writers[storage])
        ]
        return len(fresh) > 1


def _of_a_row(made: Task, loop: Repeat, moving: Storage) -> tuple[Map, dict[Storage, Walk]] | None:
    """The formula for the row that is read in each step, and the walks that it reads by."""
    if not isinstance(made, Map) or not set(re.findall(r"(\w+)\(", made.text)) <= CHEAP:
        return None
    if not all(_is_plain(operand) for operand in (*made.operands.values(), made.target)):
        return None
    place = loop.walks[moving]
    buffers = {
        access.buffer
        for task in loop.tasks
        if isinstance(task, Primitive)
        for access in (*task.reads(), task.target)
        if access.storage is moving
    }
    extents, strides = made.target.buffer.extents, made.target.buffer.strides
    if place.axis != 0 or place.rows is not None or len(buffers) != 1:
        return None
    (buffer,) = buffers
    if [e.length for e in buffer.extents] != [e.length for e in extents[1:]]:
        return None  # it is read in another shape
    turn = made.target.indices[0]
    if turn.axis is None or (turn.start, turn.step) != (0, 1) or not strides[0]:
        return None
    loops = {k: n for n, k in enumerate(k for k in range(len(made.space)) if k != turn.axis)}
    first, step = place.offset // strides[0], place.stride // strides[0]
    rows: dict[tuple[Buffer, Walk], Buffer] = {}
    found: dict[str, Operand] = {}
    for name, operand in made.operands.items():
        if isinstance(operand, Access):
            operand = _row_of(operand, turn.axis, first, step, rows)
            operand = Access(operand.buffer, _renumbered(operand.indices, loops))
        found[name] = operand
    if not rows:
        return None
    row = replace(
        made,
        space=tuple(made.space[k] for k in loops),
        order=tuple(loops[k] for k in made.order if k in loops),
        operands=found,
        target=Access(buffer, _renumbered(made.target.indices[1:], loops)),
    )
    return row, {own.storage: at for (_, at), own in rows.items()}


def _is_plain(operand: Operand) -> bool:
    """Whether it is found at a place of a step without more ado."""
    if not isinstance(operand, Access):
        return not isinstance(operand, Position)
    loops = [i.axis for i in operand.indices if i.axis is not None]
    computed = any(i.place is not None or i.within is not None for i in operand.indices)
    return not computed and len(loops) == len(set(loops))


def _row_of(
    access: Access, loop: int, first: int, step: int, rows: dict[tuple[Buffer, Walk], Buffer]
) -> Access:
    """What an access touches in a step, of which the loop is at `first + step * t`."""
    axes = [k for k, index in enumerate(access.indices) if index.axis == loop]
    if not axes:
        return access
    (axis,) = axes
    index, stride = access.indices[axis], access.buffer.strides[axis]
    start, moves = (index.start + index.step * first) * stride, index.step * step * stride
    key = access.buffer, Walk(access.storage, start, moves, axis=axis)
    if key not in rows:
        rows[key] = access.buffer.row(axis)
    kept = [] if axis == 0 else [Index()]
    return Access(rows[key], (*access.indices[:axis], *kept, *access.indices[axis + 1 :]))


def _renumbered(indices: Sequence[Index], loops: Mapping[int, int]) -> tuple[Index, ...]:
    return tuple(i if i.axis is None else Index(i.start, i.step, loops[i.axis]) for i in indices)
