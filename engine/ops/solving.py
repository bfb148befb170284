"""Systems of linear equations: a x = b for x."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from engine.errors import LinearAlgebraError, ShapeError
from engine.expression import OPS, Variable
from engine.makers import composed, unbroadcast
from engine.op import Example, Op, Param, Port
from engine.ops.inverses import REGULAR, dominant
from engine.ops.matrices import (
    CATEGORY,
    NUMBERS,
    adjoint,
    alike,
    check_square,
    conjugated,
    each_matrix,
    exact,
    folded,
    product,
    reported,
    side,
    swapped,
    triangle,
)
from engine.types import TensorType, broadcast, shape_text

STRUCTURES = (
    "general",
    "lower_triangular",
    "upper_triangular",
    "symmetric",
    "hermitian",
    "positive_definite",
)
TRIANGLES = {"lower_triangular": True, "upper_triangular": False}
SINGULAR = "The matrix is singular: the equations have no one solution"
AB = (Port("a", "the matrix of coefficients"), Port("b", "the right-hand sides"))


def _check_rows(rows: int | None, b: TensorType, axis: int) -> None:
    if rows is not None and b.shape[axis] is not None and rows != b.shape[axis]:
        raise ShapeError(
            f"a has {rows} rows, but b has {b.shape[axis]}.",
            port="b",
            expected=f"{rows} rows",
            got=shape_text(b.shape),
        )


def right_sides(a: TensorType, b: TensorType, rows: int | None, columns: int | None) -> TensorType:
    """The type of the solution of a x = b, with a row for each column of a."""
    dtype = exact(a, b)
    if not b.ndim:
        raise ShapeError("b is a number.", port="b", expected="a vector or matrix", got=str(b))
    if b.ndim == 1:
        if a.ndim > 2:
            raise ShapeError(
                "b is one vector, but a is a stack of matrices.",
                port="b",
                expected="a matrix, or a stack of matrices",
                got=shape_text(b.shape),
                hint="Make it a matrix of one column with b.dimshuffle(0, 'x').",
            )
        _check_rows(rows, b, 0)
        return TensorType(dtype, (columns,), (False,))
    _check_rows(rows, b, -2)
    lead = broadcast(
        [TensorType(t.dtype, t.shape[:-2], t.broadcastable[:-2]) for t in (a, b)], ("a", "b")
    )
    return TensorType(
        dtype,
        (*lead.shape, columns, b.shape[-1]),
        (*lead.broadcastable, False, b.broadcastable[-1]),
    )


def _solve_type(
    a: TensorType, b: TensorType, structure: str, transposed: bool, unit_diagonal: bool
) -> TensorType:
    check_square(a, "a")
    n = side(a)
    rows = b.shape[-1 if b.ndim == 1 else -2] if n is None and b.ndim else n
    return right_sides(a, b, n, rows)


def _solve_value(a: Any, b: Any, structure: str, transposed: bool, unit_diagonal: bool) -> Any:
    a, b = alike(a, b)
    columns = b[:, None] if b.ndim == 1 else b
    with reported(SINGULAR, REGULAR):
        if structure == "general":
            x = np.linalg.solve(np.swapaxes(a, -1, -2) if transposed else a, columns)
        else:
            x = each_matrix(_structured(structure, transposed, unit_diagonal), a, columns)
    return x[:, 0] if b.ndim == 1 else x


def _structured(structure: str, transposed: bool, unit_diagonal: bool) -> Callable[..., Any]:
    """LAPACK's routine for matrices of a structure, of which it reads one triangle."""
    from scipy.linalg import get_lapack_funcs

    routine = {"symmetric": "sysv", "hermitian": "hesv", "positive_definite": "posv"}
    name = routine.get(structure, "trtrs")

    def solved(a: Any, b: Any) -> Any:
        if not b.size:
            return np.empty_like(b)
        kind = name if name != "hesv" or a.dtype.kind == "c" else "sysv"
        if kind == "trtrs":
            # A transposed view is what Fortran takes for the matrix itself.
            lower = TRIANGLES[structure] != transposed
            (function,) = get_lapack_funcs((kind,), (a, b))
            x, info = function(a.T if transposed else a, b, lower=lower, unitdiag=unit_diagonal)
        else:
            (function,) = get_lapack_funcs((kind,), (a, b))
            # Of the transpose of a Hermitian matrix it reads the other triangle's conjugates.
            m = a.T if transposed else a
            *_, x, info = function(m, b, lower=not transposed)
        if info > 0:
            if kind == "posv":
                raise not_positive_definite()
            raise np.linalg.LinAlgError(f"there is no pivot in column {info - 1}")
        return x

    return solved


def not_positive_definite() -> LinearAlgebraError:
    """What to say of a matrix that has no Cholesky factor."""
    return LinearAlgebraError(
        "The matrix is not positive definite.",
        expected="x·(a x) > 0 for every x but 0",
        hint="Add a little to its diagonal; a covariance of few samples is only semidefinite.",
    )


