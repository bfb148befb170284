"""Tensors read as matrices: their inverses, and equations of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from engine.errors import ShapeError
from engine.expression import OPS, Variable
from engine.makers import composed
from engine.op import Example, Op, Param
from engine.ops.inverses import REGULAR, X, dominant
from engine.ops.matrices import (
    CATEGORY,
    NUMBERS,
    alike,
    computable,
    exact,
    reported,
    same_size,
)
from engine.ops.solving import AB, SINGULAR
from engine.types import TensorType, normalize_axis, shape_text


def _tensorinv_type(x: TensorType, ind: int) -> TensorType:
    first, last = x.shape[:ind], x.shape[ind:]
    if ind < 1 or not same_size(first, last):
        raise ShapeError(
            f"The first {ind} axes of {shape_text(x.shape)} do not make as many rows as the "
            "others make columns.",
            port="ind",
            expected="axes with as many elements on both sides of ind, which is at least 1",
            got=f"{shape_text(first)} and {shape_text(last)}",
        )
    return TensorType(exact(x), last + first, x.broadcastable[ind:] + x.broadcastable[:ind])


def _tensorinv_value(x: Any, ind: int) -> Any:
    with reported(SINGULAR, REGULAR):
        return np.linalg.tensorinv(computable(x), ind)


def _tensorinv_grad(g: Variable, y: Variable, x: Variable, ind: int) -> list[Variable | None]:
    rest = tuple(range(x.ndim - ind))
    inner = OPS["tensordot"](y, g, (rest, rest))
    return [-OPS["tensordot"](inner, y, (range(ind, 2 * ind), range(len(rest), x.ndim)))]


tensorinv: Op = Op(
    name="tensorinv",
    symbol="A⁻¹",
    category=CATEGORY,
    method=False,
    doc="The inverse of a tensor read as a matrix, its first axes as the rows.",
    ports=X,
    params=(Param("ind", "int", 2, "how many axes are rows"),),
    examples=(
        Example(draw=lambda rng: [dominant(6)(rng)[0].reshape(2, 3, 6)]),
        Example(draw=lambda rng: [dominant(4)(rng)[0].reshape(4, 2, 2)], params={"ind": 1}),
    ),
    infer=_tensorinv_type,
    numpy=_tensorinv_value,
    grad=_tensorinv_grad,
    dtypes=NUMBERS,
)


def _tensorsolve_type(a: TensorType, b: TensorType) -> TensorType:
    rest = a.shape[b.ndim :]
    agree = all(
        n is None or m is None or n == m for n, m in zip(a.shape[: b.ndim], b.shape, strict=False)
    )
    if a.ndim < b.ndim or not agree or not same_size(a.shape[: b.ndim], rest):
        raise ShapeError(
            f"Equations of shape {shape_text(a.shape)} do not fit a right-hand side of shape "
            f"{shape_text(b.shape)}.",
            port="a",
            expected="the axes of b, then axes with as many elements",
            got=shape_text(a.shape),
        )
    return TensorType(exact(a, b), rest, a.broadcastable[b.ndim :])


def _tensorsolve_value(a: Any, b: Any) -> Any:
    with reported(SINGULAR, REGULAR):
        return np.asarray(np.linalg.tensorsolve(*alike(a, b)))


def _tensorsolve_grad(g: Variable, y: Variable, a: Variable, b: Variable) -> list[Variable | None]:
    turned = a.dimshuffle(*range(b.ndim, a.ndim), *range(b.ndim))
    on_b = tensor_equations(turned, g)
    return [-OPS["tensordot"](on_b, y, 0), on_b]


def _equations(rng: np.random.Generator) -> Sequence[Any]:
    return [dominant(6)(rng)[0].reshape(2, 3, 6), rng.uniform(1, 2, (2, 3))]


tensor_equations: Op = Op(
    name="tensor_equations",
    symbol="A\\b",
    category=CATEGORY,
    hidden=True,
    method=False,
    doc="The tensor x whose product with a, over all axes of x, is b.",
    ports=AB,
    examples=(Example(draw=_equations),),
    infer=_tensorsolve_type,
    numpy=_tensorsolve_value,
    grad=_tensorsolve_grad,
    dtypes=NUMBERS,
)


def _tensorsolve(a: Variable, b: Variable, axes: Sequence[int] | None = None) -> Variable:
    if axes:
        last = [normalize_axis(k, a.ndim) for k in axes]
        a = a.dimshuffle(*(k for k in range(a.ndim) if k not in last), *last)
    return tensor_equations(a, b)


tensorsolve = composed(
    "tensorsolve",
    symbol="A\\b",
    category=CATEGORY,
    method=False,
    doc="The tensor x whose product with a, over all axes of x, is b.",
    ports=AB,
    params=(Param("axes", "ints", None, "axes of a that are moved to the end first"),),
    examples=(
        Example(draw=_equations),
        Example(
            draw=lambda rng: [np.moveaxis(_equations(rng)[0], 2, 0), rng.uniform(1, 2, (2, 3))],
            params={"axes": (0,)},
        ),
    ),
    body=_tensorsolve,
    dtypes=NUMBERS,
)
