"""Ops that move or stretch elements without computing: axes, shapes, joins, creation."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from engine.errors import ShapeError, TypeMismatchError
from engine.graph import OPS, Variable
from engine.op import Example, Op, Param, Port, composed
from engine.types import TensorType, normalize_axis, shape_text, upcast

CATEGORY = "Shape"

Layout = tuple[int, tuple[int, ...], tuple[int, ...]]


# dimshuffle: new order of axes, None for a new one


def _dimshuffle_type(x: TensorType, pattern: tuple[int | None, ...]) -> TensorType:
    kept = [p for p in pattern if p is not None]
    if sorted(set(kept)) != sorted(kept) or any(not 0 <= p < x.ndim for p in kept):
        raise ShapeError(
            f"The axes {pattern} are no order of the {x.ndim} axes of {x}.",
            expected=f"each of 0 to {x.ndim - 1} at most once, or x for a new axis",
            got=str(pattern),
        )
    for axis in set(range(x.ndim)) - set(kept):
        if not x.broadcastable[axis]:
            raise ShapeError(
                f"Axis {axis} of {x} cannot be dropped: its length is not known to be 1.",
                expected="an axis of length 1",
                got=shape_text(x.shape),
                hint="Reduce it with sum or pick one element with an index.",
            )
    return TensorType(
        x.dtype,
        [1 if p is None else x.shape[p] for p in pattern],
        [True if p is None else x.broadcastable[p] for p in pattern],
    )


def _dimshuffle_value(x: Any, pattern: tuple[int | None, ...]) -> Any:
    kept = [p for p in pattern if p is not None]
    dropped = [i for i in range(x.ndim) if i not in kept]
    moved = np.transpose(x, kept + dropped).reshape([x.shape[p] for p in kept])
    return moved[tuple(np.newaxis if p is None else slice(None) for p in pattern)]


def _dimshuffle_grad(
    g: Variable, y: Variable, x: Variable, pattern: tuple[int | None, ...]
) -> list[Variable | None]:
    new = [i for i, p in enumerate(pattern) if p is None]
    folded = OPS["sum"](g, axis=tuple(new)) if new else g
    kept = [p for p in pattern if p is not None]
    back = tuple(kept.index(i) if i in kept else None for i in range(x.ndim))
    return [folded if back == tuple(range(folded.ndim)) else dimshuffle(folded, back)]


def _dimshuffle_view(
    shape: tuple[int, ...], strides: tuple[int, ...], pattern: tuple[int | None, ...]
) -> Layout:
    return (
        0,
        tuple(1 if p is None else shape[p] for p in pattern),
        tuple(0 if p is None else strides[p] for p in pattern),
    )


dimshuffle = Op(
    name="dimshuffle",
    symbol="⇄",
    category=CATEGORY,
    doc="The axes in a new order; an x in the pattern is a new axis of length 1.",
    examples=(Example(((2, 3),), {"pattern": (1, None, 0)}),),
    ports=(Port("x"),),
    params=(Param("pattern", "shape", (), "the old axes in their new order, none for a new one"),),
    infer=_dimshuffle_type,
    numpy=_dimshuffle_value,
    grad=_dimshuffle_grad,
    view=_dimshuffle_view,
    method=False,
)


def _transpose(x: Variable, axes: Sequence[int] | None = None) -> Variable:
    order = tuple(reversed(range(x.ndim))) if axes is None else tuple(axes)
    return dimshuffle(x, order) if order != tuple(range(x.ndim)) else x


transpose = composed(
    "transpose",
    symbol="Tᵀ",
    category=CATEGORY,
    tex="{x}^T",
    doc="The axes in reverse order, or in the order given.",
    params=(Param("axes", "ints", None, "the old axes in their new order"),),
    body=_transpose,
)


# reshape


def _reshape_type(x: TensorType, shape: tuple[int, ...]) -> TensorType:
    unknown = [i for i, n in enumerate(shape) if n == -1]
    size = None if None in x.shape else int(np.prod([n or 0 for n in x.shape], dtype=object))
    known = int(np.prod([n for n in shape if n != -1], dtype=object))
    fits = len(unknown) <= 1 and (
        size is None or (size == known if not unknown else known > 0 and size % known == 0)
    )
    if not fits:
        raise ShapeError(
            f"A tensor of shape {shape_text(x.shape)} cannot take the shape {shape_text(shape)}.",
            expected=f"{size} elements" if size is not None else "at most one length of -1",
            got=shape_text(shape),
        )
    filled = [(None if size is None else size // known) if n == -1 else n for n in shape]
    return TensorType(x.dtype, filled)


def _reshape_view(
    shape: tuple[int, ...], strides: tuple[int, ...], /, **params: Any
) -> Layout | None:
    expected = 1
    for n, stride in zip(reversed(shape), reversed(strides), strict=True):
        if n != 1 and stride != expected:
            return None
        expected *= n
    new = params["shape"]
    if -1 in new:
        known = int(np.prod([n for n in new if n != -1]))
        new = tuple(expected // known if n == -1 else n for n in new)
    steps: list[int] = []
    step = 1
    for n in reversed(new):
        steps.append(step)
        step *= n
    return 0, tuple(new), tuple(reversed(steps))


reshape = Op(
    name="reshape",
    symbol="⬚",
    category=CATEGORY,
    doc="The same elements in another shape; one length may be -1 and is worked out.",
    examples=(Example(((2, 3),), {"shape": (3, -1)}),),
    ports=(Port("x"),),
    params=(Param("shape", "ints", (-1,), "the new shape"),),
    infer=_reshape_type,
    numpy=lambda x, shape: np.reshape(x, shape),
    grad=lambda g, y, x, shape: [reshape_like(g, x)],
    view=_reshape_view,
)

reshape_like: Op = Op(
    name="reshape_like",
    symbol="⬚",
    category=CATEGORY,
    hidden=True,
    doc="The elements of x in the shape of the model.",
    examples=(Example(((2, 3), (6,))),),
    ports=(Port("x"), Port("model")),
    infer=lambda x, model: model.with_dtype(x.dtype),
    numpy=lambda x, model: np.reshape(x, model.shape),
    grad=lambda g, y, x, model: [reshape_like(g, x), None],
)

flatten = composed(
    "flatten",
    symbol="▤",
    category=CATEGORY,
    aliases=("ravel",),
    doc="All elements in one row.",
    body=lambda x: reshape(x, (-1,)),
)

shape = Op(
    name="shape",
    symbol="⟨n⟩",
    category=CATEGORY,
    method=False,
    doc="The lengths of the axes.",
    examples=(Example(((2, 3),)),),
    ports=(Port("x"),),
    infer=lambda x: TensorType("int64", (x.ndim,), (False,)),
    numpy=lambda x: np.array(np.shape(x), dtype="int64"),
    from_shape=True,
    grad=lambda g, y, x: [None],
)


# join and stack

AXIS = Param("axis", "int", 0, "the axis along which they are put together")


def _join_type(*tensors: TensorType, axis: int) -> TensorType:
    if not tensors:
        raise ShapeError("There is nothing to join.", expected="one tensor or more", got="none")
    ndim = tensors[0].ndim
    if any(t.ndim != ndim for t in tensors) or ndim == 0:
        raise TypeMismatchError(
            f"Tensors of {', '.join(str(t.ndim) for t in tensors)} dimensions cannot be joined.",
            expected="tensors with the same number of axes, one or more",
            got=" and ".join(str(t) for t in tensors),
        )
    axis = normalize_axis(axis, ndim)
    lengths: list[int | None] = []
    for i in range(ndim):
        known = [t.shape[i] for t in tensors]
        if i == axis:
            lengths.append(None if None in known else int(np.sum([n or 0 for n in known])))
            continue
        distinct = {n for n in known if n is not None}
        if len(distinct) > 1:
            raise ShapeError(
                f"Shapes {' and '.join(shape_text(t.shape) for t in tensors)} cannot be joined "
                f"along axis {axis}: they differ on axis {i}.",
                expected=f"equal lengths on axis {i}",
                got=" and ".join(str(n) for n in known),
            )
        lengths.append(distinct.pop() if distinct else None)
    pattern = [i != axis and all(t.broadcastable[i] for t in tensors) for i in range(ndim)]
    return TensorType(upcast(*(t.dtype for t in tensors)), lengths, pattern)


def _join_grad(g: Variable, y: Variable, *tensors: Variable, axis: int) -> list[Variable | None]:
    return [join_part(g, list(tensors), axis=axis, position=i) for i in range(len(tensors))]


join = Op(
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
    numpy=lambda *tensors, axis: np.concatenate(tensors, axis=axis),
    grad=_join_grad,
)


def _part_value(g: Any, *tensors: Any, axis: int, position: int) -> Any:
    start = sum(t.shape[axis] for t in tensors[:position])
    length = tensors[position].shape[axis]
    return np.take(g, range(start, start + length), axis=axis)


join_part = Op(
    name="join_part",
    symbol="⊟",
    category=CATEGORY,
    hidden=True,
    doc="The part of a joined tensor that came from one of its tensors.",
    examples=(Example(((5,), (2,), (3,)), {"axis": 0, "position": 1}),),
    ports=(Port("x"), Port("tensors", variadic=True)),
    params=(AXIS, Param("position", "int", 0, "which of the tensors")),
    infer=lambda x, *tensors, axis, position: tensors[position].with_dtype(x.dtype),
    numpy=_part_value,
    no_grad="join_part is itself a gradient",
)


def _stack_type(*tensors: TensorType, axis: int) -> TensorType:
    if not tensors:
        raise ShapeError("There is nothing to stack.", expected="one tensor or more", got="none")
    if any(t.ndim != tensors[0].ndim for t in tensors):
        raise TypeMismatchError(
            f"Tensors of {', '.join(str(t.ndim) for t in tensors)} dimensions cannot be stacked.",
            expected="tensors with the same number of axes",
            got=" and ".join(str(t) for t in tensors),
        )
    axis = normalize_axis(axis, tensors[0].ndim + 1)
    lengths: list[int | None] = []
    for i in range(tensors[0].ndim):
        distinct = {t.shape[i] for t in tensors if t.shape[i] is not None}
        if len(distinct) > 1:
            raise ShapeError(
                f"Shapes {' and '.join(shape_text(t.shape) for t in tensors)} cannot be stacked: "
                f"they differ on axis {i}.",
                expected="equal shapes",
                got=" and ".join(shape_text(t.shape) for t in tensors),
            )
        lengths.append(distinct.pop() if distinct else None)
    pattern = [all(t.broadcastable[i] for t in tensors) for i in range(tensors[0].ndim)]
    lengths.insert(axis, len(tensors))
    pattern.insert(axis, False)
    return TensorType(upcast(*(t.dtype for t in tensors)), lengths, pattern)


def _stack_grad(g: Variable, y: Variable, *tensors: Variable, axis: int) -> list[Variable | None]:
    before = (slice(None),) * normalize_axis(axis, y.ndim)
    return [g[(*before, i)] for i in range(len(tensors))]


stack = Op(
    name="stack",
    symbol="☰",
    category=CATEGORY,
    method=False,
    doc="Tensors of one shape put side by side along a new axis.",
    examples=(Example(((2, 3), (2, 3)), {"axis": 0}), Example(((3,), (3,)), {"axis": 1})),
    ports=(Port("tensors", variadic=True),),
    params=(Param("axis", "int", 0, "where the new axis goes"),),
    infer=_stack_type,
    numpy=lambda *tensors, axis: np.stack(tensors, axis=axis),
    grad=_stack_grad,
)


# creation

full = Op(
    name="full",
    symbol="▦",
    category=CATEGORY,
    method=False,
    doc="A tensor of the given shape with the value everywhere.",
    examples=(Example(((),), {"shape": (2, 3)}),),
    ports=(Port("value"),),
    params=(Param("shape", "ints", (1,), "the shape"),),
    infer=lambda value, shape: TensorType(value.dtype, shape),
    numpy=lambda value, shape: np.full(shape, value),
    grad=lambda g, y, value, shape: [OPS["sum"](g)],
)

positions = Op(
    name="positions",
    symbol="0…n",
    category=CATEGORY,
    method=False,
    doc="The integers from 0 up to, not including, the length of the first axis of x.",
    examples=(Example(((4, 2),)),),
    ports=(Port("x"),),
    infer=lambda x: TensorType("int64", x.shape[:1] or (None,), (False,)),
    numpy=lambda x: np.arange(np.shape(x)[0], dtype="int64"),
    from_shape=True,
    hidden=True,
    no_grad="it counts",
)


def _like(value: int) -> Any:
    return lambda x: OPS["fill"](x, OPS["cast"](value, x.dtype))


zeros_like = composed(
    "zeros_like",
    symbol="0",
    category=CATEGORY,
    doc="Zeros of the same shape and dtype.",
    body=_like(0),
)

ones_like = composed(
    "ones_like",
    symbol="1",
    category=CATEGORY,
    doc="Ones of the same shape and dtype.",
    body=_like(1),
)
