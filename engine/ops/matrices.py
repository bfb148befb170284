"""What the algebra of matrices is written in: transposes, triangles, identities, stacks.

A matrix is the last two axes of a tensor; all axes before them make a stack of matrices.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import numpy as np

from engine.errors import LinearAlgebraError, ShapeError, TypeMismatchError
from engine.expression import OPS, Variable
from engine.makers import zero_gradient
from engine.op import Example, Op, Param, Port
from engine.types import COMPLEX, DISCRETE, EVERY, Shape, TensorType, real_dtype, shape_text, upcast

CATEGORY = "Linear algebra"
REAL = frozenset(DISCRETE | {"float32", "float64"})
NUMBERS = REAL | COMPLEX
"""The dtypes that LAPACK computes in, and the integers, which become float64."""


# Types.


def exact(*types: TensorType) -> str:
    """The dtype in which linear algebra computes: float64 for integers; float16 is refused."""
    dtype = upcast(*(t.dtype for t in types))
    if dtype == "float16":
        raise TypeMismatchError(
            "There is no linear algebra in float16.",
            expected="float32 or float64",
            got="float16",
            hint="Cast to float32 first.",
        )
    return "float64" if dtype in DISCRETE else dtype


def check_matrix(x: TensorType, port: str = "x") -> None:
    """Raise ShapeError unless x is a matrix or a stack of them."""
    if x.ndim < 2:
        raise ShapeError(
            f"{port} must be a matrix, but it has {x.ndim} dimension{'s' * (x.ndim != 1)}.",
            port=port,
            expected="a matrix, or a stack of matrices",
            got=shape_text(x.shape),
        )


def check_square(x: TensorType, port: str = "x") -> None:
    """Raise ShapeError unless x may be a square matrix, or a stack of them."""
    check_matrix(x, port)
    rows, columns = x.shape[-2:]
    if rows is not None and columns is not None and rows != columns:
        raise ShapeError(
            f"{port} must be square, but it has {rows} rows and {columns} columns.",
            port=port,
            expected="as many rows as columns",
            got=shape_text(x.shape),
        )


def side(x: TensorType) -> int | None:
    """The number of rows and columns of a square matrix, from whichever is known."""
    rows, columns = x.shape[-2:]
    return columns if rows is None else rows


def smaller_side(x: TensorType) -> int | None:
    """The smaller of the number of rows and that of columns."""
    rows, columns = x.shape[-2:]
    return None if rows is None or columns is None else min(rows, columns)


def stack_of(x: TensorType, *shape: int | None, dtype: str | None = None) -> TensorType:
    """A matrix, vector or scalar of a shape for each matrix of x; its own axes never stretch."""
    lengths: Shape = x.shape[:-2] + shape
    return TensorType(dtype or exact(x), lengths, x.broadcastable[:-2] + (False,) * len(shape))


def square_type(x: TensorType, **params: Any) -> TensorType:
    """The type of a function of square matrices whose values are as large."""
    check_square(x)
    n = side(x)
    return stack_of(x, n, n)


def same_size(x: Shape, y: Shape) -> bool:
    """Whether two shapes may have equally many elements."""
    if None in x or None in y:
        return True
    sizes = [int(np.prod([n or 0 for n in shape], dtype=object)) for shape in (x, y)]
    return sizes[0] == sizes[1]


# Values.


@contextmanager
def reported(why: str, hint: str) -> Iterator[None]:
    """Say what LAPACK could not do as an error of ours."""
    try:
        yield
    except LinearAlgebraError:
        raise
    except np.linalg.LinAlgError as error:
        raise LinearAlgebraError(f"{why}.", got=str(error), hint=hint) from None


def converging(what: str) -> AbstractContextManager[None]:
    """Say that an iteration of LAPACK's did not come to an end."""
    return reported(f"The {what} could not be computed", "Look for NaN or infinity in the matrix.")


def computable(x: Any) -> Any:
    """The array in the dtype in which linear algebra computes."""
    return x.astype(np.float64) if x.dtype.kind in "biu" else x


