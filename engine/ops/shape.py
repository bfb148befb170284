"""Shapes: the lengths of the axes as numbers to compute with, and the same elements in others."""

import math
from collections.abc import Sequence
from math import inf
from typing import Any

import numpy as np

from engine.errors import ParameterError, ShapeError, TypeMismatchError
from engine.expression import OPS, Constant, Variable, as_variable
from engine.makers import composed
from engine.op import Example, Op, Param, Port
from engine.ops.axes import addbroadcast, dimshuffle, transpose
from engine.types import EVERY, INTEGERS, TensorType, shape_text

CATEGORY = "Shape"

Layout = tuple[int, tuple[int, ...], tuple[int, ...]]

shape = Op(
    name="shape",
    symbol="⟨n⟩",
    category=CATEGORY,
    method=False,
    doc="The lengths of the axes.",
    bounds=(0, inf),
    examples=(Example(((2, 3),)),),
    ports=(Port("x"),),
    infer=lambda x: TensorType("int64", (x.ndim,), (False,)),
    numpy=lambda x: np.array(np.shape(x), dtype="int64"),
    from_shape=True,
    grad=lambda g, y, x: [None],
    dtypes=EVERY,
)


# Shapes that are computed


def length(x: Variable, axis: int) -> Variable:
    """The length of an axis: a constant where it is known, else read from the shape."""
    known = 1 if x.broadcastable[axis] else x.type.shape[axis]
    return shape(x)[axis] if known is None else Constant(known, "int64")


def lengths(x: Variable) -> list[Variable]:
    """The length of every axis."""
    return [length(x, axis) for axis in range(x.ndim)]


def lengths_of(given: Any, ndim: int | None = None) -> list[Variable]:
    """A shape in any of the ways in which people write one, as a scalar for each axis.

    given: an int or integer scalar for one axis, a list or tuple in which both may be mixed, or
    a vector.  ndim: how many axes there are, where that does not follow.

    Raises ShapeError where the number of axes is not known or is not `ndim`, TypeMismatchError
    for a length that is no whole number.
    """
    if isinstance(given, list | tuple):
        found = list(map(as_variable, given))
    else:
        found = _entries(as_variable(given), ndim)
    if ndim is not None and len(found) != ndim:
        raise ShapeError(
            f"The shape has {len(found)} length{'s' * (len(found) != 1)}, but ndim is {ndim}.",
            expected=f"{ndim} lengths",
            got=str(len(found)),
            hint="Write the shape in brackets: x.reshape((2, 3)).",
        )
    check_lengths([v.type for v in found])
    return found


def _entries(v: Variable, ndim: int | None) -> list[Variable]:
    if v.ndim == 0:
        return [v]
    if v.ndim > 1:
        raise TypeMismatchError(
            f"A shape has one axis, not {v.ndim}.",
            expected="integers or an integer vector",
            got=str(v.type),
        )
    n = ndim if v.type.shape[0] is None else v.type.shape[0]
    if n is None:
        raise ShapeError(
            f"The length of the shape {v!r} is not known, so neither is the rank of the result.",
            expected="a list of lengths, or a vector of known length",
            got=str(v.type),
            hint="Say how many axes there are with ndim=.",
        )
    return [_entry(v, i) for i in range(n)]


def _entry(v: Variable, i: int) -> Variable:
    """An element of a vector, read off from what the vector was put together of."""
    while v.owner is not None:
        inputs, params = v.owner.inputs, v.owner.params
        match v.owner.op.name:
            case "shape":
                return length(inputs[0], i)
            case "stack":
                return inputs[i]
            case "join":
                for part in inputs:
                    n = part.type.shape[0]
                    if n is None:
                        return v[i]
                    if i < n:
                        v = part
                        break
                    i -= n
                else:
                    return v[i]
            case "subtensor" if len(inputs) == 1 and _is_slice(params["index"]):
                n = inputs[0].type.shape[0]
                if n is None:
                    return v[i]
                i = range(*slice(*params["index"][0]).indices(n))[i]
                v = inputs[0]
            case _:
                break
    return Constant(int(v.data[i]), "int64") if isinstance(v, Constant) else v[i]


def _is_slice(index: Sequence[Any]) -> bool:
    return len(index) == 1 and isinstance(index[0], tuple)


def check_lengths(types: Sequence[TensorType]) -> None:
    """Raise TypeMismatchError where one of them cannot be the length of an axis."""
    for t in types:
        if t.ndim or t.dtype not in INTEGERS:
            raise TypeMismatchError(
                "A length must be a whole number.", expected="an integer scalar", got=str(t)
            )


