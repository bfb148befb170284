"""Theano's `tensor.slinalg`: the linear algebra that SciPy has."""

from __future__ import annotations

from typing import Any

from engine.errors import ParameterError
from engine.expression import OPS, Variable, as_variable
from engine.ops.block_diagonal import block_diag
from engine.ops.decompositions import cholesky
from engine.ops.kronecker import kron
from engine.ops.lu import lu_factor
from engine.ops.matrices import adjoint, conjugated, swapped
from engine.ops.matrix_functions import expm
from engine.ops.solving import (
    solve_lower_triangular,
    solve_symmetric,
    solve_upper_triangular,
)

__all__ = [
    "block_diag",
    "cho_solve",
    "cholesky",
    "eigvalsh",
    "expm",
    "kron",
    "lu",
    "lu_factor",
    "lu_solve",
    "solve",
    "solve_lower_triangular",
    "solve_symmetric",
    "solve_triangular",
    "solve_upper_triangular",
]

STRUCTURES = {
    "general": "general",
    "gen": "general",
    "banded": "general",
    "diagonal": "general",
    "toeplitz": "general",
    "symmetric": "symmetric",
    "sym": "symmetric",
    "hermitian": "hermitian",
    "her": "hermitian",
    "positive definite": "positive_definite",
    "positive_definite": "positive_definite",
    "pos": "positive_definite",
    "lower_triangular": "lower_triangular",
    "lower triangular": "lower_triangular",
    "upper_triangular": "upper_triangular",
    "upper triangular": "upper_triangular",
}
"""What Theano's A_structure and SciPy's assume_a say of a matrix."""

TRANSPOSES = {0: "N", 1: "T", 2: "C", "N": "N", "T": "T", "C": "C"}


def solve(
    a: Any, b: Any, assume_a: str = "general", lower: bool = False, transposed: bool = False
) -> Variable:
    """The x with a x = b.

    assume_a: what is known of a, in Theano's words (general, symmetric, lower_triangular, ...) or
    SciPy's (gen, sym, her, pos, ...).  lower: which triangle of a symmetric, Hermitian or
    positive definite a is read.  transposed: solve with the transpose of a.
    """
    if assume_a not in STRUCTURES:
        raise ParameterError(
            f"Nothing is known of a structure {assume_a!r}.",
            port="assume_a",
            expected=", ".join(STRUCTURES),
            got=str(assume_a),
        )
    structure, m = STRUCTURES[assume_a], as_variable(a)
    if not lower and m.ndim > 1:
        if structure == "symmetric":
            m = swapped(m)
        elif structure in {"hermitian", "positive_definite"}:
            m = adjoint(m)
    return OPS["solve"](m, b, structure, transposed)


def _transpose(trans: int | str) -> str:
    if trans not in TRANSPOSES:
        raise ParameterError(
            f"trans cannot be {trans!r}.", port="trans", expected="N, T or C", got=str(trans)
        )
    return TRANSPOSES[trans]


def solve_triangular(
    a: Any, b: Any, trans: int | str = 0, lower: bool = False, unit_diagonal: bool = False
) -> Variable:
    """The x with a x = b, of a only one triangle being read.

    trans: 0 or "N" for a, 1 or "T" for its transpose, 2 or "C" for its conjugate transpose.
    """
    return OPS["solve_triangular"](a, b, lower, _transpose(trans), unit_diagonal)


def cho_solve(c_and_lower: tuple[Any, bool], b: Any) -> Variable:
    """The x with a x = b, from a Cholesky factor of a and whether it is the lower one."""
    c, lower = c_and_lower
    return OPS["cho_solve"](c, b, lower)


def lu(a: Any, permute_l: bool = False) -> list[Variable]:
    """p, l and u with a = p l u; with permute_l the product p l, and u."""
    p, l, u = OPS["lu"].each(a)
    return [OPS["matmul"](p, l), u] if permute_l else [p, l, u]


def lu_solve(lu_and_pivots: tuple[Any, Any], b: Any, trans: int | str = 0) -> Variable:
    """The x with a x = b, from what lu_factor gives for a."""
    both, pivots = (as_variable(v) for v in lu_and_pivots)
    transpose = _transpose(trans)
    if transpose == "C":
        both = conjugated(both)
    return OPS["lu_solve"](both, pivots, b, transpose != "N")


def eigvalsh(a: Any, b: Any = None, lower: bool = True) -> Variable:
    """The eigenvalues of a Hermitian a or, with b, the numbers w for which a v = w b v."""
    if b is None:
        return OPS["eigvalsh"](a, lower)
    return OPS["generalized_eigvalsh"](a, b, lower)
