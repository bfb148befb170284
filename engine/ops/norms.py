"""Single numbers that say much of a matrix: its trace, how large it is, how near to singular."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from engine.errors import ParameterError
from engine.expression import OPS, Variable
from engine.makers import AXIS, KEEPDIMS, composed, zero_gradient
from engine.op import Example, Op, Param, Port
from engine.ops.diagonals import extract_diag
from engine.ops.inverses import RCOND, REGULAR_ONES, dominant
from engine.ops.matrices import (
    CATEGORY,
    NUMBERS,
    check_matrix,
    computable,
    converging,
    exact,
    floats,
    squares,
)
from engine.types import EVERY, TensorType

FLOATING = NUMBERS | {"float16"}


def _trace(x: Variable) -> Variable:
    check_matrix(x.type)
    return OPS["sum"](extract_diag(x, axis1=-2, axis2=-1), axis=-1)


trace = composed(
    "trace",
    symbol="tr",
    category=CATEGORY,
    tex=r"\operatorname{{tr}}\left({x}\right)",
    doc="The sum of the diagonal of each matrix.",
    examples=(Example(((3, 3),)), Example(((2, 3, 4),))),
    body=_trace,
    dtypes=EVERY,
)


def order(ord: Any) -> float:
    """The number that an order is, given as one or as text."""
    try:
        found = float(ord)
    except (TypeError, ValueError):
        found = math.nan
    if math.isnan(found):
        raise ParameterError(
            f"There is no norm of order {ord!r}.",
            port="ord",
            expected="a number, inf or -inf",
            got=str(ord),
        )
    return found


def _norm(x: Variable, ord: Any = "2", axis: Any = None, keepdims: bool = False) -> Variable:
    number = order(ord)
    fold = {"axis": axis, "keepdims": keepdims}
    if number == 2:
        return _root(OPS["sum"](squares(x), **fold))
    sizes = OPS["abs"](floats(x))
    if math.isinf(number):
        return OPS["max" if number > 0 else "min"](sizes, **fold)
    if number == 0:
        return OPS["sum"](OPS["cast"](OPS["neq"](sizes, 0), sizes.dtype), **fold)
    if number == 1:
        return OPS["sum"](sizes, **fold)
    power = OPS["cast"](number, sizes.dtype)
    return OPS["sum"](sizes**power, **fold) ** (1 / power)


def _root(x: Variable) -> Variable:
    """The square root, whose slope at 0 is taken for 0."""
    nothing = OPS["eq"](x, 0)
    return OPS["switch"](nothing, 0, OPS["sqrt"](OPS["switch"](nothing, 1, x)))


norm = composed(
    "norm",
    symbol="‖x‖",
    category=CATEGORY,
    aliases=("vector_norm",),
    tex=r"\left\lVert {x} \right\rVert",
    doc="The length of the vectors along the axes: the root of the sum of the powers of their "
    "elements' sizes.",
    params=(
        Param(
            "ord",
            "string",
            "2",
            "the power: a number, inf for the largest, -inf for the "
            "smallest element, 0 for how many are not 0",
        ),
        AXIS,
        KEEPDIMS,
    ),
    examples=(
        Example(((2, 3),)),
        Example(((2, 3),), {"ord": "1", "axis": 1}),
        Example(((2, 3),), {"ord": "inf", "axis": 0, "keepdims": True}),
        Example(((4,),), {"ord": "-inf"}),
        Example(((2, 3, 2),), {"ord": "3", "axis": (0, 2)}),
        Example(((4,),), {"ord": "0"}),
    ),
    body=_norm,
    dtypes=FLOATING,
)

MATRIX_ORDERS = ("fro", "nuc", "1", "-1", "2", "-2", "inf", "-inf")


def _matrix_norm(x: Variable, ord: str = "fro", keepdims: bool = False) -> Variable:
    check_matrix(x.type)
    if ord == "fro":
        return _norm(x, 2, (-2, -1), keepdims)
    extreme = OPS["min" if ord[0] == "-" else "max"]
    if ord in ("nuc", "2", "-2"):
        s = OPS["singular_values"](x)
        found = (OPS["sum"] if ord == "nuc" else extreme)(s, axis=-1)
    else:
        summed = -2 if ord in ("1", "-1") else -1
        found = extreme(OPS["sum"](OPS["abs"](floats(x)), axis=summed), axis=-1)
    return found.dimshuffle(*range(found.ndim), "x", "x") if keepdims else found


matrix_norm = composed(
    "matrix_norm",
    symbol="‖A‖",
    category=CATEGORY,
    method=False,
    tex=r"\left\lVert {x} \right\rVert",
    doc="The norm of each matrix: fro of all its elements, nuc of all singular values, 2 of the "
    "largest of them, 1 the largest column sum, inf the largest row sum; the negative ones are of "
    "the smallest.",
    params=(
        Param("ord", "string", "fro", "which norm", choices=MATRIX_ORDERS),
        KEEPDIMS,
    ),
    examples=(
        *(Example(draw=dominant(3), params={"ord": ord}) for ord in MATRIX_ORDERS),
        Example(draw=dominant(2, 4), params={"ord": "nuc", "keepdims": True}),
    ),
    body=_matrix_norm,
    dtypes=NUMBERS,
)


def _cond(x: Variable) -> Variable:
    s = OPS["singular_values"](x)
    return OPS["max"](s, axis=-1) / OPS["min"](s, axis=-1)


cond = composed(
    "cond",
    symbol="κ",
    category=CATEGORY,
    method=False,
    doc="The condition number of each matrix: how many times an error in b may grow in the x with "
    "a x = b.",
    examples=REGULAR_ONES,
    body=_cond,
    dtypes=NUMBERS,
)


def _rank_type(x: TensorType, rcond: float | None) -> TensorType:
    check_matrix(x)
    exact(x)
    return TensorType("int64", x.shape[:-2], x.broadcastable[:-2])


def _rank_value(x: Any, rcond: float | None) -> Any:
    with converging("singular values"):
        s = np.linalg.svd(computable(x), compute_uv=False)
    cut = np.finfo(s.dtype).eps * max(x.shape[-2:]) if rcond is None else rcond
    largest = np.max(s, axis=-1, keepdims=True, initial=0)
    return np.asarray(np.sum(s > cut * largest, axis=-1), np.int64)


matrix_rank: Op = Op(
    name="matrix_rank",
    symbol="rk",
    category=CATEGORY,
    method=False,
    doc="How many singular values of each matrix are not 0.",
    ports=(Port("x"),),
    params=(RCOND,),
    examples=REGULAR_ONES,
    infer=_rank_type,
    numpy=_rank_value,
    grad=lambda g, y, x, rcond: [zero_gradient(x)],
    dtypes=NUMBERS,
)