def alike(*arrays: Any) -> list[Any]:
    """The arrays in the one dtype in which linear algebra computes with all of them."""
    dtype = exact(*(TensorType(x.dtype) for x in arrays))
    return [x.astype(dtype, copy=False) for x in arrays]


def each_matrix(function: Callable[..., Any], *stacks: Any) -> Any:
    """A function of matrices, applied to every one of a stack; it may give several arrays.

    The stacks are stretched against each other.
    """
    lead = np.broadcast_shapes(*(s.shape[:-2] for s in stacks))
    if not lead:
        return function(*stacks)
    stacks = tuple(np.broadcast_to(s, lead + s.shape[-2:]) for s in stacks)
    if 0 in lead:
        # Of an empty stack the shapes of the results must be known all the same.
        found = function(*(np.eye(*s.shape[-2:], dtype=s.dtype) for s in stacks))
        several = isinstance(found, tuple)
        empty = [np.empty(lead + np.shape(f), np.asarray(f).dtype)
                 for f in (found if several else (found,))]  # fmt: skip
        return tuple(empty) if several else empty[0]
    results = [function(*(s[at] for s in stacks)) for at in np.ndindex(lead)]
    if isinstance(results[0], tuple):
        return tuple(np.reshape(r, lead + np.shape(r[0])) for r in zip(*results, strict=True))
    return np.reshape(results, lead + np.shape(results[0]))


# Expressions.


def swapped(x: Variable) -> Variable:
    """Rows and columns of each matrix exchanged."""
    return x.dimshuffle(*range(x.ndim - 2), x.ndim - 1, x.ndim - 2)


def conjugated(x: Variable) -> Variable:
    """The complex conjugate; x itself where it is real."""
    return OPS["conj"](x) if x.dtype in COMPLEX else x


def adjoint(x: Variable) -> Variable:
    """The conjugate transpose of each matrix."""
    return swapped(conjugated(x))


def floats(x: Variable) -> Variable:
    """x itself, or its whole numbers as float64."""
    return OPS["cast"](x, "float64") if x.dtype in DISCRETE else x


def squares(x: Variable) -> Variable:
    """The squares of the absolute values."""
    if x.dtype in COMPLEX:
        return OPS["sqr"](OPS["real"](x)) + OPS["sqr"](OPS["imag"](x))
    return OPS["sqr"](floats(x))


def product(*matrices: Variable) -> Variable:
    """The matrices multiplied, from the left to the right."""
    out = matrices[0]
    for m in matrices[1:]:
        out = OPS["matmul"](out, m)
    return out


def rows_scaled(vector: Variable, x: Variable) -> Variable:
    """Each row of a matrix times the entry of the vector: diag(vector) x."""
    return vector.dimshuffle(*range(vector.ndim), "x") * x


def columns_scaled(x: Variable, vector: Variable) -> Variable:
    """Each column of a matrix times the entry of the vector: x diag(vector)."""
    return x * vector.dimshuffle(*range(vector.ndim - 1), "x", vector.ndim - 1)


def on_diagonal(vector: Variable, like: Variable) -> Variable:
    """The square matrix with the vector on its diagonal."""
    return columns_scaled(identity(like, like, real_dtype(vector.dtype)), vector)


def inverse_or_zero(x: Variable) -> Variable:
    """One over x, and 0 where x is 0."""
    nothing = OPS["eq"](x, 0)
    return OPS["switch"](nothing, 0, 1 / OPS["switch"](nothing, 1, x))


def gaps_inverted(w: Variable) -> Variable:
    """1 / (w_j - w_i) in row i and column j, 0 where two are equal."""
    last = w.ndim - 1
    rows, columns = (*range(w.ndim), "x"), (*range(last), "x", last)
    return inverse_or_zero(w.dimshuffle(*columns) - w.dimshuffle(*rows))


