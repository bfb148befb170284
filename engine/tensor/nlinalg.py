"""Theano's `tensor.nlinalg`: the linear algebra that NumPy has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from engine.errors import ParameterError, ShapeError
from engine.expression import OPS, Variable, as_variable
from engine.ops.decompositions import svd as decomposed
from engine.ops.determinants import det, slogdet
from engine.ops.diagonals import alloc_diag, diag, extract_diag
from engine.ops.eigenvalues import eig, eigh, eigvals
from engine.ops.inverses import matrix_inverse, pinv
from engine.ops.least_squares import lstsq
from engine.ops.matrix_functions import matrix_power
from engine.ops.norms import cond, matrix_rank, trace
from engine.ops.products import matrix_dot
from engine.ops.tensor_equations import tensorinv, tensorsolve
from engine.types import normalize_axis

__all__ = [
    "alloc_diag",
    "cond",
    "det",
    "diag",
    "eig",
    "eigh",
    "eigvals",
    "extract_diag",
    "inv",
    "lstsq",
    "matrix_dot",
    "matrix_inverse",
    "matrix_power",
    "matrix_rank",
    "norm",
    "pinv",
    "qr",
    "slogdet",
    "svd",
    "tensorinv",
    "tensorsolve",
    "trace",
]

inv = matrix_inverse


def qr(a: Any, mode: str = "reduced") -> Any:
    """q and r; of mode "r" only r.

    LAPACK's own form, NumPy's mode "raw", is refused: its columns hold reflections, no matrix.
    """
    if mode == "r":
        return OPS["qr"].each(a)[1]
    if mode not in ("reduced", "complete"):
        raise ParameterError(
            f"qr has no mode {mode!r}.",
            port="mode",
            expected="reduced, complete or r",
            got=str(mode),
            hint="Mode complete gives a square q, reduced only the columns that are needed.",
        )
    return OPS["qr"](a, mode)


def svd(a: Any, full_matrices: bool = True, compute_uv: bool = True) -> Any:
    """u, s and vt with a = u diag(s) vt; without compute_uv only the singular values s."""
    return decomposed(a, full_matrices) if compute_uv else OPS["singular_values"](a)


def norm(
    x: Any, ord: Any = None, axis: int | Sequence[int] | None = None, keepdims: bool = False
) -> Variable:
    """The norm of vectors along one axis, or of matrices along two, as in `numpy.linalg.norm`.

    Without an axis a tensor of one or two dimensions is a vector or a matrix; without an order
    too, all elements of any tensor are one vector.
    """
    v = as_variable(x)
    if axis is None and (ord is None or (ord == "fro" and v.ndim == 2)):
        return OPS["norm"](v, 2, None, keepdims)
    axes = range(v.ndim) if axis is None else [axis] if isinstance(axis, int) else axis
    over = [normalize_axis(a, v.ndim) for a in axes]
    if len(over) == 1:
        return OPS["norm"](v, 2 if ord is None else ord, over[0], keepdims)
    if len(over) != 2 or over[0] == over[1]:
        raise ShapeError(
            f"A norm of this order is of vectors or matrices, not of {len(set(over))} axes.",
            port="axis",
            expected="one axis, or two",
            got=str(tuple(over)),
        )
    kept = [k for k in range(v.ndim) if k not in over]
    found = OPS["matrix_norm"](v.dimshuffle(*kept, *over), "fro" if ord is None else str(ord))
    if keepdims:
        places = iter(range(found.ndim))
        return found.dimshuffle(*("x" if k in over else next(places) for k in range(v.ndim)))
    return found