def _solve_grad(
    g: Variable,
    y: Variable,
    a: Variable,
    b: Variable,
    structure: str,
    transposed: bool,
    unit_diagonal: bool,
) -> list[Variable | None]:
    """Giles 2008, section 2.3: the right-hand sides' gradient solves the adjoint equations."""
    facts = {"structure": structure, "unit_diagonal": unit_diagonal}
    on_b = solve(conjugated(a), g, transposed=not transposed, **facts)
    if b.ndim == 1:
        on_a = -OPS["outer"](on_b, conjugated(y))
    else:
        on_a = unbroadcast(-product(on_b, adjoint(y)), a)
    if transposed:
        on_a = swapped(on_a)
    if structure in TRIANGLES:
        on_a = triangle(on_a, TRIANGLES[structure], int(unit_diagonal))
    elif structure == "symmetric":
        on_a = folded(on_a, conjugate=False)
    elif structure != "general":
        on_a = folded(on_a)
    return [on_a, on_b if b.ndim == 1 else unbroadcast(on_b, b)]


def pairs(*columns: int) -> Callable[..., Sequence[Any]]:
    """Draws a regular matrix and right-hand sides."""

    def draw(rng: np.random.Generator) -> Sequence[Any]:
        return [*dominant(3)(rng), rng.uniform(1, 2, (3, *columns))]

    return draw


def _stacked(rng: np.random.Generator) -> Sequence[Any]:
    return [*dominant(2, 4)(rng), rng.uniform(1, 2, (2, 1))]


solve: Op = Op(
    name="solve",
    symbol="A\\b",
    category=CATEGORY,
    method=False,
    tex="{{{a}}}^{{-1}} {b}",
    doc="The x with a x = b, for one right-hand side or a matrix of them. Of a matrix whose "
    "structure is known only one triangle is read, the lower one unless it says upper.",
    ports=AB,
    params=(
        Param("structure", "string", "general", "what is known of a", choices=STRUCTURES),
        Param("transposed", "bool", False, "solve with the transpose of a instead"),
        Param("unit_diagonal", "bool", False, "take the diagonal of a triangle for ones"),
    ),
    examples=(
        Example(draw=pairs(2)),
        Example(draw=pairs()),
        Example(draw=_stacked),
        *(Example(draw=pairs(2), params={"structure": s}) for s in STRUCTURES[1:]),
        Example(draw=pairs(2), params={"transposed": True}),
        Example(
            draw=pairs(),
            params={"structure": "lower_triangular", "transposed": True, "unit_diagonal": True},
        ),
        Example(draw=_stacked, params={"structure": "hermitian", "transposed": True}),
    ),
    infer=_solve_type,
    numpy=_solve_value,
    conjugates=False,
    grad=_solve_grad,
    dtypes=NUMBERS,
)


def solved_by(factor: Variable, x: Variable, lower: bool, adjointly: bool = False) -> Variable:
    """The inverse of a triangular matrix, or its conjugate transpose, times x."""
    structure = "lower_triangular" if lower else "upper_triangular"
    return solve(conjugated(factor) if adjointly else factor, x, structure, adjointly)


def _solve_triangular(
    a: Variable, b: Variable, lower: bool = False, trans: str = "N", unit_diagonal: bool = False
) -> Variable:
    structure = "lower_triangular" if lower else "upper_triangular"
    if trans == "C":
        a = conjugated(a)
    return solve(a, b, structure, trans != "N", unit_diagonal)


solve_triangular = composed(
    "solve_triangular",
    symbol="◺\\b",
    category=CATEGORY,
    method=False,
    doc="The x with a x = b, of a only one triangle being read.",
    ports=AB,
    params=(
        Param("lower", "bool", False, "the lower triangle, else the upper one"),
        Param(
            "trans",
            "string",
            "N",
            "solve with a, its transpose T or its conjugate transpose C",
            choices=("N", "T", "C"),
        ),
        Param("unit_diagonal", "bool", False, "take the diagonal for ones"),
    ),
    examples=(
        Example(draw=pairs(2)),
        Example(draw=pairs(), params={"lower": True}),
        Example(draw=pairs(2), params={"trans": "C", "unit_diagonal": True}),
    ),
    body=_solve_triangular,
    dtypes=NUMBERS,
)


def _structured_solve(structure: str, symbol: str, what: str) -> Op:
    return composed(
        f"solve_{structure}",
        symbol=symbol,
        category=CATEGORY,
        method=False,
        doc=f"The x with a x = b, where a is {what}.",
        ports=AB,
        examples=(Example(draw=pairs(2)), Example(draw=pairs())),
        body=lambda a, b: solve(a, b, structure),
        dtypes=NUMBERS,
    )


solve_lower_triangular = _structured_solve("lower_triangular", "◺\\b", "zero above its diagonal")
solve_upper_triangular = _structured_solve("upper_triangular", "◹\\b", "zero below its diagonal")
solve_symmetric = _structured_solve(
    "symmetric", "A₌\\b", "its own transpose; only the lower triangle is read"
)


# With factors that are there already


def _cho_solve(c: Variable, b: Variable, lower: bool = False) -> Variable:
    first, last = ("N", "C") if lower else ("C", "N")
    return solve_triangular(c, solve_triangular(c, b, lower, first), lower, last)


cho_solve = composed(
    "cho_solve",
    symbol="LLᴴ\\b",
    category=CATEGORY,
    method=False,
    doc="The x with a x = b, from the Cholesky factor c of a.",
    ports=(Port("c", "the factor, a triangle"), Port("b", "the right-hand sides")),
    params=(Param("lower", "bool", False, "whether c is the lower factor, else the upper one"),),
    examples=(Example(draw=pairs(2)), Example(draw=pairs(), params={"lower": True})),
    body=_cho_solve,
    dtypes=NUMBERS,
)
