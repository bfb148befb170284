"""Products of matrices and vectors."""

from typing import Any

import numpy as np

from engine.errors import ShapeError, TypeMismatchError
from engine.graph import Variable
from engine.op import Example, Op, Port
from engine.types import TensorType, shape_text, upcast


def _dot_type(x: TensorType, y: TensorType) -> TensorType:
    if not (1 <= x.ndim <= 2 and 1 <= y.ndim <= 2):
        raise TypeMismatchError(
            f"The product of {x.ndim} and {y.ndim} dimensions is not defined.",
            expected="vectors or matrices",
            got=f"{x} and {y}",
            hint="Multiply scalars with mul.",
        )
    inner_x, inner_y = x.shape[-1], y.shape[0]
    if inner_x is not None and inner_y is not None and inner_x != inner_y:
        raise ShapeError(
            f"Shapes {shape_text(x.shape)} and {shape_text(y.shape)} do not fit together: "
            f"x has {inner_x} columns but y has {inner_y} rows.",
            port="y",
            expected=f"y with {inner_x} rows",
            got=f"{inner_y} rows",
            hint="The last axis of x must be as long as the first axis of y.",
        )
    return TensorType(
        upcast(x.dtype, y.dtype),
        x.shape[:-1] + y.shape[1:],
        x.broadcastable[:-1] + y.broadcastable[1:],
    )


def _dot_grad(g: Variable, out: Variable, x: Variable, y: Variable) -> list[Variable | None]:
    match x.ndim, y.ndim:
        case 1, 1:
            return [g * y, g * x]
        case 2, 1:
            return [outer(g, y), dot(x.T, g)]
        case 1, 2:
            return [dot(y, g), outer(x, g)]
        case _:
            return [dot(g, y.T), dot(x.T, g)]


def _dot_value(x: Any, y: Any) -> Any:
    dtype = upcast(x.dtype.name, y.dtype.name)
    return np.dot(x.astype(dtype, copy=False), y.astype(dtype, copy=False))


dot = Op(
    name="dot",
    symbol="·",
    category="Products",
    infix="{x} @ {y}",
    precedence=20,
    tex=r"{x} \cdot {y}",
    doc="The product of matrices and vectors: rows of x times columns of y, summed.",
    aliases=("matmul",),
    examples=(
        Example(((2, 3), (3, 4))),
        Example(((2, 3), (3,))),
        Example(((3,), (3, 2))),
        Example(((3,), (3,))),
    ),
    ports=(Port("x"), Port("y")),
    infer=_dot_type,
    numpy=_dot_value,
    grad=_dot_grad,
)


def _outer_type(x: TensorType, y: TensorType) -> TensorType:
    if x.ndim != 1 or y.ndim != 1:
        raise TypeMismatchError(
            "The outer product is of two vectors.", expected="vectors", got=f"{x} and {y}"
        )
    return TensorType(
        upcast(x.dtype, y.dtype), x.shape + y.shape, x.broadcastable + y.broadcastable
    )


outer = Op(
    name="outer",
    symbol="⊗",
    category="Products",
    tex=r"{x} \otimes {y}",
    doc="Every element of x times every element of y.",
    examples=(Example(((2,), (3,))),),
    ports=(Port("x"), Port("y")),
    infer=_outer_type,
    numpy=lambda x, y: np.multiply.outer(x, y),
    expand=lambda x, y: x.dimshuffle(0, "x") * y.dimshuffle("x", 0),
    grad=lambda g, out, x, y: [dot(g, y), dot(x, g)],
)
