"""Axes of a tensor: in a new order, added, dropped, or allowed to stretch."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from engine.errors import ShapeError
from engine.expression import OPS, Variable
from engine.makers import composed
from engine.op import Example, Op, Param, Port
from engine.types import EVERY, TensorType, normalize_axes, normalize_axis, shape_text

CATEGORY = "Shape"

Layout = tuple[int, tuple[int, ...], tuple[int, ...]]


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
    dtypes=EVERY,
    conjugates=False,
    method=False,
)


def _transpose(x: Variable, axes: Sequence[int] | None = None) -> Variable:
    if axes is None:
        order = tuple(reversed(range(x.ndim)))
    else:
        order = tuple(normalize_axis(a, x.ndim) for a in axes)
        if len(order) != x.ndim:
            raise ShapeError(
                f"The axes {tuple(axes)} are no order of the {x.ndim} axes of {x.type}.",
                expected=f"{x.ndim} axes",
                got=str(len(order)),
            )
    return dimshuffle(x, order) if order != tuple(range(x.ndim)) else x


def _transposed(x: Any, *order: Any, axes: Any = None) -> Variable:
    """The order as one sequence or, as `x.transpose(1, 0)` has it, as several arguments."""
    if len(order) == 1 and not isinstance(order[0], int | np.integer):
        (axes,) = order
    elif order:
        axes = order
    return transpose.each(x, axes=axes)[0]


transpose: Op = composed(
    "transpose",
    symbol="Tᵀ",
    category=CATEGORY,
    tex="{x}^T",
    doc="The axes in reverse order, or in the order given.",
    params=(Param("axes", "ints", None, "the old axes in their new order"),),
    body=_transpose,
    call=_transposed,
    dtypes=EVERY,
)


def _swapaxes(x: Variable, axis1: int, axis2: int) -> Variable:
    order = list(range(x.ndim))
    a, b = normalize_axis(axis1, x.ndim), normalize_axis(axis2, x.ndim)
    order[a], order[b] = order[b], order[a]
    return transpose(x, order)


swapaxes = composed(
    "swapaxes",
    symbol="⇅",
    category=CATEGORY,
    doc="Two axes in each other's place.",
    params=(
        Param("axis1", "int", 0, "an axis"),
        Param("axis2", "int", 1, "the axis that it changes places with"),
    ),
    body=_swapaxes,
    dtypes=EVERY,
    examples=(Example(((2, 3),)), Example(((2, 3, 4),), {"axis1": 0, "axis2": -1})),
)


def _several(axis: int | Sequence[int]) -> Sequence[int]:
    return (axis,) if isinstance(axis, int) else axis


def _moveaxis(x: Variable, source: Any, destination: Any) -> Variable:
    old = [normalize_axis(a, x.ndim) for a in _several(source)]
    new = [normalize_axis(a, x.ndim) for a in _several(destination)]
    if len(old) != len(new) or len(set(old)) < len(old) or len(set(new)) < len(new):
        raise ShapeError(
            f"The axes {source} cannot move to {destination}.",
            port="destination",
            expected="as many places as axes, each named once",
            got=f"{source} and {destination}",
        )
    order = [a for a in range(x.ndim) if a not in old]
    for place, a in sorted(zip(new, old, strict=True)):
        order.insert(place, a)
    return transpose(x, order)


moveaxis = composed(
    "moveaxis",
    symbol="↷",
    category=CATEGORY,
    doc="Some axes at other places; the rest keep their order.",
    params=(
        Param("source", "axis", 0, "the axis or axes that move"),
        Param("destination", "axis", -1, "where they go"),
    ),
    body=_moveaxis,
    dtypes=EVERY,
    examples=(
        Example(((2, 3, 4),)),
        Example(((2, 3, 4),), {"source": (0, 1), "destination": (-1, 0)}),
    ),
)


# New axes of length 1


def _expand_dims(x: Variable, axis: int | Sequence[int] = 0) -> Variable:
    named = _several(axis)
    new = normalize_axes(named, x.ndim + len(named))
    if len(new) < len(named):
        raise ShapeError(
            f"The new axes {tuple(named)} name a place twice.", port="axis", got=str(named)
        )
    old = iter(range(x.ndim))
    return dimshuffle(x, tuple(None if i in new else next(old) for i in range(x.ndim + len(new))))


expand_dims = composed(
    "expand_dims",
    symbol="+1",
    category=CATEGORY,
    doc="The tensor with a new axis of length 1, which stretches, at each of the places.",
    params=(Param("axis", "axis", 0, "where a new axis is to be, in the result"),),
    body=_expand_dims,
    dtypes=EVERY,
    examples=(Example(((2, 3),)), Example(((2, 3),), {"axis": (0, -1)})),
)

shape_padaxis = composed(
    "shape_padaxis",
    symbol="+1",
    category=CATEGORY,
    doc="The tensor with one new axis of length 1, which stretches.",
    params=(Param("axis", "int", 0, "where the new axis is to be, in the result"),),
    body=_expand_dims,
    dtypes=EVERY,
    examples=(Example(((2, 3),)), Example(((2, 3),), {"axis": -1})),
)

_COUNT = Param("n_ones", "int", 1, "how many axes", min=0)

shape_padleft = composed(
    "shape_padleft",
    symbol="1,…",
    category=CATEGORY,
    doc="The tensor with new axes of length 1, which stretch, in front.",
    params=(_COUNT,),
    body=lambda x, n_ones: _expand_dims(x, tuple(range(n_ones))),
    dtypes=EVERY,
)

shape_padright = composed(
    "shape_padright",
    symbol="…,1",
    category=CATEGORY,
    doc="The tensor with new axes of length 1, which stretch, at the end.",
    params=(_COUNT,),
    body=lambda x, n_ones: _expand_dims(x, tuple(range(-n_ones, 0))),
    dtypes=EVERY,
)


def _atleast(ndim: int, doc: str, body: Any) -> Op:
    return composed(
        f"atleast_{ndim}d",
        symbol=f"≥{ndim}d",
        category=CATEGORY,
        doc=doc,
        body=body,
        dtypes=EVERY,
        examples=tuple(Example((shape,)) for shape in ((), (3,), (2, 3))),
    )


atleast_1d = _atleast(
    1,
    "A number as a vector with one element; anything else as it is.",
    lambda x: _expand_dims(x) if x.ndim == 0 else x,
)
atleast_2d = _atleast(
    2,
    "A number or vector as a matrix with one row; anything else as it is.",
    lambda x: _expand_dims(x, tuple(range(2 - x.ndim))) if x.ndim < 2 else x,
)
atleast_3d = _atleast(
    3,
    "A number as shape (1, 1, 1), a vector as (1, n, 1), a matrix as (m, n, 1).",
    lambda x: _expand_dims(x, {0: (0, 1, 2), 1: (0, 2), 2: (2,)}[x.ndim]) if x.ndim < 3 else x,
)


# Which axes stretch


def _check_ones(shape: Sequence[int | None], axes: Sequence[int]) -> None:
    """Raise ShapeError where an axis that is to stretch is known to be longer than 1."""
    for axis in normalize_axes(axes, len(shape)):
        if shape[axis] not in (None, 1):
            raise ShapeError(
                f"Axis {axis} of shape {shape_text(shape)} cannot stretch.",
                expected="length 1",
                got=f"length {shape[axis]}",
            )


def _addbroadcast_type(x: TensorType, axes: tuple[int, ...]) -> TensorType:
    _check_ones(x.shape, axes)
    chosen = normalize_axes(axes, x.ndim)
    return TensorType(
        x.dtype,
        [1 if i in chosen else n for i, n in enumerate(x.shape)],
        [b or i in chosen for i, b in enumerate(x.broadcastable)],
    )


def _addbroadcast_value(x: Any, axes: tuple[int, ...]) -> Any:
    _check_ones(x.shape, axes)
    return x


def _addbroadcast_view(
    shape: tuple[int, ...], strides: tuple[int, ...], axes: tuple[int, ...]
) -> Layout:
    chosen = normalize_axes(axes, len(shape))
    return 0, shape, tuple(0 if i in chosen else s for i, s in enumerate(strides))


def _unbroadcast_type(x: TensorType, axes: tuple[int, ...]) -> TensorType:
    chosen = normalize_axes(axes, x.ndim)
    pattern = [b and i not in chosen for i, b in enumerate(x.broadcastable)]
    return TensorType(x.dtype, x.shape, pattern)


def _axes_listed(name: str) -> Any:
    """The axes as one sequence or, as Theano has it, as several arguments."""

    def call(x: Any, *axis: Any, axes: Sequence[int] = ()) -> Variable:
        if len(axis) == 1 and not isinstance(axis[0], int | np.integer):
            (axes,) = axis
        elif axis:
            axes = axis
        return OPS[name].each(x, axes=axes)[0]

    return call


addbroadcast: Op = Op(
    name="addbroadcast",
    symbol="⟷",
    category=CATEGORY,
    doc="The tensor with axes of length 1 that stretch; another length is an error.",
    ports=(Port("x"),),
    params=(Param("axes", "ints", (), "the axes that are to stretch"),),
    examples=(Example(((1, 3),), {"axes": (0,)}), Example(((2, 1),), {"axes": (-1,)})),
    infer=_addbroadcast_type,
    numpy=_addbroadcast_value,
    view=_addbroadcast_view,
    call=_axes_listed("addbroadcast"),
    grad=lambda g, y, x, axes: [OPS["patternbroadcast"](g, x.broadcastable)],
    dtypes=EVERY,
    conjugates=False,
)

unbroadcast: Op = Op(
    name="unbroadcast",
    symbol="↮",
    category=CATEGORY,
    doc="The tensor with axes that do not stretch, though they have length 1.",
    ports=(Port("x"),),
    params=(Param("axes", "ints", (), "the axes that are not to stretch"),),
    examples=(Example(((1, 3),), {"axes": (0,)}), Example(((2, 3),))),
    infer=_unbroadcast_type,
    numpy=lambda x, axes: x,
    view=lambda shape, strides, axes: (0, shape, strides),
    call=_axes_listed("unbroadcast"),
    grad=lambda g, y, x, axes: [OPS["patternbroadcast"](g, x.broadcastable)],
    dtypes=EVERY,
    conjugates=False,
)


def _patternbroadcast(x: Variable, broadcastable: Sequence[int]) -> Variable:
    if len(broadcastable) != x.ndim:
        raise ShapeError(
            f"A pattern of {len(broadcastable)} axes does not fit {x.type}.",
            port="broadcastable",
            expected=f"{x.ndim} entries",
            got=str(len(broadcastable)),
        )
    pairs = list(enumerate(zip(broadcastable, x.broadcastable, strict=True)))
    more = [i for i, (wanted, has) in pairs if wanted and not has]
    fewer = [i for i, (wanted, has) in pairs if has and not wanted]
    x = addbroadcast(x, more) if more else x
    return unbroadcast(x, fewer) if fewer else x


patternbroadcast = composed(
    "patternbroadcast",
    symbol="⟷?",
    category=CATEGORY,
    doc="The tensor with exactly these axes stretching; they must have length 1.",
    params=(Param("broadcastable", "ints", (), "for each axis 1 if it stretches, else 0"),),
    body=_patternbroadcast,
    dtypes=EVERY,
    examples=(
        Example(((1, 3),), {"broadcastable": (0, 0)}),
        Example(((2, 1),), {"broadcastable": (0, 1)}),
    ),
)


# Axes of length 1 that go


def _squeeze(x: Variable, axis: int | Sequence[int] | None = None) -> Variable:
    if axis is None:
        dropped = tuple(i for i, stretches in enumerate(x.broadcastable) if stretches)
    else:
        dropped = normalize_axes(axis, x.ndim)
    fixed = [a for a in dropped if not x.broadcastable[a]]
    x = addbroadcast(x, fixed) if fixed else x
    return dimshuffle(x, tuple(a for a in range(x.ndim) if a not in dropped)) if dropped else x


squeeze = composed(
    "squeeze",
    symbol="−1",
    category=CATEGORY,
    doc="The tensor without the axes that stretch, or without the ones named, of length 1.",
    params=(Param("axis", "axis", None, "the axes that go; none means all that stretch"),),
    body=_squeeze,
    dtypes=EVERY,
    examples=(Example(((1, 3),)), Example(((2, 1, 1),), {"axis": (1,)})),
)
