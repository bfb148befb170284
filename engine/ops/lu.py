"""Matrices as a permutation times two triangles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from engine.expression import Variable
from engine.makers import composed
from engine.op import Example, Op, Param, Port
from engine.ops.inverses import X, dominant
from engine.ops.matrices import (
    CATEGORY,
    NUMBERS,
    adjoint,
    check_square,
    computable,
    each_matrix,
    exact,
    identity,
    permutation,
    product,
    side,
    stack_of,
    swapped,
    triangle,
)
from engine.ops.solving import solve, solved_by
from engine.types import TensorType, real_dtype


def _lu_type(x: TensorType) -> tuple[TensorType, ...]:
    check_square(x)
    n = side(x)
    full = stack_of(x, n, n)
    return full.with_dtype(real_dtype(full.dtype)), full, full


def _lu_value(x: Any) -> Any:
    from scipy.linalg import lu as factors

    x = computable(x)
    p, lower, upper = each_matrix(lambda m: factors(m, check_finite=False), x)
    return p.astype(x.real.dtype, copy=False), lower, upper


def _lu_gradient(p: Variable, l: Variable, u: Variable, gl: Variable, gu: Variable) -> Variable:
    """With w = l⁻¹ pᵀ dx u⁻¹, dl is l times the strict lower part of w, du the rest times u."""
    inner = triangle(product(adjoint(l), gl), True, 1) + triangle(product(gu, adjoint(u)), False, 0)
    inner = solved_by(l, inner, lower=True, adjointly=True)
    return product(p, adjoint(solved_by(u, adjoint(inner), lower=False)))


lu: Op = Op(
    name="lu",
    symbol="PLU",
    category=CATEGORY,
    method=False,
    doc="Each square matrix as a permutation times a lower triangle with ones on its diagonal "
    "times an upper triangle.",
    ports=X,
    results=("p", "l", "u"),
    examples=(Example(draw=dominant(3)), Example(draw=dominant(2, 4))),
    infer=_lu_type,
    numpy=_lu_value,
    conjugates=False,
    grad=lambda gs, ys, x: [_lu_gradient(*ys, *gs[1:])],
    dtypes=NUMBERS,
)


def _lu_factor_type(x: TensorType) -> tuple[TensorType, TensorType]:
    check_square(x)
    n = side(x)
    return stack_of(x, n, n), stack_of(x, n, dtype="int32")


def _lu_factor_value(x: Any) -> Any:
    from scipy.linalg import get_lapack_funcs

    x = computable(x)
    (factor,) = get_lapack_funcs(("getrf",), (x,))

    def factored(m: Any) -> Any:
        if not m.size:
            return m, np.empty(0, np.int32)
        lu, pivots, _ = factor(m)
        return lu, pivots.astype(np.int32)

    return each_matrix(factored, x)


def _lu_factor_grad(
    gs: Sequence[Variable], ys: Sequence[Variable], x: Variable
) -> list[Variable | None]:
    g, (both, pivots) = gs[0], ys
    p = permutation(pivots, real_dtype(both.dtype))
    one = identity(both, both, real_dtype(both.dtype))
    lower, upper = triangle(both, True, 1) + one, triangle(both, False, 0)
    return [_lu_gradient(p, lower, upper, triangle(g, True, 1), triangle(g, False, 0))]


lu_factor: Op = Op(
    name="lu_factor",
    symbol="LU",
    category=CATEGORY,
    method=False,
    doc="Both triangles of lu in one matrix, and the row that each row was exchanged with.",
    ports=X,
    results=("lu", "pivots"),
    examples=(Example(draw=dominant(3)), Example(draw=dominant(2, 4))),
    infer=_lu_factor_type,
    numpy=_lu_factor_value,
    conjugates=False,
    grad=_lu_factor_grad,
    dtypes=NUMBERS,
)


def _lu_solve(lu: Variable, pivots: Variable, b: Variable, transposed: bool = False) -> Variable:
    p = permutation(pivots, real_dtype(exact(lu.type)))
    if transposed:
        x = solve(lu, b, "upper_triangular", True)
        return product(p, solve(lu, x, "lower_triangular", True, True))
    x = solve(lu, product(swapped(p), b), "lower_triangular", False, True)
    return solve(lu, x, "upper_triangular")


def _factored(rng: np.random.Generator) -> Sequence[Any]:
    return [*dominant(3)(rng), np.array([1, 1, 2], "int32"), rng.uniform(1, 2, (3, 2))]


lu_solve = composed(
    "lu_solve",
    symbol="LU\\b",
    category=CATEGORY,
    method=False,
    doc="The x with a x = b, from the factors of a that lu_factor gives.",
    ports=(
        Port("lu", "both factors in one matrix"),
        Port("pivots", "the row that each row was exchanged with"),
        Port("b", "the right-hand sides"),
    ),
    params=(Param("transposed", "bool", False, "solve with the transpose of a instead"),),
    examples=(Example(draw=_factored), Example(draw=_factored, params={"transposed": True})),
    body=_lu_solve,
    dtypes=NUMBERS,
)
