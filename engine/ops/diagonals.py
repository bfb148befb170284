"""Diagonals: matrices with ones on one, triangles beside one, elements taken off or put on one."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from engine.errors import ShapeError
from engine.expression import OPS, Constant, Variable
from engine.makers import composed
from engine.op import Example, Op, Param, Port
from engine.ops.ranges import FLOATX
from engine.ops.shape import check_lengths, check_sizes, known_lengths, length
from engine.types import EVERY, INTEGERS, TensorType, normalize_axis

CATEGORY = "Creation"

# Matrices by their size

MATRIX = (
    Port("n", "how many rows"),
    Port("m", "how many columns"),
    Port("k", "which diagonal: 0 the main one, 1 that above it, -1 that below it", default=0),
)


def _matrix_type(
    n: TensorType, m: TensorType, k: TensorType, dtype: str, known: Sequence[Any]
) -> TensorType:
    check_lengths([n, m, k])
    shape = known_lengths(known[:2])
    check_sizes(shape)
    return TensorType(dtype, shape, (False, False))


def _matrix(name: str, symbol: str, doc: str, value: Callable[..., Any]) -> Op:
    """A matrix of a given size; as people call it the columns are as many as the rows."""

    def evaluate(n: Any, m: Any, k: Any, dtype: str) -> Any:
        check_sizes([int(n), int(m)])
        return value(int(n), int(m), int(k), dtype=dtype)

    def call(n: Any, m: Any = None, k: Any = 0, dtype: Any = None) -> Variable:
        return OPS[name].each(n, n if m is None else m, k, dtype=dtype or "floatX")[0]

    return Op(
        name=name,
        symbol=symbol,
        category=CATEGORY,
        method=False,
        doc=doc,
        examples=(
            Example(draw=lambda rng: [3, 3, 0]),
            Example(draw=lambda rng: [2, 4, -1], params={"dtype": "int32"}),
        ),
        ports=MATRIX,
        params=(FLOATX,),
        infer=_matrix_type,
        numpy=evaluate,
        reads_values=True,
        call=call,
        grad=lambda g, y, n, m, k, dtype: [None, None, None],
        dtypes=INTEGERS,
    )


eye = _matrix("eye", "I", "A matrix with ones on a diagonal and zeros elsewhere.", np.eye)
tri = _matrix("tri", "◣", "A matrix with ones on and below a diagonal and zeros above.", np.tri)

# Triangles

DIAGONAL = Param("k", "int", 0, "which diagonal: 0 the main one, 1 that above it, -1 that below")


def _below(x: Variable, k: int) -> Variable:
    """For each element of the matrices in x whether it is on or below the diagonal."""
    if x.ndim < 2:
        raise ShapeError(
            f"{x.type} has no diagonal.", port="x", expected="two axes or more", got=str(x.ndim)
        )
    rows, columns = (OPS["arange"](length(x, axis)) for axis in (-2, -1))
    return OPS["le"](columns.dimshuffle("x", 0), rows.dimshuffle(0, "x") + Constant(k, "int64"))


def _triangle(name: str, symbol: str, doc: str, body: Callable[..., Variable]) -> Op:
    return composed(
        name,
        symbol=symbol,
        category=CATEGORY,
        doc=doc,
        params=(DIAGONAL,),
        body=body,
        dtypes=EVERY,
        examples=(Example(((3, 3),)), Example(((2, 3, 4),), {"k": -1})),
    )


def _tril(x: Variable, k: int = 0) -> Variable:
    return OPS["switch"](_below(x, k), x, Constant(0, x.dtype))


def _triu(x: Variable, k: int = 0) -> Variable:
    return OPS["switch"](_below(x, k - 1), Constant(0, x.dtype), x)


tril = _triangle("tril", "◣", "The elements on and below a diagonal, zeros above it.", _tril)
triu = _triangle("triu", "◥", "The elements on and above a diagonal, zeros below it.", _triu)

# Diagonals of tensors

PLACE = (
    Param("offset", "int", 0, "which diagonal: 0 the main one, 1 that above it, -1 that below"),
    Param("axis1", "int", 0, "the axis that counts rows"),
    Param("axis2", "int", 1, "the axis that counts columns"),
)


def _plane(ndim: int, axis1: int, axis2: int) -> tuple[int, int]:
    """The axes of rows and columns, counted from the front."""
    if ndim < 2:
        raise ShapeError(
            f"A tensor of {ndim} dimensions has no diagonal.",
            expected="two axes or more",
            got=str(ndim),
        )
    rows, columns = normalize_axis(axis1, ndim), normalize_axis(axis2, ndim)
    if rows == columns:
        raise ShapeError(
            f"Rows and columns cannot both be counted by axis {rows}.",
            port="axis2",
            expected="two different axes",
            got=f"{axis1} and {axis2}",
        )
    return rows, columns


def _size(rows: int, columns: int, offset: int) -> int:
    """How long a diagonal is."""
    return max(0, min(rows - max(-offset, 0), columns - max(offset, 0)))


def _places(n: int, offset: int) -> tuple[Any, Any]:
    """The rows and the columns of the elements of a diagonal."""
    steps = np.arange(n)
    return steps + max(-offset, 0), steps + max(offset, 0)


def _extracted_type(x: TensorType, offset: int, axis1: int, axis2: int) -> TensorType:
    rows, columns = _plane(x.ndim, axis1, axis2)
    kept = [i for i in range(x.ndim) if i not in (rows, columns)]
    a, b = x.shape[rows], x.shape[columns]
    n = None if a is None or b is None else _size(a, b, offset)
    return TensorType(
        x.dtype, [*(x.shape[i] for i in kept), n], [*(x.broadcastable[i] for i in kept), False]
    )


extract_diag: Op = Op(
    name="extract_diag",
    symbol="⋱",
    category="Indexing",
    aliases=("diagonal",),
    doc="The elements of a diagonal, along a new last axis in place of those two.",
    examples=(
        Example(((3, 3),)),
        Example(((2, 3, 4),), {"offset": -1, "axis1": 2, "axis2": 1}),
    ),
    ports=(Port("x"),),
    params=PLACE,
    infer=_extracted_type,
    numpy=lambda x, offset, axis1, axis2: np.array(
        np.diagonal(x, offset, *_plane(x.ndim, axis1, axis2))
    ),
    grad=lambda g, y, x, **place: [diagonal_like(g, x, **place)],
    dtypes=EVERY,
    conjugates=False,
)


def _diagonal_like_value(x: Any, model: Any, offset: int, axis1: int, axis2: int) -> Any:
    out = np.zeros(model.shape, x.dtype)
    np.moveaxis(out, (axis1, axis2), (-2, -1))[(..., *_places(x.shape[-1], offset))] = x
    return out


diagonal_like: Op = Op(
    name="diagonal_like",
    symbol="⋱",
    category="Indexing",
    hidden=True,
    doc="Zeros in the shape of the model, with the elements of x on a diagonal.",
    examples=(
        Example(draw=lambda rng: [rng.uniform(-3, 3, 3), np.zeros((3, 4))]),
        Example(
            draw=lambda rng: [rng.uniform(-3, 3, (3, 2)), np.zeros((2, 3, 4))],
            params={"offset": 1, "axis1": 0, "axis2": 2},
        ),
    ),
    ports=(Port("x"), Port("model")),
    params=PLACE,
    infer=lambda x, model, **place: model.with_dtype(x.dtype),
    numpy=_diagonal_like_value,
    grad=lambda g, y, x, model, **place: [extract_diag(g, **place), None],
    dtypes=EVERY,
    conjugates=False,
)


def _allocated_type(x: TensorType, offset: int, axis1: int, axis2: int) -> TensorType:
    if x.ndim == 0:
        raise ShapeError(
            "A number is no diagonal.", port="x", expected="one axis or more", got=str(x)
        )
    rows, columns = _plane(x.ndim + 1, axis1, axis2)
    n = x.shape[-1]
    side = None if n is None else n + abs(offset)
    shape, pattern = list(x.shape[:-1]), list(x.broadcastable[:-1])
    for axis in sorted((rows, columns)):
        shape.insert(axis, side)
        pattern.insert(axis, False)
    return TensorType(x.dtype, shape, pattern)


def _allocated_value(x: Any, offset: int, axis1: int, axis2: int) -> Any:
    side = x.shape[-1] + abs(offset)
    out = np.zeros((*x.shape[:-1], side, side), x.dtype)
    out[(..., *_places(x.shape[-1], offset))] = x
    return np.moveaxis(out, (-2, -1), _plane(out.ndim, axis1, axis2))


alloc_diag: Op = Op(
    name="alloc_diag",
    symbol="⋱",
    category="Indexing",
    doc="Square matrices of zeros with the elements along the last axis of x on a diagonal.",
    examples=(
        Example(((3,),)),
        Example(((2, 3),), {"offset": 1, "axis1": 2, "axis2": 0}),
    ),
    ports=(Port("x"),),
    params=PLACE,
    infer=_allocated_type,
    numpy=_allocated_value,
    grad=lambda g, y, x, **place: [extract_diag(g, **place)],
    dtypes=EVERY,
    conjugates=False,
)

diag = composed(
    "diag",
    symbol="⋱",
    category="Indexing",
    doc="The matrix with a vector on a diagonal; of a matrix, the diagonal.",
    params=(DIAGONAL,),
    body=lambda x, k: alloc_diag(x, offset=k) if x.ndim < 2 else extract_diag(x, offset=k),
    dtypes=EVERY,
    examples=(Example(((3,),)), Example(((3, 4),), {"k": 1})),
)
