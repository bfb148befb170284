"""Least squares: the x for which a x is nearest to b."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from engine.errors import ShapeError
from engine.expression import OPS, Variable
from engine.makers import composed
from engine.op import Example, Op
from engine.ops.inverses import RCOND
from engine.ops.matrices import (
    CATEGORY,
    NUMBERS,
    adjoint,
    alike,
    check_matrix,
    converging,
    product,
    squares,
)
from engine.ops.solving import AB, right_sides
from engine.types import TensorType, shape_text


def _least_squares_type(
    a: TensorType, b: TensorType, rcond: float | None
) -> tuple[TensorType, TensorType]:
    check_matrix(a, "a")
    if a.ndim > 2 or b.ndim > 2:
        raise ShapeError(
            "Least squares are of one matrix, not of a stack.",
            expected="a matrix, and a vector or matrix",
            got=f"{shape_text(a.shape)} and {shape_text(b.shape)}",
        )
    return right_sides(a, b, a.shape[0], a.shape[1]), TensorType("int64")


def _least_squares_value(a: Any, b: Any, rcond: float | None) -> Any:
    a, b = alike(a, b)
    with converging("singular values"):
        x, _, rank, _ = np.linalg.lstsq(a, b, rcond=rcond)
    return x, np.asarray(rank, np.int64)


def _least_squares_grad(
    gs: Sequence[Variable], ys: Sequence[Variable], a: Variable, b: Variable, rcond: float | None
) -> list[Variable | None]:
    """Through x = a⁺ b with Golub and Pereyra's derivative of a⁺, written out for products."""
    columns = [v.dimshuffle(0, "x") if b.ndim == 1 else v for v in (gs[0], ys[0], b)]
    g, x, right = columns
    inverse = OPS["pinv"](a, rcond)
    back = adjoint(inverse)
    on_b = product(back, g)
    rest = right - product(a, x)
    unseen = g - product(inverse, a, g)
    on_a = (
        product(rest, adjoint(g), inverse, back)
        + product(back, x, adjoint(unseen))
        - product(on_b, adjoint(x))
    )
    return [on_a, on_b.dimshuffle(0) if b.ndim == 1 else on_b]


def _tall(*columns: int) -> Callable[[np.random.Generator], Sequence[Any]]:
    return lambda rng: [rng.uniform(-1, 1, (4, 3)), rng.uniform(1, 2, (4, *columns))]


least_squares: Op = Op(
    name="least_squares",
    symbol="A\\b",
    category=CATEGORY,
    hidden=True,
    method=False,
    doc="The shortest x for which a x is nearest to b, and the rank of a.",
    ports=AB,
    params=(RCOND,),
    results=("x", "rank"),
    examples=(
        Example(draw=_tall(2)),
        Example(draw=_tall()),
        Example(draw=lambda rng: [rng.uniform(-1, 1, (2, 3)), rng.uniform(1, 2, (2, 2))]),
    ),
    infer=_least_squares_type,
    numpy=_least_squares_value,
    conjugates=False,
    grad=_least_squares_grad,
    dtypes=NUMBERS,
)


def _lstsq(a: Variable, b: Variable, rcond: float | None = None) -> list[Variable]:
    x, rank = least_squares.each(a, b, rcond)
    residuals = OPS["sum"](squares(b - OPS["dot"](a, x)), axis=0, keepdims=b.ndim == 1)
    return [x, residuals, rank, OPS["singular_values"](a)]


lstsq = composed(
    "lstsq",
    symbol="‖Ax−b‖",
    category=CATEGORY,
    method=False,
    doc="The shortest x for which a x is nearest to b, the squared distances, the rank of a, and "
    "its singular values.",
    ports=AB,
    params=(RCOND,),
    results=("x", "residuals", "rank", "singular_values"),
    examples=(Example(draw=_tall(2)), Example(draw=_tall())),
    body=_lstsq,
    dtypes=NUMBERS,
)
