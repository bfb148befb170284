"""Places as numbers: in one row or axis by axis, on the diagonal, in another order."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from engine.errors import IndexOutOfRangeError, ParameterError, ShapeError, TypeMismatchError
from engine.expression import OPS, Variable
from engine.makers import composed, unbroadcast, zero_gradient
from engine.op import Example, Op, Param, Port
from engine.ops.indexing import CATEGORY
from engine.ops.selection import MODE, check_whole, positions_along, stacked
from engine.types import DISCRETE, EVERY, TensorType, broadcast, shape_text, upcast

ORDER = Param(
    "order", "string", "C", "C: the last axis runs fastest; F: the first one", choices=("C", "F")
)
DIMS = Port("dims", "the lengths of the axes, an integer vector")


# In one row, and axis by axis


def _check_dims(dims: TensorType) -> None:
    if dims.ndim != 1:
        raise TypeMismatchError(
            "The lengths of the axes must be a vector.",
            port="dims",
            expected="an integer vector",
            got=str(dims),
        )
    check_whole(dims, "dims")


def _unravel_index_type(
    indices: TensorType, dims: TensorType, order: str, ndim: int | None
) -> TensorType:
    check_whole(indices, "indices")
    _check_dims(dims)
    rank = dims.shape[0] if ndim is None else ndim
    if rank is None:
        raise ParameterError(
            "How many axes there are is not known before it runs.",
            port="ndim",
            expected="the length of dims",
            got="none",
            hint="Say so by ndim.",
        )
    if dims.shape[0] not in (None, rank):
        raise ShapeError(
            f"{dims.shape[0]} lengths are not those of {rank} axes.",
            port="dims",
            expected=f"{rank} lengths",
            got=str(dims.shape[0]),
        )
    return TensorType("int64", (rank, *indices.shape), (False, *indices.broadcastable))


def _unravel_index_value(indices: Any, dims: Any, order: Any, ndim: int | None) -> Any:
    lengths = tuple(map(int, dims))
    size = _size(lengths)
    indices = np.asarray(indices)
    if ndim is not None and len(lengths) != ndim:
        raise ShapeError(f"{len(lengths)} lengths are not those of {ndim} axes.", port="dims")
    low, high = (int(indices.min()), int(indices.max())) if indices.size else (0, -1)
    if indices.size and not 0 <= low <= high < size:
        wrong = low if low < 0 else high
        raise IndexOutOfRangeError(
            f"Index {wrong} is outside a tensor of shape {shape_text(lengths)}, which has {size} "
            "elements.",
            port="indices",
            expected=f"0 to {size - 1}" if size else "no index: there are no elements",
            got=str(wrong),
        )
    if not indices.size:
        return np.zeros((len(lengths), *indices.shape), "int64")
    return np.array(np.unravel_index(indices, lengths, order), dtype="int64")


def _size(lengths: Sequence[int]) -> int:
    if any(n < 0 for n in lengths):
        raise ShapeError(
            f"An axis cannot have length {min(lengths)}.", port="dims", expected="0 or more"
        )
    return int(np.prod(lengths, dtype=object))


unravel_index_op = Op(
    name="unravel_index",
    symbol="n→i,j",
    category=CATEGORY,
    method=False,
    doc="Numbers that count all elements in one row as places: a row for each axis.",
    examples=(
        Example(params={"ndim": 2}, draw=lambda rng: [np.array([22, 41, 37]), np.array([7, 6])]),
        Example(
            params={"order": "F", "ndim": 3},
            draw=lambda rng: [np.array([[31], [41]]), np.array([3, 4, 5])],
        ),
    ),
    ports=(Port("indices", "integers"), DIMS),
    params=(ORDER, Param("ndim", "int", None, "how many axes there are", min=1)),
    infer=_unravel_index_type,
    numpy=_unravel_index_value,
    no_grad="it counts",
)


def unravel_index(
    indices: Any, dims: Any, order: str = "C", ndim: int | None = None
) -> tuple[Variable, ...]:
    """Numbers that count all elements of a tensor as places: a tensor for each axis.

    dims: the shape of the tensor.  ndim: how many axes that has, where it is not known.
    """
    return tuple(unravel_index_op(indices, dims, order, ndim))


def _ravel_multi_index_type(
    multi_index: TensorType, dims: TensorType, mode: str, order: str
) -> TensorType:
    check_whole(multi_index, "multi_index")
    _check_dims(dims)
    rows, rank = multi_index.shape[0] if multi_index.ndim else 0, dims.shape[0]
    if not multi_index.ndim or (None not in (rows, rank) and rows != rank):
        raise ShapeError(
            f"Places of shape {shape_text(multi_index.shape)} are not for {rank} axes.",
            port="multi_index",
            expected="a row of places for each axis",
            got=shape_text(multi_index.shape),
        )
    return TensorType("int64", multi_index.shape[1:], multi_index.broadcastable[1:])


def _ravel_multi_index_value(multi_index: Any, dims: Any, mode: Any, order: Any) -> Any:
    lengths = tuple(map(int, dims))
    _size(lengths)
    if len(multi_index) != len(lengths):
        raise ShapeError(
            f"{len(multi_index)} rows of places are not for {len(lengths)} axes.",
            port="multi_index",
        )
    for axis, (places, n) in enumerate(zip(multi_index, lengths, strict=True)):
        low, high = (int(places.min()), int(places.max())) if places.size else (0, -1)
        if places.size and (n == 0 or (mode == "raise" and not 0 <= low <= high < n)):
            wrong = low if low < 0 else high
            raise IndexOutOfRangeError(
                f"Index {wrong} is outside axis {axis}, which has length {n}.",
                port="multi_index",
                expected=f"0 to {n - 1}" if n else "no index: the axis is empty",
                got=str(wrong),
            )
    if not multi_index.size:
        return np.zeros(multi_index.shape[1:], "int64")
    numbers = np.ravel_multi_index(tuple(multi_index.astype("int64")), lengths, mode, order)
    return np.asarray(numbers, dtype="int64")


ravel_multi_index_op = Op(
    name="ravel_multi_index",
    symbol="i,j→n",
    category=CATEGORY,
    method=False,
    doc="Places, a row for each axis, as numbers that count all elements in one row.",
    examples=(
        Example(draw=lambda rng: [np.array([[3, 6, 6], [4, 5, 1]]), np.array([7, 6])]),
        Example(
            params={"mode": "wrap", "order": "F"},
            draw=lambda rng: [np.array([[-1, 8], [4, 6]]), np.array([7, 6])],
        ),
    ),
    ports=(Port("multi_index", "integers; the first axis is one of axes"), DIMS),
    params=(MODE, ORDER),
    infer=_ravel_multi_index_type,
    numpy=_ravel_multi_index_value,
    no_grad="it counts",
)


def ravel_multi_index(
    multi_index: Any, dims: Any, mode: str = "raise", order: str = "C"
) -> Variable:
    """Places, a tensor of them for each axis, as numbers that count all elements of a tensor.

    dims: the shape of the tensor.  mode: of places outside, see the op.
    """
    return ravel_multi_index_op(stacked(multi_index), dims, mode, order)


# On the diagonal


def _fill_diagonal(a: Variable, val: Variable) -> Variable:
    return _filled(a, val, OPS["cast"](0, "int64"))


def _fill_diagonal_offset(a: Variable, val: Variable, offset: Variable) -> Variable:
    check_whole(offset, "offset")
    if a.ndim != 2:
        raise TypeMismatchError(
            "Only a matrix has diagonals beside the main one.",
            port="a",
            expected="a matrix",
            got=str(a.type),
        )
    if offset.ndim:
        raise TypeMismatchError(
            "The offset must be a scalar.", port="offset", expected="a scalar", got=str(offset.type)
        )
    return _filled(a, val, offset)


def _filled(a: Variable, val: Variable, offset: Variable) -> Variable:
    """`a` with `val` where all places are equal, after the offset is added to the first."""
    if a.ndim < 2:
        raise TypeMismatchError(
            "Only a tensor of two axes or more has a diagonal.",
            port="a",
            expected="a matrix",
            got=str(a.type),
        )
    if val.ndim or upcast(a.dtype, val.dtype) != a.dtype:
        raise TypeMismatchError(
            f"The diagonal of {a.type} cannot be filled with {val.type}.",
            port="val",
            expected=f"a scalar of {a.dtype}",
            got=str(val.type),
        )
    first, *others = (_places(a, axis) for axis in range(a.ndim))
    on_it = OPS["eq"](first + offset, others[0])
    for place in others[1:]:
        on_it = OPS["and_"](on_it, OPS["eq"](first, place))
    return OPS["switch"](on_it, OPS["cast"](val, a.dtype), a)


def _places(a: Variable, axis: int) -> Variable:
    """The places along an axis; of one that stretches the only one."""
    if not a.broadcastable[axis]:
        return positions_along(a, axis)
    return OPS["dimshuffle"](OPS["cast"](0, "int64"), (None,) * a.ndim)


fill_diagonal = composed(
    "fill_diagonal",
    symbol="⋱=",
    category=CATEGORY,
    doc="The tensor with a number where the places on all axes are equal.",
    ports=(Port("a", "a tensor of two axes or more"), Port("val", "a scalar")),
    examples=(
        Example(((3, 4), ())),
        Example(((4, 2), ())),
        Example(((2, 2, 2), ())),
        Example(((1, 3), ())),
    ),
    body=_fill_diagonal,
    dtypes=EVERY,
)

fill_diagonal_offset = composed(
    "fill_diagonal_offset",
    symbol="⋱ₖ=",
    category=CATEGORY,
    doc="The matrix with a number on a diagonal beside the main one: above it, or below if the "
    "offset is negative.",
    ports=(Port("a", "a matrix"), Port("val", "a scalar"), Port("offset", "an integer")),
    examples=(
        Example(draw=lambda rng: [rng.uniform(-1, 1, (3, 4)), np.array(0.5), np.array(1)]),
        Example(draw=lambda rng: [rng.uniform(-1, 1, (3, 4)), np.array(0.5), np.array(-2)]),
    ),
    body=_fill_diagonal_offset,
    dtypes=EVERY,
)


# In another order


def _permute_type(x: TensorType, y: TensorType, inverse: bool) -> TensorType:
    check_whole(y, "y")
    if not x.ndim or not y.ndim:
        port, scalar = ("y", y) if x.ndim else ("x", x)
        raise TypeMismatchError(
            "A scalar has no rows.", port=port, expected="a vector or more axes", got=str(scalar)
        )
    return broadcast([x, y])


def _permute_value(x: Any, y: Any, inverse: bool) -> Any:
    shape = np.broadcast_shapes(x.shape, y.shape)
    x, order = np.broadcast_to(x, shape), np.broadcast_to(y, shape).astype("int64")
    n = shape[-1]
    wrong = np.sort(order, axis=-1) != np.arange(n)
    if wrong.any():
        row = order.reshape(-1, n)[wrong.reshape(-1, n).any(axis=1)][0]
        raise IndexOutOfRangeError(
            f"{row.tolist() if n < 10 else 'A row'} is no permutation of 0 to {n - 1}.",
            port="y",
            expected=f"each of 0 to {n - 1} once",
        )
    if not inverse:
        return np.take_along_axis(x, order, axis=-1)
    out = np.empty(shape, x.dtype)
    np.put_along_axis(out, order, x, axis=-1)
    return out


def _permute_grad(
    g: Variable, out: Variable, x: Variable, y: Variable, inverse: bool
) -> list[Variable | None]:
    if x.dtype in DISCRETE:
        return [zero_gradient(x), None]
    return [unbroadcast(permute_row_elements(g, y, not inverse), x), None]


permute_row_elements: Op = Op(
    name="permute_row_elements",
    symbol="x[π]",
    category=CATEGORY,
    doc="The elements of each row in another order: at place i what was at place y[i].",
    examples=(
        Example(draw=lambda rng: [rng.uniform(-1, 1, (2, 3)), np.array([2, 0, 1])]),
        Example(
            params={"inverse": True},
            draw=lambda rng: [rng.uniform(-1, 1, (2, 3)), np.array([[2, 0, 1], [0, 2, 1]])],
        ),
        Example(draw=lambda rng: [rng.uniform(-1, 1, 3), np.array([[2, 0, 1], [0, 2, 1]])]),
    ),
    ports=(Port("x"), Port("y", "permutations of 0 to n - 1, stretched against x")),
    params=(Param("inverse", "bool", False, "what is at place i goes to place y[i] instead"),),
    infer=_permute_type,
    numpy=_permute_value,
    grad=_permute_grad,
    conjugates=False,
    dtypes=EVERY,
)


def _inverse_permutation(perm: Variable) -> Variable:
    places = OPS["dimshuffle"](positions_along(perm, perm.ndim - 1), (perm.ndim - 1,))
    return permute_row_elements(OPS["cast"](places, perm.dtype), perm, True)


inverse_permutation = composed(
    "inverse_permutation",
    symbol="π⁻¹",
    category=CATEGORY,
    doc="The permutation that undoes the given one, row by row.",
    ports=(Port("perm", "permutations of 0 to n - 1"),),
    examples=(
        Example(draw=lambda rng: [np.array([2, 0, 3, 1])]),
        Example(draw=lambda rng: [np.array([[2, 0, 1], [0, 2, 1]])]),
    ),
    body=_inverse_permutation,
)
