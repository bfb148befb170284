"""Directions in which a matrix only stretches, and by how much."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from engine.expression import OPS, Variable
from engine.makers import composed
from engine.op import Example, Op, Param, Port
from engine.ops.decompositions import LOWER
from engine.ops.inverses import REGULAR_ONES, X, dominant
from engine.ops.matrices import (
    CATEGORY,
    NUMBERS,
    REAL,
    adjoint,
    check_square,
    columns_scaled,
    computable,
    conjugated,
    converging,
    exact,
    folded,
    gaps_inverted,
    on_diagonal,
    product,
    rows_scaled,
    side,
    stack_of,
    triangle,
)
from engine.ops.solving import solve, solved_by
from engine.types import TensorType, complex_dtype, real_dtype


def _values_type(x: TensorType, dtype: str) -> TensorType:
    check_square(x)
    return stack_of(x, side(x), dtype=dtype)


def _vectors_type(x: TensorType, dtype: str) -> TensorType:
    return stack_of(x, side(x), side(x), dtype=dtype)


# Of matrices that are their own conjugate transpose


def _eigh_type(x: TensorType, **params: Any) -> tuple[TensorType, TensorType]:
    return _values_type(x, real_dtype(exact(x))), _vectors_type(x, exact(x))


def _eigh_value(x: Any, UPLO: Any) -> Any:
    with converging("eigenvalues"):
        return tuple(np.linalg.eigh(computable(x), UPLO))


def _eigh_grad(
    gs: Sequence[Variable], ys: Sequence[Variable], x: Variable, UPLO: str
) -> list[Variable | None]:
    """First-order perturbation theory; vectors of one eigenvalue turn freely, and count for 0."""
    (gw, gv), (w, v) = gs, ys
    inner = gaps_inverted(w) * product(adjoint(v), gv)
    inner = inner + on_diagonal(gw, inner)
    return [folded(product(v, inner, adjoint(v)), UPLO == "L")]


eigh: Op = Op(
    name="eigh",
    symbol="VΛVᴴ",
    category=CATEGORY,
    method=False,
    doc="The eigenvalues of each Hermitian matrix, the smallest first, and a column for each with "
    "its eigenvector; only one triangle is read.",
    ports=X,
    params=(Param("UPLO", "string", "L", "the lower triangle or the upper", choices=("L", "U")),),
    results=("w", "v"),
    examples=(
        Example(draw=dominant(3)),
        Example(draw=dominant(2, 4)),
        Example(draw=dominant(3), params={"UPLO": "U"}),
    ),
    infer=_eigh_type,
    numpy=_eigh_value,
    conjugates=False,
    grad=_eigh_grad,
    dtypes=REAL,
)


def _eigvalsh_value(x: Any, lower: bool) -> Any:
    with converging("eigenvalues"):
        return np.linalg.eigvalsh(computable(x), "L" if lower else "U")


def _eigvalsh_grad(g: Variable, y: Variable, x: Variable, lower: bool) -> list[Variable | None]:
    _, v = eigh.each(x, "L" if lower else "U")
    return [folded(product(columns_scaled(v, g), adjoint(v)), lower)]


eigvalsh: Op = Op(
    name="eigvalsh",
    symbol="λᵢ",
    category=CATEGORY,
    method=False,
    doc="The eigenvalues of each Hermitian matrix, the smallest first; only one triangle is read.",
    ports=X,
    params=(LOWER,),
    examples=(
        Example(draw=dominant(3)),
        Example(draw=dominant(2, 4)),
        Example(draw=dominant(3), params={"lower": False}),
    ),
    infer=lambda x, lower: _values_type(x, real_dtype(exact(x))),
    numpy=_eigvalsh_value,
    conjugates=False,
    grad=_eigvalsh_grad,
    dtypes=NUMBERS,
)


def _generalized(a: Variable, b: Variable, lower: bool = True) -> Variable:
    """Of l⁻¹ a l⁻ᴴ, where b is l lᴴ: the same eigenvalues, of one matrix."""
    half = triangle(a, lower, 0)
    whole = half + adjoint(triangle(a, lower, 1))
    factor = OPS["cholesky"](b, lower)
    factor = factor if lower else adjoint(factor)
    left = solved_by(factor, whole, lower=True)
    return eigvalsh(solved_by(factor, adjoint(left), lower=True))


generalized_eigvalsh = composed(
    "generalized_eigvalsh",
    symbol="λᵢ",
    category=CATEGORY,
    method=False,
    doc="The numbers w for which a v = w b v has a solution, the smallest first; b is positive "
    "definite, and only one triangle of both is read.",
    ports=(Port("a"), Port("b")),
    params=(LOWER,),
    examples=(
        Example(draw=lambda rng: [rng.uniform(-1, 1, (3, 3)), *dominant(3)(rng)]),
        Example(
            draw=lambda rng: [rng.uniform(-1, 1, (3, 3)), *dominant(3)(rng)],
            params={"lower": False},
        ),
    ),
    body=_generalized,
    dtypes=NUMBERS,
)


# Of any square matrix


def _eig_type(x: TensorType) -> tuple[TensorType, TensorType]:
    dtype = complex_dtype(exact(x))
    return _values_type(x, dtype), _vectors_type(x, dtype)


def _eig_value(x: Any) -> Any:
    x = computable(x)
    with converging("eigenvalues"):
        found = np.linalg.eig(x)
    return tuple(v.astype(complex_dtype(x.dtype.name), copy=False) for v in found)


def _eig_grad(gs: Sequence[Variable], ys: Sequence[Variable], x: Variable) -> list[Variable | None]:
    """Boeddeker, Hanebrink et al. 2017, arXiv:1701.00392, with eigenvectors of length 1."""
    (gw, gv), (w, v) = gs, ys
    stretch = OPS["real"](OPS["sum"](conjugated(v) * gv, axis=-2))
    across = product(adjoint(v), gv - columns_scaled(v, stretch))
    inner = conjugated(gaps_inverted(w)) * across
    inner = inner + on_diagonal(gw, inner)
    return [solve(conjugated(v), product(inner, adjoint(v)), transposed=True)]


eig: Op = Op(
    name="eig",
    symbol="VΛV⁻¹",
    category=CATEGORY,
    method=False,
    doc="The eigenvalues of each matrix, as complex numbers, and a column for each with its "
    "eigenvector.",
    ports=X,
    results=("w", "v"),
    examples=REGULAR_ONES,
    infer=_eig_type,
    numpy=_eig_value,
    conjugates=False,
    grad=_eig_grad,
    dtypes=REAL,
)


def _eigvals_value(x: Any) -> Any:
    x = computable(x)
    with converging("eigenvalues"):
        return np.linalg.eigvals(x).astype(complex_dtype(x.dtype.name), copy=False)


def _eigvals_grad(g: Variable, y: Variable, x: Variable) -> list[Variable | None]:
    _, v = eig.each(x)
    return [solve(conjugated(v), rows_scaled(g, adjoint(v)), transposed=True)]


eigvals: Op = Op(
    name="eigvals",
    symbol="λᵢ",
    category=CATEGORY,
    method=False,
    doc="The eigenvalues of each matrix, as complex numbers, in no particular order.",
    ports=X,
    examples=REGULAR_ONES,
    infer=lambda x: _values_type(x, complex_dtype(exact(x))),
    numpy=_eigvals_value,
    conjugates=False,
    grad=_eigvals_grad,
    dtypes=NUMBERS,
)
