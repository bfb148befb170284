"""Matrices as products of simpler ones: triangles, rotations, diagonals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from engine.expression import Variable
from engine.op import Example, Op, Param
from engine.ops.inverses import X, dominant
from engine.ops.matrices import (
    CATEGORY,
    NUMBERS,
    REAL,
    adjoint,
    check_matrix,
    columns_scaled,
    computable,
    converging,
    each_matrix,
    exact,
    folded,
    gaps_inverted,
    identity,
    inverse_or_zero,
    on_diagonal,
    product,
    rows_scaled,
    smaller_side,
    square_type,
    stack_of,
    swapped,
    triangle,
)
from engine.ops.solving import not_positive_definite, solved_by
from engine.types import COMPLEX, TensorType, real_dtype

LOWER = Param("lower", "bool", True, "the lower triangle, else the upper one")


# Cholesky


def _cholesky_value(x: Any, lower: bool, on_error: str) -> Any:
    x = computable(x)

    def factor(matrix: Any) -> Any:
        try:
            return np.linalg.cholesky(matrix if lower else np.conj(np.swapaxes(matrix, -1, -2)))
        except np.linalg.LinAlgError:
            if on_error == "raise":
                raise not_positive_definite() from None
            return np.full_like(matrix, np.nan)

    # A stack at once where all of it must be positive definite, else one by one.
    found = factor(x) if on_error == "raise" else each_matrix(factor, x)
    return found if lower else np.conj(np.swapaxes(found, -1, -2))


def _cholesky_grad(
    g: Variable, y: Variable, x: Variable, lower: bool, on_error: str
) -> list[Variable | None]:
    """Murray 2016, arXiv:1602.07527: section 3.1, equation 10."""
    if not lower:
        y, g = adjoint(y), adjoint(g)
    inner = triangle(product(adjoint(y), g), True, 0)
    inner = inner - triangle(inner, False, 0) / 2
    half = solved_by(y, inner, lower=True, adjointly=True)
    both = adjoint(solved_by(y, adjoint(half), lower=True, adjointly=True))
    return [folded(both, lower)]


cholesky: Op = Op(
    name="cholesky",
    symbol="LLᴴ",
    category=CATEGORY,
    method=False,
    doc="The triangle whose product with its own conjugate transpose is the positive definite x; "
    "only that triangle of x is read.",
    ports=X,
    params=(
        LOWER,
        Param(
            "on_error",
            "string",
            "raise",
            "what a matrix that is not positive definite gives: an error, or NaN",
            choices=("raise", "nan"),
        ),
    ),
    examples=(
        Example(draw=dominant(3)),
        Example(draw=dominant(2, 4)),
        Example(draw=dominant(3), params={"lower": False}),
        Example(draw=dominant(2, 4), params={"lower": False, "on_error": "nan"}),
    ),
    infer=square_type,
    numpy=_cholesky_value,
    conjugates=False,
    grad=_cholesky_grad,
    dtypes=NUMBERS,
)


# QR


def _qr_type(x: TensorType, mode: str) -> tuple[TensorType, TensorType]:
    check_matrix(x)
    rows, columns = x.shape[-2:]
    inner = rows if mode == "complete" else smaller_side(x)
    return stack_of(x, rows, inner), stack_of(x, inner, columns)


def _qr_value(x: Any, mode: Any) -> Any:
    return tuple(np.linalg.qr(computable(x), mode))


def _qr_grad(
    gs: Sequence[Variable], ys: Sequence[Variable], x: Variable, mode: str
) -> list[Variable | None]:
    """Walter and Lehmann 2010; for wide matrices Roberts and Roberts 2020, arXiv:2009.10071."""
    gq, gr = gs
    q, r = ys
    if mode == "complete":
        # What lies beyond the columns of x turns against them when they move.
        whole, turn = q, gq
        q, r = qr.each(x, "reduced")
        own = identity(whole, q, real_dtype(q.dtype))
        gq, gr = product(turn, own), product(swapped(own), gr)
        gq = gq - product(product(whole, adjoint(turn)) - product(q, adjoint(gq)), q)
    # The first columns of a wide matrix give q; the others are only turned by it.
    first = identity(x, q, real_dtype(q.dtype))
    seen = product(first, swapped(first))
    beyond = gr - product(gr, seen)
    gq = gq + product(x - product(x, seen), adjoint(beyond))
    square, on_square = product(r, first), product(gr, first)
    turned, scaled = product(adjoint(q), gq), product(on_square, adjoint(square))
    inner = scaled - turned + _skew(turned - scaled)
    on_first = product(q, inner) + gq
    on_first = adjoint(solved_by(square, adjoint(on_first), lower=False))
    return [product(on_first, swapped(first)) + product(q, beyond)]


def _skew(x: Variable) -> Variable:
    """What a change of the triangle means for the rotation, backwards."""
    found = triangle(x - adjoint(x), True, 1)
    if x.dtype in COMPLEX:
        found = found + triangle(triangle(x - adjoint(x), True, 0), False, 0) / 2
    return found


qr: Op = Op(
    name="qr",
    symbol="QR",
    category=CATEGORY,
    method=False,
    doc="Each matrix as the product of one with orthonormal columns and an upper triangle.",
    ports=X,
    params=(
        Param(
            "mode",
            "string",
            "reduced",
            "whether q has only the columns that are needed",
            choices=("reduced", "complete"),
        ),
    ),
    results=("q", "r"),
    examples=(
        Example(draw=lambda rng: [rng.uniform(-1, 1, (4, 3))]),
        Example(draw=lambda rng: [rng.uniform(-1, 1, (2, 2, 4))]),
        Example(draw=dominant(3), params={"mode": "complete"}),
        Example(draw=lambda rng: [rng.uniform(-1, 1, (2, 3))], params={"mode": "complete"}),
    ),
    infer=_qr_type,
    numpy=_qr_value,
    conjugates=False,
    grad=_qr_grad,
    dtypes=REAL,
)


# Singular values


def _svd_type(x: TensorType, full_matrices: bool) -> tuple[TensorType, ...]:
    check_matrix(x)
    rows, columns = x.shape[-2:]
    k = smaller_side(x)
    return (
        stack_of(x, rows, rows if full_matrices else k),
        stack_of(x, k, dtype=real_dtype(exact(x))),
        stack_of(x, columns if full_matrices else k, columns),
    )


def _svd_value(x: Any, full_matrices: bool) -> Any:
    with converging("singular values"):
        return tuple(np.linalg.svd(computable(x), full_matrices))


def _svd_grad(
    gs: Sequence[Variable], ys: Sequence[Variable], x: Variable, full_matrices: bool
) -> list[Variable | None]:
    """Townsend 2016, Differentiating the singular value decomposition; Wan and Zhang 2019."""
    (gu, g, gv), (u, s, v) = gs, ys
    v, gv = adjoint(v), adjoint(gv)
    if full_matrices:
        u, gu = _leading(u, gu, s)
        v, gv = _leading(v, gv, s)
    gaps = gaps_inverted(s) * _sums_inverted(s)
    on_u, on_v = product(adjoint(u), gu), product(adjoint(v), gv)
    inner = columns_scaled(gaps * (on_u - adjoint(on_u)), s)
    inner = inner + rows_scaled(s, gaps * (on_v - adjoint(on_v)))
    inner = inner + on_diagonal(g, inner)
    inverse = inverse_or_zero(s)
    if x.dtype in COMPLEX:
        # The phase of each pair of vectors is free; it is turned with u alone.
        turn = triangle(triangle(on_u - adjoint(on_u), True, 0), False, 0) / 2
        inner = inner + columns_scaled(turn, inverse)
    outside_u = columns_scaled(gu - product(u, on_u), inverse)
    outside_v = columns_scaled(gv - product(v, on_v), inverse)
    return [product(product(u, inner) + outside_u, adjoint(v)) + product(u, adjoint(outside_v))]


def _leading(u: Variable, g: Variable, s: Variable) -> tuple[Variable, Variable]:
    """The first columns, one for each singular value, and what their turning means for the rest."""
    first = identity(u, s, real_dtype(u.dtype))
    own, on_own = product(u, first), product(g, first)
    rest = product(u, adjoint(g)) - product(own, adjoint(on_own))
    return own, on_own - product(rest, own)


def _sums_inverted(s: Variable) -> Variable:
    last = s.ndim - 1
    rows, columns = (*range(s.ndim), "x"), (*range(last), "x", last)
    return inverse_or_zero(s.dimshuffle(*columns) + s.dimshuffle(*rows))


def _distinct(rows: int, columns: int, *stack: int) -> Any:
    """Draws matrices whose singular values are far from each other and from 0."""

    def draw(rng: np.random.Generator) -> Sequence[Any]:
        own = np.zeros((rows, columns))
        k = min(rows, columns)
        own[range(k), range(k)] = np.linspace(1, 3, k)
        return [own + rng.uniform(-0.3, 0.3, (*stack, rows, columns))]

    return draw


svd: Op = Op(
    name="svd",
    symbol="USV",
    category=CATEGORY,
    method=False,
    doc="Each matrix as the product of one with orthonormal columns, a diagonal of falling "
    "numbers, and one with orthonormal rows.",
    ports=X,
    params=(
        Param(
            "full_matrices",
            "bool",
            True,
            "whether u and vt are square, else only as large as needed",
        ),
    ),
    results=("u", "s", "vt"),
    examples=(
        Example(draw=_distinct(3, 3)),
        Example(draw=_distinct(4, 3), params={"full_matrices": False}),
        Example(draw=_distinct(2, 4, 2), params={"full_matrices": False}),
    ),
    infer=_svd_type,
    numpy=_svd_value,
    conjugates=False,
    grad=_svd_grad,
    dtypes=REAL,
)


def _singular_values_type(x: TensorType) -> TensorType:
    check_matrix(x)
    return stack_of(x, smaller_side(x), dtype=real_dtype(exact(x)))


def _singular_values_value(x: Any) -> Any:
    with converging("singular values"):
        return np.linalg.svd(computable(x), compute_uv=False)


def _singular_values_grad(g: Variable, y: Variable, x: Variable) -> list[Variable | None]:
    u, _, v = svd.each(x, False)
    return [product(columns_scaled(u, g), v)]


singular_values: Op = Op(
    name="singular_values",
    symbol="σᵢ",
    category=CATEGORY,
    method=False,
    aliases=("svdvals",),
    doc="The singular values of each matrix, the largest first.",
    ports=X,
    examples=(Example(draw=_distinct(4, 3)), Example(draw=_distinct(2, 3, 4))),
    infer=_singular_values_type,
    numpy=_singular_values_value,
    conjugates=False,
    grad=_singular_values_grad,
    dtypes=NUMBERS,
)
