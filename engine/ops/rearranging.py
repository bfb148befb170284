"""The elements of a tensor in other places, or in more than one."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from engine.errors import ParameterError, ShapeError, TypeMismatchError
from engine.expression import Constant, Variable, as_variable
from engine.makers import composed
from engine.op import Example, Op, Param, Port
from engine.ops.axes import dimshuffle, transpose
from engine.ops.creation import alloc
from engine.ops.shape import flatten, lengths, lengths_of, reshape
from engine.types import EVERY, INTEGERS, TensorType, normalize_axes, normalize_axis

CATEGORY = "Shape"
AXIS = Param("axis", "int", None, "the axis; none means the flattened tensor")


# The other way round


def _flip(x: Variable, axis: int | Sequence[int] | None = None) -> Variable:
    axes = normalize_axes(axis, x.ndim)
    key = tuple(slice(None, None, -1) if i in axes else slice(None) for i in range(x.ndim))
    return x[key] if axes else x


flip = composed(
    "flip",
    symbol="⇋",
    category=CATEGORY,
    doc="The elements in reverse order along the axes.",
    params=(Param("axis", "axis", None, "the axis or axes; none means all"),),
    body=_flip,
    dtypes=EVERY,
    examples=(Example(((2, 3),)), Example(((2, 3),), {"axis": (1,)})),
)


def _rot90(x: Variable, k: int, axes: Sequence[int]) -> Variable:
    if len(axes) != 2 or len(set(normalize_axes(axes, x.ndim))) != 2:
        raise ShapeError(
            f"The axes {tuple(axes)} span no plane.", port="axes", expected="two different axes"
        )
    a, b = (normalize_axis(i, x.ndim) for i in axes)
    order = list(range(x.ndim))
    order[a], order[b] = b, a
    match k % 4:
        case 1:
            return transpose(_flip(x, b), order)
        case 2:
            return _flip(x, (a, b))
        case 3:
            return _flip(transpose(x, order), b)
        case _:
            return x


rot90 = composed(
    "rot90",
    symbol="↺",
    category=CATEGORY,
    doc="The tensor turned by so many right angles, from the first axis towards the second.",
    params=(
        Param("k", "int", 1, "how many right angles"),
        Param("axes", "ints", (0, 1), "the two axes of the plane"),
    ),
    body=_rot90,
    dtypes=EVERY,
    examples=tuple(Example(((2, 3),), {"k": k}) for k in (1, 2, 3)),
)


# Around the end


def _check_shift(x: TensorType, shift: TensorType, axis: Any) -> TensorType:
    axes = () if axis is None else normalize_axes(axis, x.ndim)
    if shift.ndim > 1 or shift.dtype not in INTEGERS or (shift.ndim == 1 and not axes):
        raise TypeMismatchError(
            "How far elements are moved must be a whole number, or one for each axis.",
            port="shift",
            expected="an integer, or a vector of integers with axes named",
            got=str(shift),
        )
    return x


def _roll_value(x: Any, shift: Any, axis: Any) -> Any:
    steps = tuple(int(n) for n in shift) if np.ndim(shift) else int(shift)
    return np.roll(x, steps, axis)


roll: Op = Op(
    name="roll",
    symbol="↻",
    category=CATEGORY,
    doc="The elements moved along the axis; what leaves at the end comes in at the front.",
    examples=(
        Example(draw=lambda rng: [rng.uniform(-3, 3, (2, 3)), 2], params={"axis": 1}),
        Example(draw=lambda rng: [rng.uniform(-3, 3, (2, 3)), -1]),
        Example(
            draw=lambda rng: [rng.uniform(-3, 3, (2, 3)), np.array([1, 2])], params={"axis": (0, 1)}
        ),
    ),
    ports=(Port("x"), Port("shift", "by how many places")),
    params=(Param("axis", "axis", None, "the axis or axes; none means the flattened tensor"),),
    infer=_check_shift,
    numpy=_roll_value,
    grad=lambda g, y, x, shift, axis: [roll(g, -shift, axis), None],
    dtypes=EVERY,
    conjugates=False,
)


# More than once


def _tile(x: Variable, reps: Sequence[Variable]) -> Variable:
    """A new axis in front of each, along which the tensor is stretched, merged with it."""
    reps = [*(Constant(1, "int64"),) * (x.ndim - len(reps)), *reps]
    lead = len(reps) - x.ndim
    sizes = [*(Constant(1, "int64"),) * lead, *lengths(x)]
    pattern: list[int | None] = []
    for axis in range(len(reps)):
        pattern += [None, axis - lead if axis >= lead else None]
    pairs = list(zip(reps, sizes, strict=True))
    spread = alloc(dimshuffle(x, tuple(pattern)), [n for pair in pairs for n in pair])
    return reshape(spread, [_product(n, size) for n, size in pairs])


def _product(n: Variable, size: Variable) -> Variable:
    if isinstance(n, Constant) and isinstance(size, Constant):
        return Constant(int(n.data) * int(size.data), "int64")
    return n if isinstance(size, Constant) and size.data == 1 else n * size


def _tiled(x: Any, reps: Any, ndim: int | None = None) -> Variable:
    """How often along each axis: an int, a list that may mix ints and scalars, a vector."""
    x = as_variable(x)
    vector = as_variable(reps) if not isinstance(reps, list | tuple) else None
    if vector is not None and vector.ndim == 1 and vector.type.shape[0] is None:
        if ndim is None:
            raise ShapeError(
                f"The length of {vector!r} is not known, so neither is the rank of the result.",
                port="reps",
                expected="a list, or a vector of known length",
                got=str(vector.type),
                hint="Say how many numbers it holds with ndim=.",
            )
        times = lengths_of(vector, ndim)
    else:
        times = lengths_of(reps)
    if ndim is not None:
        if ndim < max(x.ndim, len(times)):
            raise ParameterError(
                f"The result has {max(x.ndim, len(times))} axes, not {ndim}.",
                port="ndim",
                expected=f"{max(x.ndim, len(times))} or more",
                got=str(ndim),
            )
        times = [*(Constant(1, "int64"),) * (ndim - len(times)), *times]
    return tile.each(x, times)[0]


tile: Op = composed(
    "tile",
    symbol="⊞",
    category=CATEGORY,
    doc="The whole tensor so many times along each axis, side by side.",
    ports=(Port("x"), Port("reps", "how often along each axis, the last ones last", variadic=True)),
    reads_values=True,
    body=_tile,
    call=_tiled,
    dtypes=EVERY,
    examples=(
        Example(draw=lambda rng: [rng.uniform(-3, 3, (2, 3)), 2, 1]),
        Example(draw=lambda rng: [rng.uniform(-3, 3, (3,)), 2, 2]),
        Example(draw=lambda rng: [rng.uniform(-3, 3, (2, 3)), 2]),
    ),
)


def _repeat(x: Variable, repeats: Variable, axis: int | None = None) -> Variable:
    if repeats.ndim > 1 or repeats.dtype not in INTEGERS:
        raise TypeMismatchError(
            "How often elements are repeated must be a whole number, or one for each.",
            port="repeats",
            expected="an integer scalar or vector",
            got=str(repeats.type),
        )
    if axis is None:
        x, axis = flatten(x), 0
    axis = normalize_axis(axis, x.ndim)
    if repeats.ndim == 1 and not repeats.broadcastable[0]:
        return repeat_each(x, repeats, axis=axis)
    if repeats.ndim == 1:
        repeats = repeats[0]
    sizes = lengths(x)
    pattern = (*range(axis + 1), None, *range(axis + 1, x.ndim))
    spread = alloc(dimshuffle(x, pattern), [*sizes[: axis + 1], repeats, *sizes[axis + 1 :]])
    sizes[axis] = _product(repeats, sizes[axis])
    return reshape(spread, sizes)


repeat = composed(
    "repeat",
    symbol="xx",
    category=CATEGORY,
    doc="Each element so many times in a row along the axis.",
    ports=(Port("x"), Port("repeats", "how often: a number, or one for each element of the axis")),
    params=(AXIS,),
    reads_values=True,
    body=_repeat,
    dtypes=EVERY,
    examples=(
        Example(draw=lambda rng: [rng.uniform(-3, 3, (2, 3)), 2], params={"axis": 1}),
        Example(
            draw=lambda rng: [rng.uniform(-3, 3, (2, 3)), np.array([2, 0])], params={"axis": 0}
        ),
        Example(draw=lambda rng: [rng.uniform(-3, 3, (2, 3)), 2]),
    ),
)


def _check_counts(n: int | None, repeats: Any, axis: int) -> None:
    if np.any(repeats < 0) or (n is not None and n != len(repeats)):
        raise ShapeError(
            f"{len(repeats)} numbers of repetitions, the least of them "
            f"{int(np.min(repeats, initial=1))}, do not fit axis {axis} of length {n}.",
            port="repeats",
            expected="a number of 0 or more for each element",
            got=str(len(repeats)),
        )


def _repeated_type(
    x: TensorType, repeats: TensorType, axis: int, known: Sequence[Any]
) -> TensorType:
    if known[1] is not None:
        _check_counts(x.shape[axis], known[1], axis)
    n = None if known[1] is None else int(np.sum(known[1]))
    shape = [n if i == axis else m for i, m in enumerate(x.shape)]
    return TensorType(x.dtype, shape, [b and i != axis for i, b in enumerate(x.broadcastable)])


def _repeated_value(x: Any, repeats: Any, axis: int) -> Any:
    _check_counts(x.shape[axis], repeats, axis)
    return np.repeat(x, repeats, axis)


repeat_each: Op = Op(
    name="repeat_each",
    symbol="xx",
    category=CATEGORY,
    hidden=True,
    doc="Each element along the axis as often as its number says.",
    examples=(
        Example(
            draw=lambda rng: [rng.uniform(-3, 3, (2, 3)), np.array([2, 0, 1])], params={"axis": 1}
        ),
    ),
    ports=(Port("x"), Port("repeats")),
    params=(Param("axis", "int", 0, "the axis"),),
    infer=_repeated_type,
    numpy=_repeated_value,
    reads_values=True,
    grad=lambda g, y, x, repeats, axis: [sum_repeated(g, repeats, x, axis=axis), None],
    dtypes=EVERY,
    conjugates=False,
)


def _sum_repeated_value(x: Any, repeats: Any, model: Any, axis: int) -> Any:
    out = np.zeros(model.shape, x.dtype)
    places = np.repeat(np.arange(len(repeats)), repeats)
    np.add.at(np.moveaxis(out, axis, 0), places, np.moveaxis(x, axis, 0))
    return out


sum_repeated: Op = Op(
    name="sum_repeated",
    symbol="Σxx",
    category=CATEGORY,
    hidden=True,
    doc="For each element along the axis of the model the sum over its repetitions in x.",
    examples=(
        Example(draw=lambda rng: [rng.uniform(-3, 3, (3, 2)), np.array([1, 2]), np.zeros((2, 2))]),
    ),
    ports=(Port("x"), Port("repeats"), Port("model")),
    params=(Param("axis", "int", 0, "the axis"),),
    infer=lambda x, repeats, model, axis: model.with_dtype(x.dtype),
    numpy=_sum_repeated_value,
    grad=lambda g, y, x, repeats, model, axis: [repeat_each(g, repeats, axis=axis), None, None],
    dtypes=EVERY,
    conjugates=False,
)
