"""Determinants, as they are and as logarithms."""

from __future__ import annotations

from typing import Any

import numpy as np

from engine.expression import OPS, Variable
from engine.op import Op
from engine.ops.inverses import REGULAR_ONES, X, matrix_inverse
from engine.ops.matrices import (
    CATEGORY,
    NUMBERS,
    adjoint,
    check_square,
    computable,
    conjugated,
    converging,
    exact,
    product,
    square_type,
    stack_of,
    swapped,
)
from engine.types import COMPLEX, TensorType, real_dtype


def _det_type(x: TensorType) -> TensorType:
    check_square(x)
    return stack_of(x)


det: Op = Op(
    name="det",
    symbol="|A|",
    category=CATEGORY,
    method=False,
    tex=r"\det {x}",
    doc="The determinant of each matrix; logdet of slogdet is the one that does not overflow.",
    ports=X,
    examples=REGULAR_ONES,
    infer=_det_type,
    numpy=lambda x: np.asarray(np.linalg.det(computable(x))),
    grad=lambda g, y, x: [g.dimshuffle(*range(g.ndim), "x", "x") * cofactors(x)],
    dtypes=NUMBERS,
)


def _cofactors_value(x: Any) -> Any:
    """From the singular values, of which each is left out in turn: right for singular ones too."""
    x = computable(x)
    if not x.size:
        return x
    with converging("singular values"):
        u, s, v = np.linalg.svd(x)
    ones = np.ones_like(s[..., :1])
    below = np.cumprod(np.concatenate([ones, s[..., :-1]], axis=-1), axis=-1)
    above = np.cumprod(np.concatenate([ones, s[..., :0:-1]], axis=-1), axis=-1)[..., ::-1]
    turn = np.linalg.det(u) * np.linalg.det(v)
    scaled = np.conj(u) * (turn[..., None] * below * above)[..., None, :]
    return scaled @ np.conj(v)


def _cofactors_grad(g: Variable, y: Variable, x: Variable) -> list[Variable | None]:
    inverse = swapped(matrix_inverse(x))
    along = OPS["sum"](g * y, axis=(-2, -1), keepdims=True)
    return [along * inverse - product(inverse, swapped(g), y)]


cofactors: Op = Op(
    name="cofactors",
    symbol="cof",
    category=CATEGORY,
    hidden=True,
    method=False,
    doc="The derivative of the determinant by each entry of the matrix.",
    ports=X,
    examples=REGULAR_ONES,
    infer=square_type,
    numpy=_cofactors_value,
    grad=_cofactors_grad,
    dtypes=NUMBERS,
)


def _slogdet_type(x: TensorType) -> tuple[TensorType, TensorType]:
    check_square(x)
    return stack_of(x), stack_of(x, dtype=real_dtype(exact(x)))


def _slogdet_value(x: Any) -> Any:
    return tuple(np.asarray(v) for v in np.linalg.slogdet(computable(x)))


def _slogdet_grad(
    gs: tuple[Variable, Variable], ys: tuple[Variable, Variable], x: Variable
) -> list[Variable | None]:
    """The logarithm moves by Re tr(x⁻¹ dx), the angle of the sign by its imaginary part."""
    g: Variable = gs[1]
    if x.dtype in COMPLEX:
        turn = OPS["imag"](gs[0] * conjugated(ys[0]))
        g = OPS["complex"](g, turn)
    return [g.dimshuffle(*range(g.ndim), "x", "x") * adjoint(matrix_inverse(x))]


slogdet: Op = Op(
    name="slogdet",
    symbol="ln|A|",
    category=CATEGORY,
    method=False,
    doc="The sign of the determinant of each matrix, and the logarithm of its absolute value.",
    ports=X,
    results=("sign", "logdet"),
    examples=REGULAR_ONES,
    infer=_slogdet_type,
    numpy=_slogdet_value,
    conjugates=False,
    grad=_slogdet_grad,
    dtypes=NUMBERS,
)