def check_sizes(shape: Sequence[int | None]) -> None:
    """Raise ShapeError where a length is negative."""
    if any(n is not None and n < 0 for n in shape):
        raise ShapeError(
            f"There is no tensor of shape {shape_text(shape)}.",
            expected="lengths of 0 or more",
            got=shape_text(shape),
        )


def known_lengths(known: Sequence[Any]) -> list[int | None]:
    """The lengths whose values are known, as ints; None for the others."""
    return [None if n is None else int(n) for n in known]


# reshape


def _filled(size: int | None, new: Sequence[int | None], old: Sequence[int | None]) -> list[Any]:
    """The new lengths with the one that is missing, None or -1, worked out if that can be done.

    size: the number of elements.  Raises ShapeError where they do not fit.
    """
    missing = [i for i, n in enumerate(new) if n in (None, -1)]
    known = math.prod(n for n in new if n not in (None, -1))
    fits = sum(n == -1 for n in new) <= 1 and all(n is None or n >= -1 for n in new)
    if fits and size is not None and len(missing) <= 1:
        fits = size == known if not missing else known > 0 and size % known == 0
    if not fits:
        raise ShapeError(
            f"A tensor of shape {shape_text(old)} cannot take the shape {shape_text(new)}.",
            expected=f"{size} elements" if size is not None else "at most one length of -1",
            got=shape_text(new),
        )
    one = size // known if size is not None and len(missing) == 1 else None
    return [one if i in missing else n for i, n in enumerate(new)]


def _size(x: TensorType) -> int | None:
    return None if None in x.shape else math.prod(n or 0 for n in x.shape)


def _reshape_value(x: Any, *new: int) -> Any:
    lengths = [int(n) for n in new]
    return np.reshape(x, _filled(x.size, lengths, x.shape))


def _reshape_view(
    shape: tuple[int, ...], strides: tuple[int, ...], /, **params: Any
) -> Layout | None:
    expected = 1
    for n, stride in zip(reversed(shape), reversed(strides), strict=True):
        if n != 1 and stride != expected:
            return None
        expected *= n
    steps: list[int] = []
    step = 1
    new = _filled(expected, params["shape"], shape)
    for n in reversed(new):
        steps.append(step)
        step *= n
    return 0, tuple(new), tuple(reversed(steps))


def _reshaped(x: Any, shape: Any = (-1,), ndim: int | None = None) -> Variable:
    """A shape of plain ints is a parameter of `reshape`, any other one goes to `reshape_to`."""
    new = lengths_of(shape, ndim)
    if all(isinstance(n, Constant) for n in new):
        return reshape.each(x, tuple(int(n.data) for n in new if isinstance(n, Constant)))[0]
    return reshape_to(x, new)


reshape: Op = Op(
    name="reshape",
    symbol="⬚",
    category=CATEGORY,
    doc="The same elements in another shape; one length may be -1 and is worked out.",
    examples=(Example(((2, 3),), {"shape": (3, -1)}), Example(((2, 3),), {"shape": (6, 1)})),
    ports=(Port("x"),),
    params=(Param("shape", "ints", (-1,), "the new shape"),),
    infer=lambda x, shape: TensorType(x.dtype, _filled(_size(x), shape, x.shape)),
    numpy=lambda x, shape: _reshape_value(x, *shape),
    grad=lambda g, y, x, shape: [reshape_like(g, x)],
    view=_reshape_view,
    call=_reshaped,
    dtypes=EVERY,
    conjugates=False,
)


def _reshape_to_type(x: TensorType, *new: TensorType, known: Sequence[Any]) -> TensorType:
    check_lengths(new)
    given = known_lengths(known[1:])
    filled = _filled(_size(x), given, x.shape)
    return TensorType(x.dtype, filled, [n == 1 for n in given])


reshape_to: Op = Op(
    name="reshape_to",
    symbol="⬚",
    category=CATEGORY,
    method=False,
    doc="The same elements in a shape that is computed; one length may be -1 and is worked out.",
    examples=(
        Example(draw=lambda rng: [rng.uniform(-3, 3, (2, 3)), 3, -1]),
        Example(draw=lambda rng: [rng.uniform(-3, 3, (4,)), 2, 1, 2]),
    ),
    ports=(Port("x"), Port("lengths", "the length of each axis", variadic=True)),
    infer=_reshape_to_type,
    numpy=_reshape_value,
    reads_values=True,
    grad=lambda g, y, x, *new: [reshape_like(g, x), *(None for _ in new)],
    dtypes=EVERY,
    conjugates=False,
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
    numpy=lambda x, model: _reshape_value(x, *model.shape),
    grad=lambda g, y, x, model: [reshape_like(g, x), None],
    dtypes=EVERY,
    conjugates=False,
)


