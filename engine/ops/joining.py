"""Tensors put together, and taken apart again."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from engine.errors import ParameterError, ShapeError, TypeMismatchError
from engine.expression import OPS, Variable
from engine.op import Example, Op, Param, Port
from engine.ops.creation import alloc
from engine.ops.shape import lengths
from engine.types import EVERY, INTEGERS, TensorType, normalize_axis, shape_text, upcast

CATEGORY = "Shape"
AXIS = Param("axis", "int", 0, "the axis along which they are put together")


def _shapes(tensors: Sequence[TensorType]) -> str:
    return " and ".join(shape_text(t.shape) for t in tensors)


def _common_length(tensors: Sequence[TensorType], axis: int, failure: str) -> int | None:
    """The length that all have on an axis; ShapeError where they are known to differ."""
    distinct = {t.shape[axis] for t in tensors} - {None}
    if len(distinct) > 1:
        raise ShapeError(
            f"Shapes {_shapes(tensors)} cannot be {failure}: they differ on axis {axis}.",
            port="tensors",
            expected=f"equal lengths on axis {axis}",
            got=" and ".join(str(t.shape[axis]) for t in tensors),
        )
    return distinct.pop() if distinct else None


# join


def _join_type(*tensors: TensorType, axis: int) -> TensorType:
    if not tensors:
        raise ShapeError("There is nothing to join.", expected="one tensor or more", got="none")
    ndim = tensors[0].ndim
    if any(t.ndim != ndim for t in tensors) or ndim == 0:
        raise TypeMismatchError(
            f"Tensors of {', '.join(str(t.ndim) for t in tensors)} dimensions cannot be joined.",
            port="tensors",
            expected="tensors with the same number of axes, one or more",
            got=" and ".join(str(t) for t in tensors),
        )
    axis = normalize_axis(axis, ndim)
    shape: list[int | None] = []
    for i in range(ndim):
        if i == axis:
            known = [t.shape[i] for t in tensors]
            shape.append(None if None in known else sum(n or 0 for n in known))
        else:
            shape.append(_common_length(tensors, i, f"joined along axis {axis}"))
    pattern = [i != axis and all(t.broadcastable[i] for t in tensors) for i in range(ndim)]
    return TensorType(upcast(*(t.dtype for t in tensors)), shape, pattern)


def _join_value(*tensors: Any, axis: int) -> Any:
    types = [TensorType(t.dtype, t.shape, (False,) * t.ndim) for t in tensors]
    _join_type(*types, axis=axis)
    return np.concatenate(tensors, axis=axis)


def _join_grad(g: Variable, y: Variable, *tensors: Variable, axis: int) -> list[Variable | None]:
    return [join_part(g, list(tensors), axis=axis, position=i) for i in range(len(tensors))]


join: Op = Op(
    name="join",
    symbol="⊞",
    category=CATEGORY,
    aliases=("concatenate",),
    method=False,
    doc="Tensors put together along an existing axis.",
    examples=(Example(((2, 3), (4, 3)), {"axis": 0}), Example(((2, 3), (2, 1)), {"axis": 1})),
    ports=(Port("tensors", variadic=True),),
    params=(AXIS,),
    infer=_join_type,
    numpy=_join_value,
    grad=_join_grad,
    dtypes=EVERY,
    conjugates=False,
)


def _part_type(x: TensorType, *tensors: TensorType, axis: int, position: int) -> TensorType:
    joined = _join_type(*tensors, axis=axis)
    pairs = zip(x.shape, joined.shape, strict=False)
    if x.ndim != joined.ndim or any(m != n and None not in (m, n) for m, n in pairs):
        raise ShapeError(
            f"A tensor of shape {shape_text(x.shape)} is not joined of shapes {_shapes(tensors)}.",
            port="x",
            expected=shape_text(joined.shape),
            got=shape_text(x.shape),
        )
    return tensors[position].with_dtype(x.dtype)


def _part_value(x: Any, *tensors: Any, axis: int, position: int) -> Any:
    _check_sizes(x.shape[axis], np.array([t.shape[axis] for t in tensors]), axis, len(tensors))
    start = sum(t.shape[axis] for t in tensors[:position])
    length = tensors[position].shape[axis]
    return np.take(x, range(start, start + length), axis=axis)


def _part_grad(
    g: Variable, y: Variable, x: Variable, *tensors: Variable, axis: int, position: int
) -> list[Variable | None]:
    zeros = [OPS["zeros_like"](t, dtype=g.dtype) for t in tensors]
    parts = [*zeros[:position], g, *zeros[position + 1 :]]
    return [join(parts, axis=axis), *(None for _ in tensors)]


join_part: Op = Op(
    name="join_part",
    symbol="⊟",
    category=CATEGORY,
    hidden=True,
    doc="The part of a joined tensor that came from one of its tensors.",
    examples=(Example(((5,), (2,), (3,)), {"axis": 0, "position": 1}),),
    ports=(Port("x"), Port("tensors", variadic=True)),
    params=(AXIS, Param("position", "int", 0, "which of the tensors")),
    infer=_part_type,
    numpy=_part_value,
    grad=_part_grad,
    dtypes=EVERY,
    conjugates=False,
)


# stack


def _stack_type(*tensors: TensorType, axis: int) -> TensorType:
    if not tensors:
        raise ShapeError("There is nothing to stack.", expected="one tensor or more", got="none")
    ndim = tensors[0].ndim
    if any(t.ndim != ndim for t in tensors):
        raise TypeMismatchError(
            f"Tensors of {', '.join(str(t.ndim) for t in tensors)} dimensions cannot be stacked.",
            port="tensors",
            expected="tensors with the same number of axes",
            got=" and ".join(str(t) for t in tensors),
        )
    axis = normalize_axis(axis, ndim + 1)
    shape = [_common_length(tensors, i, "stacked") for i in range(ndim)]
    pattern = [all(t.broadcastable[i] for t in tensors) for i in range(ndim)]
    shape.insert(axis, len(tensors))
    pattern.insert(axis, False)
    return TensorType(upcast(*(t.dtype for t in tensors)), shape, pattern)


def _stack_value(*tensors: Any, axis: int) -> Any:
    types = [TensorType(t.dtype, np.shape(t), (False,) * np.ndim(t)) for t in tensors]
    _stack_type(*types, axis=axis)
    return np.stack(tensors, axis=axis)


def _stack_grad(g: Variable, y: Variable, *tensors: Variable, axis: int) -> list[Variable | None]:
    before = (slice(None),) * normalize_axis(axis, y.ndim)
    return [g[(*before, i)] for i in range(len(tensors))]


def _stacked(*tensors: Any, axis: int | None = None, **named: Any) -> Variable:
    """A list and an axis; or, as Theano once had it, the tensors one by one."""
    if tensors and isinstance(tensors[0], list | tuple):
        (named["tensors"], *rest) = tensors
        axis = rest[0] if rest else axis
    elif tensors:
        named["tensors"] = tensors
    return stack.each(**named, axis=axis or 0)[0]


stack: Op = Op(
    name="stack",
    symbol="☰",
    category=CATEGORY,
    method=False,
    doc="Tensors of one shape put side by side along a new axis.",
    examples=(Example(((2, 3), (2, 3)), {"axis": 0}), Example(((3,), (3,)), {"axis": 1})),
    ports=(Port("tensors", variadic=True),),
    params=(Param("axis", "int", 0, "where the new axis goes"),),
    infer=_stack_type,
    numpy=_stack_value,
    call=_stacked,
    grad=_stack_grad,
    dtypes=EVERY,
    conjugates=False,
)


# split


def _check_sizes(n: int | None, sizes: Any, axis: int, parts: int) -> None:
    """Raise ShapeError where an axis of length n cannot be split so."""
    fits = len(sizes) == parts and (sizes >= 0).all() and n in (None, int(sizes.sum()))
    if not fits:
        raise ShapeError(
            f"Axis {axis} of length {'?' if n is None else n} cannot be split into {parts} parts "
            f"of lengths {', '.join(map(str, sizes))}.",
            expected=f"{parts} lengths that add up to {'its length' if n is None else n}",
            got=str(list(map(int, sizes))),
        )


def _split_part_type(
    x: TensorType,
    sizes: TensorType,
    axis: int,
    position: int,
    parts: int,
    known: Sequence[Any],
) -> TensorType:
    axis = normalize_axis(axis, x.ndim)
    if sizes.ndim != 1 or sizes.dtype not in INTEGERS:
        raise TypeMismatchError(
            "The lengths of the parts must be an integer vector.",
            port="sizes",
            expected="an integer vector",
            got=str(sizes),
        )
    if not 0 <= position < parts:
        raise ParameterError(
            f"There is no part {position} of {parts}.",
            port="position",
            expected=f"0 to {parts - 1}",
            got=str(position),
        )
    n: int | None = None
    if known[1] is not None:
        _check_sizes(x.shape[axis], known[1], axis, parts)
        n = int(known[1][position])
    shape = [n if i == axis else m for i, m in enumerate(x.shape)]
    return TensorType(x.dtype, shape, [b and i != axis for i, b in enumerate(x.broadcastable)])


def _split_part_value(x: Any, sizes: Any, axis: int, position: int, parts: int) -> Any:
    _check_sizes(x.shape[axis], sizes, normalize_axis(axis, x.ndim), parts)
    start = int(sizes[:position].sum())
    return np.take(x, range(start, start + int(sizes[position])), axis=axis)


def _split_part_grad(
    g: Variable, y: Variable, x: Variable, sizes: Variable, axis: int, position: int, parts: int
) -> list[Variable | None]:
    """The gradient between zeros in place of the other parts."""
    axis = normalize_axis(axis, x.ndim)
    shape = lengths(x)
    filled: list[Variable] = []
    for before in (True, False):
        sides = sizes[:position] if before else sizes[position + 1 :]
        shape[axis] = OPS["sum"](sides)
        filled.append(alloc(OPS["cast"](0, g.dtype), shape))
    return [join([filled[0], g, filled[1]], axis=axis), None]


split_part: Op = Op(
    name="split_part",
    symbol="⊟",
    category=CATEGORY,
    method=False,
    doc="One of the parts into which an axis is split.",
    examples=(
        Example(
            draw=lambda rng: [rng.uniform(-3, 3, (6,)), np.array([3, 2, 1])],
            params={"position": 1, "parts": 3},
        ),
        Example(
            draw=lambda rng: [rng.uniform(-3, 3, (2, 5)), np.array([2, 3])],
            params={"axis": 1, "position": 0, "parts": 2},
        ),
    ),
    ports=(Port("x"), Port("sizes", "the length of each part")),
    params=(
        Param("axis", "int", 0, "the axis that is split"),
        Param("position", "int", 0, "which of the parts, counted from 0"),
        Param("parts", "int", 1, "how many parts there are", min=1),
    ),
    infer=_split_part_type,
    numpy=_split_part_value,
    reads_values=True,
    grad=_split_part_grad,
    dtypes=EVERY,
    conjugates=False,
)


def split(x: Any, splits_size: Any, n_splits: int, axis: int = 0) -> list[Variable]:
    """The parts into which an axis is split, whose lengths are the entries of `splits_size`."""
    return [split_part(x, splits_size, axis, i, n_splits) for i in range(n_splits)]
