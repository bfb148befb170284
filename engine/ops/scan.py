"""The loop as an op."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from engine.errors import EngineError, ParameterError, ShapeError, TypeMismatchError
from engine.expression import Block
from engine.inference import infer_block
from engine.op import Op, Param, Port
from engine.ops.loop import Loop
from engine.ops.scan_gradient import scan_gradient
from engine.types import DISCRETE, Shape, TensorType, shape_text

CATEGORY = "Control"
Array = np.ndarray[Any, Any]
Step = Callable[[Sequence[Any]], Sequence[Any]]


def _scan_type(
    steps: TensorType, *inputs: TensorType, known: Sequence[Any], **params: Any
) -> tuple[TensorType, ...]:
    loop = Loop(**params)
    if steps.ndim or steps.dtype not in DISCRETE:
        raise TypeMismatchError(
            "The number of steps must be a whole number.",
            port="steps",
            expected="an integer scalar",
            got=str(steps),
        )
    walked, first, _ = loop.split(inputs)
    count = None if known[0] is None else int(known[0])
    check_steps(count, [t.shape for t in walked], loop)
    rows = _rows(loop, walked, first, inputs)
    types = []
    for i, (v, row) in enumerate(zip(loop.results, rows, strict=True)):
        before, pattern = loop.depths[i], v.broadcastable
        if i < len(first):
            row = _state_row(first[i], row, before)
            own = loop.past[i][0].broadcastable
            pattern = tuple(
                a and b and c
                for a, b, c in zip(pattern, own, first[i].broadcastable[1:], strict=True)
            )
        length = None if count is None or loop.until else before + count
        wanted = loop.kept(i)
        if wanted:
            length = wanted if wanted <= before else length and min(wanted, length)
        types.append(TensorType(v.dtype, (length, *row.shape), (False, *pattern)))
    return tuple(types)


def check_steps(count: int | None, shapes: Sequence[Shape], loop: Loop) -> None:
    """Raise an error unless a loop can take so many steps through sequences of these shapes."""
    if count is None:
        return
    if count < 0:
        raise ParameterError(
            f"A loop cannot take {count} steps.",
            port="steps",
            expected="0 or more",
            got=str(count),
            hint="To walk through sequences from their end use go_backwards=True.",
        )
    for i, shape in enumerate(shapes):
        if shape[0] is not None and shape[0] < count:
            name = loop.elements[i].name
            raise ShapeError(
                f"The loop takes {count} steps, but the sequence {name or f'number {i}'} has only "
                f"{shape[0]} rows.",
                port="steps",
                expected=f"at most {shape[0]}",
                got=str(count),
                hint="Without n_steps the shortest sequence gives the number of steps.",
            )


def _rows(
    loop: Loop,
    walked: Sequence[TensorType],
    first: Sequence[TensorType],
    inputs: Sequence[TensorType],
) -> list[TensorType]:
    """The types of the rows that a step computes."""
    given = [TensorType(t.dtype, t.shape[1:], t.broadcastable[1:]) for t in walked]
    for taps, t in zip(loop.taps, first, strict=True):
        given += [TensorType(t.dtype, t.shape[1:], t.broadcastable[1:])] * len(taps)
    given += inputs[loop.sequences + len(loop.taps) :]
    for v, t in zip(loop.block.inputs, given, strict=True):
        if (v.dtype, v.ndim) != (t.dtype, t.ndim):
            raise TypeMismatchError(
                f"The body of the loop takes {v.type} for {v!r}, not {t}.",
                port="inputs",
                expected=str(v.type),
                got=str(t),
            )
    if all(v.type.shape == t.shape for v, t in zip(loop.block.inputs, given, strict=True)):
        return [v.type for v in loop.results]
    return infer_block(loop.block, given)[: len(loop.results)]


def _state_row(first: TensorType, row: TensorType, depth: int) -> TensorType:
    """The type of each row of a state, from that of the first ones and of those that follow."""
    if (first.dtype, first.ndim - 1) != (row.dtype, row.ndim):
        raise TypeMismatchError(
            f"A state starts as {first} but becomes {row} after a step.",
            expected=str(first),
            got=str(row),
            hint="Cast the first state or the step's result.",
        )
    if first.shape[0] is not None and first.shape[0] != depth:
        raise ShapeError(
            f"The taps of a state reach back {depth} steps, but {first.shape[0]} first rows are "
            "given.",
            expected=f"{depth} rows",
            got=str(first.shape[0]),
        )
    for before, after in zip(first.shape[1:], row.shape, strict=True):
        if before is not None and after is not None and before != after:
            raise _changed_shape(first.shape[1:], row.shape)
    shape = [a if b is None else b for a, b in zip(first.shape[1:], row.shape, strict=True)]
    return TensorType(row.dtype, shape, row.broadcastable)


def _changed_shape(before: Sequence[int | None], after: Sequence[int | None]) -> ShapeError:
    return ShapeError(
        f"A state of the loop has the shape {shape_text(before)} before a step and "
        f"{shape_text(after)} after it.",
        expected=shape_text(before),
        got=shape_text(after),
        hint="Every row of a result has the same shape; give the first state the shape of the "
        "step's result.",
    )


class _Rows:
    """The rows of one result, one after the other in memory, or only the last few of them.

    first: those from before the loop, None for a result that has none.
    room: how many more are expected; there may come more.
    """

    def __init__(self, first: Array | None, room: int, wanted: int, depth: int) -> None:
        self._room = room
        self._filled = 0
        self._memory: Array | None = None
        self._wanted = wanted
        self._last: deque[Any] = deque(maxlen=max(wanted, depth))
        if first is None:
            return
        if wanted:
            self._last.extend(first[i, ...] for i in range(len(first)))
        else:
            self._memory = np.empty((len(first) + room, *first.shape[1:]), first.dtype)
            self._memory[: len(first)] = first
            self._filled = len(first)

    def before(self, tap: int) -> Any:
        """The row that was added so many rows ago."""
        if self._memory is None:
            return self._last[tap]
        return self._memory[self._filled + tap, ...]

    def add(self, row: Any) -> None:
        """Put one more at the end."""
        if self._wanted:
            if self._last and self._last[-1].shape != row.shape:
                raise _changed_shape(self._last[-1].shape, row.shape)
            self._last.append(row)
            return
        if self._memory is None:
            self._memory = np.empty((self._room, *row.shape), row.dtype)
        elif self._memory.shape[1:] != row.shape:
            raise _changed_shape(self._memory.shape[1:], row.shape)
        if self._filled == len(self._memory):
            more = np.empty_like(self._memory)
            self._memory = np.concatenate([self._memory, more])
        self._memory[self._filled] = row
        self._filled += 1

    def value(self, row: TensorType) -> Array:
        """All of them; `row` is the type of one."""
        if self._wanted and self._last:
            return np.stack(list(self._last)[-self._wanted :]).astype(row.dtype, copy=False)
        if self._memory is None:
            return np.zeros((0, *(n or 0 for n in row.shape)), row.dtype)
        return self._memory[: self._filled]


WHILE_ROOM = 32
"""Rows for which there is room at first in a loop that may end early."""


def _scan_value(ready: Callable[[Block], Step], steps: Any, *inputs: Any, **params: Any) -> Any:
    loop = Loop(**params)
    walked, first, constants = loop.split(inputs)
    count = int(steps)
    check_steps(count, [np.shape(s) for s in walked], loop)
    room = min(count, WHILE_ROOM) if loop.until else count
    rows = [
        _Rows(first[i] if i < len(first) else None, room, loop.kept(i), before)
        for i, before in enumerate(loop.depths)
    ]
    past = [(own, tap) for own, taps in zip(rows, loop.taps, strict=False) for tap in taps]
    step = ready(loop.block)
    for t in range(count):
        at = count - 1 - t if loop.backwards else t
        elements = [s[at, ...] for s in walked]
        try:
            results = step([*elements, *(own.before(tap) for own, tap in past), *constants])
        except EngineError as error:
            error.details = f"In step {t} of the loop.\n{error.details or ''}".strip()
            raise
        for own, value in zip(rows, results, strict=False):
            own.add(value)
        if loop.until and results[-1]:
            break
    if count:
        types = [v.type for v in loop.results]
    else:
        given = [TensorType(v.dtype, np.shape(v)) for v in inputs]
        types = _rows(loop, *loop.split(given)[:2], given)
    stacked = tuple(own.value(t) for own, t in zip(rows, types, strict=True))
    return stacked if len(stacked) > 1 else stacked[0]


scan = Op(
    name="scan",
    symbol="⟳",
    category=CATEGORY,
    method=False,
    hidden=True,
    doc="A loop: a block applied again and again, each time to its own last results.",
    ports=(Port("steps"), Port("inputs", "sequences, first rows, constants", variadic=True)),
    params=(
        Param("block", "graph", None, "the body of the loop"),
        Param("sequences", "int", 0, "how many inputs are walked through"),
        Param("taps", "graph", (), "for each state which of its earlier rows a step reads"),
        Param("backwards", "bool", False, "walk through the sequences from their end"),
        Param("until", "bool", False, "end after the step whose last output is true"),
        Param("keep", "ints", (), "how many last rows of each result are wanted, 0 for all"),
        Param("truncate", "int", 0, "how many steps the gradient goes back, 0 for all"),
        Param("name", "string", None, "what people call the loop"),
    ),
    infer=_scan_type,
    numpy=_scan_value,
    reads_values=True,
    higher_order=True,
    conjugates=False,
    grad=scan_gradient,
)
