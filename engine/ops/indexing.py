"""Reading and changing parts of a tensor by index.

An index is kept as a tuple with an entry for each axis: an int, a slice as a triple, "?" for an
index that is itself a scalar of the graph.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from engine.errors import IndexOutOfRangeError, ShapeError, TypeMismatchError
from engine.graph import Constant, Variable, as_variable
from engine.op import Example, Op, Param, Port
from engine.types import DISCRETE, TensorType, shape_text

Entry = int | str | tuple[int | None, int | None, int | None]
INDEX = Param("index", "index", (), "an int or slice for each axis")


def _numpy_index(index: tuple[Entry, ...], given: tuple[Any, ...]) -> tuple[Any, ...]:
    values: Iterator[Any] = iter(given)
    return tuple(
        int(next(values)) if entry == "?" else slice(*entry) if isinstance(entry, tuple) else entry
        for entry in index
    )


def _check(x: Any, at: tuple[Any, ...]) -> None:
    for axis, entry in enumerate(at):
        n = x.shape[axis]
        if isinstance(entry, int) and n is not None and not -n <= entry < n:
            raise IndexOutOfRangeError(
                f"Index {entry} is outside axis {axis}, which has length {n}.",
                expected=f"{-n} to {n - 1}" if n else "no index: the axis is empty",
                got=str(entry),
            )


def _subtensor_type(x: TensorType, *given: TensorType, index: tuple[Entry, ...]) -> TensorType:
    if len(index) > x.ndim:
        raise ShapeError(
            f"{len(index)} indices are too many for {x.ndim} axes.",
            expected=f"at most {x.ndim}",
            got=str(len(index)),
        )
    for t in given:
        if t.ndim or t.dtype not in DISCRETE:
            raise TypeMismatchError(
                "An index must be a whole number.", expected="an integer scalar", got=str(t)
            )
    _check(x, tuple(e for e in index))
    shape: list[int | None] = []
    pattern: list[bool] = []
    for axis, n in enumerate(x.shape):
        entry: Entry = index[axis] if axis < len(index) else (None, None, None)
        if isinstance(entry, tuple):
            whole = entry == (None, None, None)
            length = n if whole else None if n is None else len(range(*slice(*entry).indices(n)))
            shape.append(length)
            pattern.append(x.broadcastable[axis] and whole)
    return TensorType(x.dtype, shape, pattern)


def _subtensor_value(x: Any, *given: Any, index: tuple[Entry, ...]) -> Any:
    at = _numpy_index(index, given)
    _check(x, at)
    return x[at]


def _subtensor_view(
    shape: tuple[int, ...], strides: tuple[int, ...], index: tuple[Entry, ...]
) -> tuple[int, tuple[int, ...], tuple[int, ...]] | None:
    if "?" in index:
        return None
    offset, lengths, steps = 0, [], []
    for axis, (n, stride) in enumerate(zip(shape, strides, strict=True)):
        entry: Entry = index[axis] if axis < len(index) else (None, None, None)
        if isinstance(entry, tuple):
            picked = range(*slice(*entry).indices(n))
            offset += picked.start * stride if len(picked) else 0
            lengths.append(len(picked))
            steps.append(picked.step * stride)
        elif isinstance(entry, int):
            offset += (entry + n if entry < 0 else entry) * stride
    return offset, tuple(lengths), tuple(steps)


subtensor = Op(
    name="subtensor",
    symbol="x[i]",
    category="Indexing",
    method=False,
    doc="Part of a tensor: one index or slice for each axis.",
    examples=(
        Example(((4, 3),), {"index": (1,)}),
        Example(((4, 3),), {"index": ((1, None, 2), -1)}),
        Example(((4, 3), ()), {"index": ("?",)}, ("float64", "int64")),
    ),
    ports=(Port("x"), Port("indices", "indices that are variables", variadic=True)),
    params=(INDEX,),
    infer=_subtensor_type,
    numpy=_subtensor_value,
    view=_subtensor_view,
    grad=lambda g, y, x, *given, index: [
        inc_subtensor_op(x * 0, g, list(given), index),
        *(None for _ in given),
    ],
)


def _changed_type(
    x: TensorType, value: TensorType, *given: TensorType, index: tuple[Entry, ...]
) -> TensorType:
    part = _subtensor_type(x, *given, index=index)
    if value.ndim > part.ndim:
        raise ShapeError(
            f"A value of shape {shape_text(value.shape)} does not fit into a part of shape "
            f"{shape_text(part.shape)}.",
            port="value",
        )
    if np.result_type(x.dtype, value.dtype) != np.dtype(x.dtype):
        raise TypeMismatchError(
            f"Putting {value.dtype} into {x.dtype} would lose precision.",
            port="value",
            expected=x.dtype,
            got=value.dtype,
            hint="Cast the value first.",
        )
    return x


def _increased(x: Any, value: Any, *given: Any, index: tuple[Entry, ...]) -> Any:
    out = np.array(x)
    at = _numpy_index(index, given)
    _check(x, at)
    out[at] += value
    return out


def _assigned(x: Any, value: Any, *given: Any, index: tuple[Entry, ...]) -> Any:
    out = np.array(x)
    at = _numpy_index(index, given)
    _check(x, at)
    out[at] = value
    return out


CHANGED = (Port("x"), Port("value"), Port("indices", variadic=True))

inc_subtensor_op: Op = Op(
    name="increase_at",
    symbol="x[i]+=",
    category="Indexing",
    method=False,
    doc="The tensor with the value added to one part of it.",
    examples=(
        Example(((4, 3), (3,)), {"index": (1,)}),
        Example(((4,), (2,)), {"index": ((0, 2, None),)}),
    ),
    ports=CHANGED,
    params=(INDEX,),
    infer=_changed_type,
    numpy=_increased,
    grad=lambda g, y, x, value, *given, index: [
        g,
        subtensor(g, list(given), index),
        *(None for _ in given),
    ],
)

set_subtensor_op: Op = Op(
    name="assign_at",
    symbol="x[i]=",
    category="Indexing",
    method=False,
    doc="The tensor with one part of it replaced by the value.",
    examples=(
        Example(((4, 3), (3,)), {"index": (1,)}),
        Example(((4,), (2,)), {"index": ((0, 2, None),)}),
    ),
    ports=CHANGED,
    params=(INDEX,),
    infer=_changed_type,
    numpy=_assigned,
    grad=lambda g, y, x, value, *given, index: [
        set_subtensor_op(g, 0, list(given), index),
        subtensor(g, list(given), index),
        *(None for _ in given),
    ],
)


def index(x: Variable, key: Any) -> Variable:
    """`x[key]` for ints, slices, newaxis, Ellipsis and integer scalars of the graph."""
    keys = list(key) if isinstance(key, tuple) else [key]
    used = sum(k is not None and k is not Ellipsis for k in keys)
    if any(k is Ellipsis for k in keys):
        at = next(i for i, k in enumerate(keys) if k is Ellipsis)
        keys[at : at + 1] = [slice(None)] * (x.ndim - used)
    entries: list[Entry] = []
    given: list[Variable] = []
    pattern: list[int | None] = []
    kept = 0
    for k in keys:
        if k is None:
            pattern.append(None)
            continue
        if isinstance(k, slice):
            entries.append((_plain(k.start), _plain(k.stop), _plain(k.step)))
            pattern.append(kept)
            kept += 1
        elif isinstance(k, int | np.integer) and not isinstance(k, bool):
            entries.append(int(k))
        else:
            v = as_variable(k)
            if isinstance(v, Constant) and v.ndim == 0 and v.dtype in DISCRETE:
                entries.append(int(v.data))
            else:
                entries.append("?")
                given.append(v)
    whole = all(e == (None, None, None) for e in entries)
    part = x if whole and not given else subtensor(x, given, tuple(entries))
    if None in pattern:
        pattern += range(kept, part.ndim)
        part = part.dimshuffle(*pattern)
    return part


def _plain(bound: Any) -> int | None:
    if bound is None or isinstance(bound, int | np.integer):
        return None if bound is None else int(bound)
    raise TypeMismatchError(
        "The bounds of a slice must be plain integers.", expected="an integer", got=repr(bound)
    )


Variable.indexed = index


def set_subtensor(part: Variable, value: Any) -> Variable:
    """The tensor that `part` is a part of, with that part replaced: `set_subtensor(x[2], 1)`."""
    return _changed(set_subtensor_op, part, value)


def inc_subtensor(part: Variable, value: Any) -> Variable:
    """The tensor that `part` is a part of, with the value added there."""
    return _changed(inc_subtensor_op, part, value)


def _changed(op: Op, part: Variable, value: Any) -> Variable:
    if part.owner is None or part.owner.op is not subtensor:
        raise TypeMismatchError(
            f"{part!r} is not a part of a tensor.", expected="an indexed tensor such as x[2]"
        )
    x, *given = part.owner.inputs
    changed: Variable = op(x, value, given, part.owner.params["index"])
    return changed
