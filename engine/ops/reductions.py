"""Sums, means, extremes, and other ops that fold axes away."""

from typing import Any

import numpy as np

from engine.graph import OPS, Variable
from engine.op import (
    AXIS,
    KEEPDIMS,
    Example,
    Fold,
    Op,
    Param,
    Port,
    accumulator,
    composed,
    reduced,
    reduction,
    restore_axes,
    sum_dtype,
    zero_gradient,
)
from engine.types import TensorType, normalize_axes, to_float

CATEGORY = "Reductions"

sum = reduction(
    "sum",
    symbol="Σ",
    tex=r"\sum {x}",
    doc="The sum over the axes; small integers are summed in 64 bits, float32 in float64.",
    numpy=lambda x, axis, keepdims: np.sum(
        x, axis=axis, keepdims=keepdims, dtype=accumulator(x.dtype.name)
    ),
    result=sum_dtype,
    fold=Fold(start="T(0)", step="accumulate({acc}, {x})", accumulator=accumulator),
    grad=lambda g, y, x, axis, keepdims: [OPS["fill"](x, restore_axes(g, x, axis, keepdims))],
)

count = Op(
    name="count",
    symbol="#",
    category=CATEGORY,
    hidden=True,
    doc="How many elements are folded into one over the axes.",
    ports=(Port("x"),),
    params=(AXIS,),
    examples=(Example(((2, 3),), {"axis": (1,)}),),
    infer=lambda x, axis: TensorType("int64"),
    numpy=lambda x, axis: np.asarray(
        np.prod([x.shape[a] for a in normalize_axes(axis, x.ndim)], dtype="int64")
    ),
    from_shape=True,
    grad=lambda g, y, x, axis: [None],
)


def _mean_grad(
    g: Variable, y: Variable, x: Variable, axis: Any, keepdims: bool
) -> list[Variable | None]:
    share = g / OPS["cast"](count(x, axis), g.dtype)
    return [OPS["fill"](x, restore_axes(share, x, axis, keepdims))]


mean = reduction(
    "mean",
    symbol="x̄",
    tex=r"\operatorname{{mean}}\left({x}\right)",
    doc="The average over the axes, as a float.",
    numpy=lambda x, axis, keepdims: np.mean(
        x, axis=axis, keepdims=keepdims, dtype=accumulator(to_float(x.dtype.name))
    ),
    result=to_float,
    fold=Fold(
        start="T(0)",
        step="accumulate({acc}, {x})",
        finish="{acc} / {n}",
        accumulator=lambda dtype: accumulator(to_float(dtype)),
    ),
    grad=_mean_grad,
)


def _extreme_grad(
    g: Variable, y: Variable, x: Variable, axis: Any, keepdims: bool
) -> list[Variable | None]:
    """Every element that equals the extreme gets the whole gradient."""
    g, y = (restore_axes(v, x, axis, keepdims) for v in (g, y))
    return [OPS["switch"](OPS["eq"](x, y), g, 0)]


max = reduction(
    "max",
    symbol="max",
    tex=r"\max {x}",
    doc="The largest element over the axes; NaN if there is one.",
    numpy=lambda x, axis, keepdims: np.max(x, axis=axis, keepdims=keepdims),
    fold=Fold(start="LOWEST", step="greatest({acc}, {x})"),
    grad=_extreme_grad,
)

min = reduction(
    "min",
    symbol="min",
    tex=r"\min {x}",
    doc="The smallest element over the axes; NaN if there is one.",
    numpy=lambda x, axis, keepdims: np.min(x, axis=axis, keepdims=keepdims),
    fold=Fold(start="HIGHEST", step="least({acc}, {x})"),
    grad=_extreme_grad,
)

any = reduction(
    "any",
    symbol="∃",
    tex=r"\exists {x}",
    doc="Whether any element over the axes is not zero.",
    numpy=lambda x, axis, keepdims: np.any(x, axis=axis, keepdims=keepdims),
    result=lambda dtype: "bool",
    fold=Fold(start="False", step="{acc} or {x} != 0", accumulator=lambda dtype: "bool"),
    grad=lambda g, y, x, axis, keepdims: [zero_gradient(x)],
)

all = reduction(
    "all",
    symbol="∀",
    tex=r"\forall {x}",
    doc="Whether every element over the axes is not zero.",
    numpy=lambda x, axis, keepdims: np.all(x, axis=axis, keepdims=keepdims),
    result=lambda dtype: "bool",
    fold=Fold(start="True", step="{acc} and {x} != 0", accumulator=lambda dtype: "bool"),
    grad=lambda g, y, x, axis, keepdims: [zero_gradient(x)],
)


def _argmax_type(x: TensorType, axis: int | None, keepdims: bool) -> TensorType:
    return reduced(x, axis, keepdims).with_dtype("int64")


argmax = Op(
    name="argmax",
    symbol="arg max",
    category=CATEGORY,
    tex=r"\operatorname{{argmax}} {x}",
    doc="Where the largest element along the axis is, the first if there are several.",
    ports=(Port("x"),),
    params=(Param("axis", "axis", None, "the axis; none means the flattened tensor"), KEEPDIMS),
    examples=(Example(((2, 3),), {"axis": 1}), Example(((2, 3),))),
    infer=_argmax_type,
    numpy=lambda x, axis, keepdims: np.asarray(
        np.argmax(x, axis=axis, keepdims=keepdims), dtype="int64"
    ),
    grad=lambda g, y, x, axis, keepdims: [zero_gradient(x)],
)


def _variance(x: Variable, axis: Any = None, keepdims: bool = False) -> Variable:
    centred = x - OPS["mean"](x, axis=axis, keepdims=True)
    return OPS["mean"](OPS["sqr"](centred), axis=axis, keepdims=keepdims)


var = composed(
    "var",
    symbol="σ²",
    category=CATEGORY,
    params=(AXIS, KEEPDIMS),
    doc="The mean squared distance from the mean, over the axes.",
    body=_variance,
)

std = composed(
    "std",
    symbol="σ",
    category=CATEGORY,
    params=(AXIS, KEEPDIMS),
    doc="The square root of the variance over the axes.",
    body=lambda x, axis=None, keepdims=False: OPS["sqrt"](_variance(x, axis, keepdims)),
)
