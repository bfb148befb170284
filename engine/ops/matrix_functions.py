"""Powers of square matrices, and their exponential."""

from __future__ import annotations

from typing import Any

import numpy as np

from engine.errors import ShapeError
from engine.expression import OPS, Variable
from engine.makers import composed
from engine.op import Example, Op, Param, Port
from engine.ops.inverses import X, dominant, matrix_inverse
from engine.ops.matrices import (
    CATEGORY,
    NUMBERS,
    alike,
    check_square,
    exact,
    identity,
    product,
    side,
    square_type,
    stack_of,
    swapped,
)
from engine.types import TensorType, shape_text


def _matrix_power(x: Variable, n: int = 2) -> Variable:
    """By repeated squaring: as many products as n has binary digits, twice at most."""
    check_square(x.type)
    if n == 0:
        one = identity(x, x, x.dtype)
        return OPS["fill"](x, one)
    power = matrix_inverse(x) if n < 0 else x
    out: Variable | None = None
    for digit in reversed(f"{abs(n):b}"):
        if digit == "1":
            out = power if out is None else product(out, power)
        power = product(power, power)
    assert out is not None
    return out


matrix_power = composed(
    "matrix_power",
    symbol="Aⁿ",
    category=CATEGORY,
    method=False,
    doc="Each matrix multiplied with itself n times; of a negative n its inverse.",
    params=(Param("n", "int", 2, "the power"),),
    examples=(
        Example(draw=dominant(3)),
        Example(draw=dominant(2, 4), params={"n": 5}),
        Example(draw=dominant(3), params={"n": -3}),
        Example(draw=dominant(2, 4), params={"n": 0}),
    ),
    body=_matrix_power,
    dtypes=NUMBERS,
)


def _derivative_type(x: TensorType, *directions: TensorType) -> TensorType:
    check_square(x)
    for d in directions:
        if d.ndim != x.ndim:
            raise ShapeError(
                "A direction must have the shape of the matrix.",
                port="directions",
                expected=shape_text(x.shape),
                got=shape_text(d.shape),
            )
    n = side(x)
    return stack_of(x, n, n, dtype=exact(x, *directions))


def _derivative_value(x: Any, *directions: Any) -> Any:
    """The corner of the exponential of a block matrix.

    exp [[x, d], [0, x]] = [[exp x, the derivative of exp in direction d], [0, exp x]], and again
    for one more direction (Mathias 1996; Higham, Functions of Matrices, section 3.2).
    """
    from scipy.linalg import expm as exponential

    n = x.shape[-1]
    blocks, *turns = alike(x, *directions)
    for d in turns:
        below = np.zeros_like(blocks)
        corner = np.zeros_like(blocks)
        for k in range(0, blocks.shape[-1], n or 1):
            corner[..., k : k + n, k : k + n] = d
        top = np.concatenate([blocks, corner], axis=-1)
        blocks = np.concatenate([top, np.concatenate([below, blocks], axis=-1)], axis=-2)
    found = exponential(blocks) if blocks.size else blocks
    return np.ascontiguousarray(found[..., :n, found.shape[-1] - n :])


def _derivative_grad(
    g: Variable, y: Variable, x: Variable, *directions: Variable
) -> list[Variable | None]:
    """Of a form that is symmetric in all directions, and so is the adjoint of any of them."""
    turned = [swapped(d) for d in directions]
    back = swapped(x)
    gradients: list[Variable | None] = [expm_derivative(back, [*turned, g])]
    for i in range(len(directions)):
        others = turned[:i] + turned[i + 1 :]
        gradients.append(expm_derivative(back, [*others, g]))
    return gradients


expm_derivative: Op = Op(
    name="expm_derivative",
    symbol="deᴬ",
    category=CATEGORY,
    hidden=True,
    method=False,
    doc="The derivative of the matrix exponential in one direction or, mixed, in several.",
    ports=(Port("x"), Port("directions", variadic=True)),
    examples=(
        Example(draw=lambda rng: [rng.uniform(-1, 1, (3, 3)) for _ in range(2)]),
        Example(draw=lambda rng: [rng.uniform(-1, 1, (2, 2, 2)) for _ in range(3)]),
    ),
    infer=_derivative_type,
    numpy=_derivative_value,
    grad=_derivative_grad,
    dtypes=NUMBERS,
)

expm = Op(
    name="expm",
    symbol="eᴬ",
    category=CATEGORY,
    method=False,
    tex="e^{{{x}}}",
    doc="The exponential of each square matrix: the sum of all its powers over their factorials.",
    ports=X,
    examples=(
        Example(draw=lambda rng: [rng.uniform(-1, 1, (3, 3))]),
        Example(draw=lambda rng: [rng.uniform(-1, 1, (4, 2, 2))]),
    ),
    infer=square_type,
    numpy=_derivative_value,
    grad=lambda g, y, x: [expm_derivative(swapped(x), [g])],
    dtypes=NUMBERS,
)