def _flatten(x: Variable, ndim: int = 1) -> Variable:
    if ndim > max(x.ndim, 1):
        raise ParameterError(
            f"A tensor of {x.ndim} dimensions cannot be flattened to {ndim}.",
            port="ndim",
            expected=f"1 to {max(x.ndim, 1)}",
            got=str(ndim),
        )
    if ndim == x.ndim:
        return x
    # Not -1, which has no answer where another axis is empty.
    last = -1 if ndim == 1 else OPS["count"](x, tuple(range(ndim - 1, x.ndim)))
    y = _reshaped(x, [*lengths(x)[: ndim - 1], last])
    stretches = all(x.broadcastable[ndim - 1 :]) and not y.broadcastable[-1]
    return addbroadcast(y, ndim - 1) if stretches else y


flatten = composed(
    "flatten",
    symbol="▤",
    category=CATEGORY,
    aliases=("ravel",),
    doc="All elements in one row; or only the last axes put together, so that ndim are left.",
    params=(Param("ndim", "int", 1, "how many axes the result has", min=1),),
    body=_flatten,
    dtypes=EVERY,
    examples=(Example(((2, 3),)), Example(((2, 3, 4),), {"ndim": 2}), Example(((),))),
)


def merged(x: Variable, axes: Sequence[int]) -> Variable:
    """The tensor with the axes, counted from the front, put together as one last axis."""
    order = _last(x.ndim, axes)
    turned = transpose(x, order)
    if not axes:
        return dimshuffle(turned, (*range(x.ndim), None))
    return turned if len(axes) == 1 else flatten(turned, x.ndim - len(axes) + 1)


def parted(row: Variable, x: Variable, axes: Sequence[int]) -> Variable:
    """The reverse of `merged`: its axes are those of x again."""
    order = _last(x.ndim, axes)
    turned = row if len(axes) == 1 else reshape_like(row, transpose(x, order))
    return transpose(turned, [order.index(a) for a in range(x.ndim)])


def _last(ndim: int, axes: Sequence[int]) -> list[int]:
    return [*(a for a in range(ndim) if a not in axes), *axes]


# Shapes that are stated


def _stated(shape: Sequence[int | None], wanted: Sequence[int | None]) -> list[int | None]:
    """What is known of the lengths; raises ShapeError where it differs from what is wanted."""
    pairs = list(zip(shape, wanted, strict=True))
    if any(w not in (None, -1, n) and n is not None for n, w in pairs):
        raise ShapeError(
            f"The shape is {shape_text(shape)}, but it was said to be "
            f"{shape_text([None if n == -1 else n for n in wanted])}.",
            expected=shape_text([None if n == -1 else n for n in wanted]),
            got=shape_text(shape),
        )
    return [w if n is None and w != -1 else n for n, w in pairs]


def _specify_type(x: TensorType, *wanted: TensorType, known: Sequence[Any]) -> TensorType:
    check_lengths(wanted)
    if len(wanted) != x.ndim:
        raise ShapeError(
            f"{x} has {x.ndim} axes, but {len(wanted)} lengths are stated.",
            expected=f"{x.ndim} lengths",
            got=str(len(wanted)),
        )
    return TensorType(x.dtype, _stated(x.shape, known_lengths(known[1:])), x.broadcastable)


def _specify_value(x: Any, *wanted: Any) -> Any:
    _stated(x.shape, [int(n) for n in wanted])
    return x


def _specified(x: Any, *shape: Any) -> Variable:
    """The shape as one argument, in which None stands for any length."""
    x = as_variable(x)
    (wanted,) = shape
    if isinstance(wanted, list | tuple):
        wanted = [-1 if n is None else n for n in wanted]
    return specify_shape.each(x, lengths_of(wanted, x.ndim))[0]


specify_shape: Op = Op(
    name="specify_shape",
    symbol="⟨n⟩!",
    category=CATEGORY,
    doc="The tensor itself, which must have these lengths; -1 stands for any.",
    examples=(
        Example(draw=lambda rng: [rng.uniform(-3, 3, (2, 3)), 2, 3]),
        Example(draw=lambda rng: [rng.uniform(-3, 3, (2, 3)), -1, 3]),
    ),
    ports=(Port("x"), Port("lengths", "the length of each axis", variadic=True)),
    infer=_specify_type,
    numpy=_specify_value,
    reads_values=True,
    call=_specified,
    grad=lambda g, y, x, *wanted: [g, *(None for _ in wanted)],
    dtypes=EVERY,
    conjugates=False,
)
