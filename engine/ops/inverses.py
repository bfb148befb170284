"""Inverses, and what comes nearest to them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from engine.expression import Variable
from engine.op import Example, Op, Param, Port
from engine.ops.matrices import (
    CATEGORY,
    NUMBERS,
    adjoint,
    check_matrix,
    computable,
    converging,
    product,
    reported,
    square_type,
    stack_of,
    swapped,
)
from engine.types import TensorType

X = (Port("x"),)
SINGULAR = "The matrix is singular: it has no inverse"
Draw = Callable[[np.random.Generator], Sequence[Any]]
REGULAR = "Add a little to its diagonal, or use pinv, which every matrix has."


def dominant(n: int, *stack: int) -> Draw:
    """Draws matrices with a large diagonal, so that they are far from singular.

    Rounded to whole numbers or truths they still are.  No two eigenvalues are close.
    """

    def draw(rng: np.random.Generator) -> Sequence[Any]:
        diagonal = np.diag(np.linspace(2.6, 3.4, n))
        return [diagonal - (1 - np.eye(n)) * rng.uniform(0.1, 0.6, (*stack, n, n))]

    return draw


REGULAR_ONES = (Example(draw=dominant(3)), Example(draw=dominant(2, 4)))


def _inverse_value(x: Any) -> Any:
    with reported(SINGULAR, REGULAR):
        return np.linalg.inv(computable(x))


matrix_inverse: Op = Op(
    name="matrix_inverse",
    symbol="A⁻¹",
    category=CATEGORY,
    method=False,
    tex="{{{x}}}^{{-1}}",
    doc="The inverse of each matrix; solve(a, b) is faster and more exact than inverse(a) times b.",
    ports=X,
    examples=REGULAR_ONES,
    infer=square_type,
    numpy=_inverse_value,
    grad=lambda g, y, x: [-product(swapped(y), g, swapped(y))],
    dtypes=NUMBERS,
)


# pinv

RCOND = Param(
    "rcond",
    "float",
    None,
    "singular values below this part of the largest count as 0; none stands for what rounding "
    "makes of 0",
)


def _pinv_type(x: TensorType, rcond: float | None) -> TensorType:
    check_matrix(x)
    return stack_of(x, x.shape[-1], x.shape[-2])


def _pinv_value(x: Any, rcond: float | None) -> Any:
    x = computable(x)
    cut = np.finfo(x.dtype).eps * max(x.shape[-2:]) if rcond is None else rcond
    with converging("singular values"):
        return np.linalg.pinv(x, rcond=cut)


def _pinv_grad(g: Variable, y: Variable, x: Variable, rcond: float | None) -> list[Variable | None]:
    """Golub and Pereyra, 1973: the derivative of the pseudo-inverse at constant rank."""
    back, turned = adjoint(y), adjoint(g)
    left = turned - product(back, adjoint(x), turned)
    right = turned - product(turned, adjoint(x), back)
    return [product(left, y, back) + product(back, y, right) - product(back, g, back)]


pinv: Op = Op(
    name="pinv",
    symbol="A⁺",
    category=CATEGORY,
    method=False,
    tex="{{{x}}}^{{+}}",
    doc="The pseudo-inverse of each matrix, which solves least squares; every matrix has one.",
    ports=X,
    params=(RCOND,),
    examples=(
        Example(draw=dominant(3)),
        Example(draw=lambda rng: [rng.uniform(-1, 1, (2, 4, 3))]),
    ),
    infer=_pinv_type,
    numpy=_pinv_value,
    conjugates=False,
    grad=_pinv_grad,
    dtypes=NUMBERS,
)
