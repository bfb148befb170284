"""Spread and middle of many numbers; the logarithm of a sum of exponentials."""

from collections.abc import Callable
from typing import Any

import numpy as np

from engine.errors import ParameterError
from engine.expression import OPS, Constant, Variable
from engine.makers import AXIS, KEEPDIMS, composed, reduced, restore_axes
from engine.op import Example, Op, Param, Port
from engine.ops.reductions import CATEGORY, EXTREME_EXAMPLES, check_some, count, max, mean, sum
from engine.ops.shape import merged, parted
from engine.types import (
    COMPLEX,
    DISCRETE,
    EVERY,
    TensorType,
    check_ordered,
    normalize_axes,
    to_float,
)

# Variance


def _squares(x: Variable) -> Variable:
    """The squared size of each element."""
    if x.dtype in COMPLEX:
        return OPS["sqr"](OPS["real"](x)) + OPS["sqr"](OPS["imag"](x))
    return OPS["sqr"](x)


def _variance(x: Variable, axis: Any, ddof: int, keepdims: bool, corrected: bool) -> Variable:
    centred = x - mean(x, axis, keepdims=True)
    squares = _squares(centred)
    if not ddof and not corrected:
        return mean(squares, axis, keepdims=keepdims)
    total = sum(squares, axis, keepdims=keepdims)
    n = count(x, axis)
    if corrected:
        rounding = _squares(sum(centred, axis, keepdims=keepdims))
        total = total - rounding / OPS["cast"](n, total.dtype)
    return total / OPS["cast"](OPS["maximum"](n - ddof, 0), total.dtype)


SPREAD = (
    AXIS,
    Param("ddof", "int", 0, "how much less than their number the squares are divided by"),
    KEEPDIMS,
    Param("corrected", "bool", False, "subtract what rounding of the mean added"),
)


def _spread(name: str, symbol: str, doc: str, body: Callable[..., Variable]) -> Op:
    def call(
        x: Any, axis: Any = None, ddof: int = 0, keepdims: bool = False, corrected: bool = False
    ) -> Variable:
        if isinstance(ddof, bool):
            raise ParameterError(
                f"ddof of {name} cannot be {ddof}.",
                port="ddof",
                expected="a whole number",
                got=str(ddof),
                hint="The arguments are axis, ddof, keepdims, corrected, in this order.",
            )
        return OPS[name].each(x, axis, ddof, keepdims, corrected)[0]

    return composed(
        name,
        symbol=symbol,
        category=CATEGORY,
        ports=(Port("x"),),
        params=SPREAD,
        doc=doc,
        body=body,
        call=call,
        dtypes=EVERY,
        examples=(
            Example(((2, 3),)),
            Example(((2, 3),), {"axis": (1,), "keepdims": True, "ddof": 1}),
            Example(((2, 3, 2),), {"axis": (0, 2), "corrected": True}),
        ),
    )


var = _spread("var", "σ²", "The mean squared distance from the mean, over the axes.", _variance)


def _deviation(x: Variable, **params: Any) -> Variable:
    """The root of the variance; where that is 0, so is the slope, which else were infinite."""
    v = _variance(x, **params)
    zero, one = (Constant(n, v.dtype) for n in (0, 1))
    nothing = OPS["eq"](v, zero)
    return OPS["switch"](nothing, zero, OPS["sqrt"](OPS["switch"](nothing, one, v)))


std = _spread("std", "σ", "The square root of the variance over the axes.", _deviation)


# Median


def _middle_dtype(dtype: str) -> str:
    return "float64" if dtype in DISCRETE else dtype


def _median_type(x: TensorType, axis: Any, keepdims: bool) -> TensorType:
    check_ordered(x)
    check_some("median", x.shape, axis)
    return reduced(x, axis, keepdims).with_dtype(_middle_dtype(x.dtype))


def _median_value(x: Any, axis: Any, keepdims: bool) -> Any:
    axes = check_some("median", x.shape, axis)
    x = x.astype(_middle_dtype(x.dtype.name), copy=False)
    middle = np.median if x.size else np.sum  # of no results there are none, by any op
    return np.asarray(middle(x, axes, keepdims=keepdims))


def _median_grad(
    g: Variable, y: Variable, x: Variable, axis: Any, keepdims: bool
) -> list[Variable | None]:
    """The one or two elements in the middle share the gradient."""
    axes = normalize_axes(axis, x.ndim)
    row = merged(x, axes)
    rank = OPS["argsort"](OPS["argsort"](row, -1, "stable"), -1, "stable")
    n = count(x, axis)
    shares = [OPS["cast"](OPS["eq"](rank, at), y.dtype) for at in ((n - 1) // 2, n // 2)]
    share = (shares[0] + shares[1]) * Constant(0.5, y.dtype)
    return [parted(share, x, axes) * restore_axes(g, x, axis, keepdims)]


median = Op(
    name="median",
    symbol="x̃",
    category=CATEGORY,
    doc="The element in the middle over the axes, or the mean of the two; NaN if there is one.",
    ports=(Port("x"),),
    params=(AXIS, KEEPDIMS),
    infer=_median_type,
    numpy=_median_value,
    grad=_median_grad,
    examples=EXTREME_EXAMPLES,
)


# The logarithm of a sum of exponentials


def _logsumexp_type(x: TensorType, axis: Any, keepdims: bool) -> TensorType:
    check_ordered(x)
    return reduced(x, axis, keepdims).with_dtype(to_float(x.dtype))


def _logsumexp_value(x: Any, axis: Any, keepdims: bool) -> Any:
    x, axes = x.astype(to_float(x.dtype.name), copy=False), normalize_axes(axis, x.ndim)
    with np.errstate(all="ignore"):
        largest = np.max(x, axis=axes, keepdims=True, initial=-np.inf)
        largest = np.where(np.isfinite(largest), largest, 0)
        total = np.log(np.sum(np.exp(x - largest), axis=axes, keepdims=True)) + largest
    return np.asarray(total if keepdims else np.squeeze(total, axes)).astype(x.dtype, copy=False)


def _logsumexp_expansion(x: Variable, axis: Any, keepdims: bool) -> Variable:
    x = OPS["cast"](x, to_float(x.dtype))
    if 0 in x.type.shape:
        return OPS["log"](sum(x, axis, keepdims=keepdims))
    largest = max(x, axis, keepdims=True)
    finite = OPS["lt"](abs(largest), Constant(np.inf, x.dtype))
    largest = OPS["switch"](finite, largest, Constant(0, x.dtype))
    total = OPS["log"](sum(OPS["exp"](x - largest), axis, keepdims=True)) + largest
    return total if keepdims else sum(total, axis)


def _logsumexp_grad(
    g: Variable, y: Variable, x: Variable, axis: Any, keepdims: bool
) -> list[Variable | None]:
    """The softmax; where an element is all of the sum it is 1, infinite or not."""
    g, y = (restore_axes(v, x, axis, keepdims) for v in (g, y))
    below = OPS["switch"](OPS["eq"](x, y), Constant(0, y.dtype), x - y)
    return [g * OPS["exp"](below)]


logsumexp = Op(
    name="logsumexp",
    symbol="ln Σeˣ",
    category=CATEGORY,
    tex=r"\ln \sum e^{{{x}}}",
    doc="The logarithm of the sum of exponentials over the axes, exact also for large numbers.",
    ports=(Port("x"),),
    params=(AXIS, KEEPDIMS),
    infer=_logsumexp_type,
    numpy=_logsumexp_value,
    expand=_logsumexp_expansion,
    grad=_logsumexp_grad,
    examples=EXTREME_EXAMPLES,
)