def folded(x: Variable, lower: bool = True, conjugate: bool = True) -> Variable:
    """The gradient by one triangle of a Hermitian matrix, from the one by all of it.

    An op that reads only one triangle sees each of its entries twice, but for the diagonal.
    Without `conjugate` the matrix is symmetric, also where it is complex.
    """
    half = triangle(x + (adjoint(x) if conjugate else swapped(x)), lower, 0)
    return half - triangle(half, not lower, 0) / 2


# Ops that only gradients and other ops use.


def _identity_type(x: TensorType, y: TensorType, dtype: str) -> TensorType:
    if not (x.ndim and y.ndim):
        raise ShapeError("A number has no columns.", expected="an axis or more", got=f"{x}, {y}")
    return TensorType(dtype, (x.shape[-1], y.shape[-1]), (x.broadcastable[-1], y.broadcastable[-1]))


identity: Op = Op(
    name="identity_between",
    symbol="I",
    category=CATEGORY,
    hidden=True,
    method=False,
    doc="Ones on the diagonal of a matrix with a row for each column of x and a column for each "
    "column of y.",
    ports=(Port("x"), Port("y")),
    params=(Param("dtype", "dtype", "floatX", "the dtype"),),
    examples=(Example(((2, 3), (4,)), {"dtype": "float64"}), Example(((3,), (3,)))),
    infer=_identity_type,
    numpy=lambda x, y, dtype: np.eye(x.shape[-1], y.shape[-1], dtype=dtype),
    from_shape=True,
    grad=lambda g, out, x, y, dtype: [None, None],
)


def _triangle_type(x: TensorType, lower: bool, offset: int) -> TensorType:
    check_matrix(x)
    return x


def _triangle_value(x: Any, lower: bool, offset: int) -> Any:
    return np.tril(x, -offset) if lower else np.triu(x, offset)


triangle: Op = Op(
    name="triangle",
    symbol="◺",
    category=CATEGORY,
    hidden=True,
    method=False,
    doc="One triangle of each matrix, with zeros in the other one.",
    ports=(Port("x"),),
    params=(
        Param("lower", "bool", True, "the triangle below the diagonal, else the one above it"),
        Param("offset", "int", 0, "how far from the diagonal it begins"),
    ),
    examples=(
        Example(((3, 4),)),
        Example(((2, 3, 3),), {"lower": False, "offset": 1}),
    ),
    infer=_triangle_type,
    numpy=_triangle_value,
    conjugates=False,
    grad=lambda g, y, x, lower, offset: [triangle(g, lower, offset)],
    dtypes=EVERY,
)


def _permutation_type(pivots: TensorType, dtype: str) -> TensorType:
    if pivots.dtype not in DISCRETE:
        raise TypeMismatchError(
            "Row numbers must be whole numbers.", port="pivots", expected="int32", got=str(pivots)
        )
    n = pivots.shape[-1]
    return TensorType(dtype, (*pivots.shape, n), (*pivots.broadcastable, pivots.broadcastable[-1]))


def _permutation_value(pivots: Any, dtype: str) -> Any:
    n = pivots.shape[-1]
    out = np.zeros((*pivots.shape, n), dtype)
    for at in np.ndindex(pivots.shape[:-1]):
        order = np.arange(n)
        for row, other in enumerate(pivots[at]):
            order[[row, other]] = order[[other, row]]
        out[at][order, np.arange(n)] = 1
    return out


permutation: Op = Op(
    name="permutation_matrix",
    symbol="P",
    category=CATEGORY,
    hidden=True,
    method=False,
    doc="The matrix P of a = P L U, from the row that each row was exchanged with in turn.",
    ports=(Port("pivots"),),
    params=(Param("dtype", "dtype", "floatX", "the dtype"),),
    examples=(
        Example(draw=lambda rng: [np.array([2, 2, 2], "int32")]),
        Example(
            draw=lambda rng: [np.array([[1, 1], [0, 1]], "int32")], params={"dtype": "float32"}
        ),
    ),
    infer=_permutation_type,
    numpy=_permutation_value,
    grad=lambda g, out, pivots, dtype: [zero_gradient(pivots)],
    dtypes=frozenset({"int32"}),
)
