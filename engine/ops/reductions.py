"""Ops that fold axes away: sums, products, means, extremes and where they are."""

from collections.abc import Callable, Sequence
from math import inf
from typing import Any

import numpy as np

from engine.config import config
from engine.dtype_rules import accumulator, sum_dtype
from engine.errors import ShapeError, TypeMismatchError
from engine.expression import OPS, Variable
from engine.makers import AXIS, KEEPDIMS, composed, reduced, reduction, restore_axes, zero_gradient
from engine.op import Example, Fold, Op, Param, Port
from engine.ops.cumulative import products_of_others
from engine.types import (
    COMPLEX,
    DISCRETE,
    EVERY,
    FLOATS,
    TensorType,
    check_ordered,
    normalize_axes,
    shape_text,
    upcast,
)

CATEGORY = "Reductions"

# Sums and products, kept in a wide dtype

DTYPE = Param("dtype", "dtype", None, "the dtype of the result; none means one that is wide enough")
ACC_DTYPE = Param("acc_dtype", "dtype", None, "the dtype to sum in; none means a wide one")

Grad = Callable[..., list[Variable | None]]


def _check_dtypes(x: str, dtype: str, kept: str) -> None:
    """Raise TypeMismatchError where numbers of dtype x would lose what they are."""
    if not np.can_cast(x, kept) and not (x in DISCRETE and kept not in DISCRETE):
        raise TypeMismatchError(
            f"{x} cannot be summed in {kept} without losing precision.",
            port="acc_dtype",
            expected=f"{np.result_type(x, kept)}, or no acc_dtype",
            got=kept,
            hint="To lose it on purpose, cast the tensor first.",
        )
    if kept in COMPLEX and dtype not in COMPLEX:
        raise TypeMismatchError(
            f"Complex numbers cannot be summed to {dtype}.",
            port="dtype",
            expected="complex64 or complex128",
            got=dtype,
            hint="Take the real part or the absolute value first.",
        )


def _accumulation(
    name: str,
    *,
    fold: Fold,
    result: Callable[[str], str],
    numpy: Callable[..., Any],
    grad: Grad,
    params: Sequence[Param] = (),
    whole: bool = True,
    **facts: Any,
) -> Op:
    """A fold whose result, and whose accumulator, may be given a dtype.

    result: the dtype of the result if none is given, by that of the input.
    whole: whether it can be an integer.
    numpy: of (x, axis, keepdims, dtype), where dtype is that to compute in.
    """

    def dtypes(x: str, dtype: str | None, acc_dtype: str | None) -> tuple[str, str]:
        out, kept = dtype or result(x), acc_dtype or fold.accumulator(x)
        _check_dtypes(x, out, kept)
        if out in DISCRETE and not whole:
            raise TypeMismatchError(
                f"A {name} is no whole number, which is all that {out} can hold.",
                port="dtype",
                expected="a float dtype",
                got=out,
                hint="Round and cast the result.",
            )
        return out, kept

    def infer(
        x: TensorType, axis: Any, dtype: Any, keepdims: bool, acc_dtype: Any, **rest: Any
    ) -> TensorType:
        return reduced(x, axis, keepdims).with_dtype(dtypes(x.dtype, dtype, acc_dtype)[0])

    def evaluate(x: Any, axis: Any, dtype: Any, keepdims: bool, acc_dtype: Any, **rest: Any) -> Any:
        out, kept = dtypes(x.dtype.name, dtype, acc_dtype)
        with np.errstate(all="ignore"):
            found = numpy(x, axis=normalize_axes(axis, x.ndim), keepdims=keepdims, dtype=kept)
            return np.asarray(found).astype(out, copy=False)

    def call(
        x: Any,
        axis: Any = None,
        dtype: Any = None,
        keepdims: bool = False,
        acc_dtype: Any = None,
        **rest: Any,
    ) -> Variable:
        """A dtype that would be taken anyway is not stated, so that rewriting sees the same op."""
        (x,), given = made.bind((x, axis, dtype, keepdims, acc_dtype), rest)
        usual = {"dtype": result(x.dtype), "acc_dtype": fold.accumulator(x.dtype)}
        given |= {n: None for n, dtype in usual.items() if given[n] == dtype}
        return made.apply([x], given).out

    made = Op(
        name=name,
        category=CATEGORY,
        ports=(Port("x"),),
        params=(AXIS, DTYPE, KEEPDIMS, ACC_DTYPE, *params),
        infer=infer,
        numpy=evaluate,
        fold=fold,
        grad=grad,
        call=call,
        dtypes=EVERY,
        examples=(
            Example(((2, 3),)),
            Example(((2, 3),), {"axis": (1,), "keepdims": True}),
            Example(((2, 3, 2),), {"axis": (0, -1)}),
            Example(((2, 3),), {"axis": ()}),
            Example(((2, 3),), {"axis": 0, "dtype": "complex128", "acc_dtype": "complex128"}),
        ),
        **facts,
    )
    return made


def _sum_grad(
    g: Variable, y: Variable, x: Variable, axis: Any, dtype: Any, keepdims: bool, acc_dtype: Any
) -> list[Variable | None]:
    if y.dtype in DISCRETE:
        return [zero_gradient(x)]
    return [OPS["fill"](x, restore_axes(g, x, axis, keepdims))]


sum = _accumulation(
    "sum",
    symbol="Σ",
    tex=r"\sum {x}",
    doc="The sum over the axes; small integers are summed in 64 bits, float32 in float64.",
    numpy=np.sum,
    result=sum_dtype,
    fold=Fold(start="T(0)", step="accumulate({acc}, {x})", accumulator=accumulator),
    grad=_sum_grad,
)


def _prod_grad(
    g: Variable,
    y: Variable,
    x: Variable,
    axis: Any,
    dtype: Any,
    keepdims: bool,
    acc_dtype: Any,
    no_zeros_in_input: bool,
) -> list[Variable | None]:
    if y.dtype in DISCRETE:
        return [zero_gradient(x)]
    g, total = (restore_axes(v, x, axis, keepdims) for v in (g, y))
    factors = OPS["cast"](x, y.dtype) if x.dtype in DISCRETE else x
    if no_zeros_in_input:
        return [g * total / factors]
    return [g * products_of_others(factors, normalize_axes(axis, x.ndim))]


prod = _accumulation(
    "prod",
    symbol="Π",
    tex=r"\prod {x}",
    doc="The product over the axes; small integers are multiplied in 64 bits.",
    numpy=np.prod,
    result=sum_dtype,
    fold=Fold(start="T(1)", step="{acc} * {x}", accumulator=accumulator),
    grad=_prod_grad,
    params=(Param("no_zeros_in_input", "bool", False, "the slope may divide by every element"),),
    domain=(0.5, 3.0),
)

count = Op(
    name="count",
    symbol="#",
    category=CATEGORY,
    hidden=True,
    doc="How many elements are folded into one over the axes.",
    bounds=(0, inf),
    ports=(Port("x"),),
    params=(AXIS,),
    examples=(Example(((2, 3),), {"axis": (1,)}),),
    infer=lambda x, axis: TensorType("int64"),
    numpy=lambda x, axis: np.asarray(
        np.prod([x.shape[a] for a in normalize_axes(axis, x.ndim)], dtype="int64")
    ),
    from_shape=True,
    grad=lambda g, y, x, axis: [None],
    dtypes=EVERY,
)


def _mean_dtype(dtype: str) -> str:
    if dtype in DISCRETE:
        return config.floatX if config.cast_policy == "simple" else "float64"
    return upcast(dtype)


def _mean_value(x: Any, axis: tuple[int, ...], keepdims: bool, dtype: str) -> Any:
    total = np.sum(x, axis=axis, keepdims=keepdims, dtype=dtype)
    return total / np.prod([x.shape[a] for a in axis], dtype=_mean_dtype(dtype))


def _mean_grad(
    g: Variable, y: Variable, x: Variable, axis: Any, dtype: Any, keepdims: bool, acc_dtype: Any
) -> list[Variable | None]:
    share = g / OPS["cast"](count(x, axis), g.dtype)
    return [OPS["fill"](x, restore_axes(share, x, axis, keepdims))]


mean = _accumulation(
    "mean",
    symbol="x̄",
    tex=r"\operatorname{{mean}}\left({x}\right)",
    doc="The average over the axes; of integers it is a float64, of nothing NaN.",
    numpy=_mean_value,
    result=_mean_dtype,
    whole=False,
    fold=Fold(
        start="T(0)",
        step="accumulate({acc}, {x})",
        finish="{acc} / {n}",
        accumulator=lambda dtype: accumulator(_mean_dtype(dtype)),
    ),
    grad=_mean_grad,
)


# Extremes, and where they are


def check_some(name: str, shape: Sequence[int | None], axis: Any) -> tuple[int, ...]:
    """The axes that are folded; ShapeError where there is known to be nothing along them."""
    axes = normalize_axes(axis, len(shape))
    kept = {n for i, n in enumerate(shape) if i not in axes}
    if 0 in {shape[a] for a in axes} and not kept & {0, None}:
        raise ShapeError(
            f"There is no {name} of nothing.",
            port="x",
            expected="one element or more along the folded axes",
            got=shape_text(shape),
        )
    return axes


EXTREME_EXAMPLES = (
    Example(((2, 3),)),
    Example(((2, 3),), {"axis": 1}),
    Example(((2, 3),), {"axis": (1,), "keepdims": True}),
    Example(((2, 3, 2),), {"axis": (0, 2)}),
)


def _extreme_grad(
    g: Variable, y: Variable, x: Variable, axis: Any, keepdims: bool
) -> list[Variable | None]:
    """Every element that equals the extreme gets the whole gradient."""
    if y.dtype in DISCRETE:
        return [zero_gradient(x)]
    g, y = (restore_axes(v, x, axis, keepdims) for v in (g, y))
    return [OPS["switch"](OPS["eq"](x, y), g, 0)]


def _extreme(name: str, ufunc: np.ufunc, fold: Fold, doc: str) -> Op:
    def infer(x: TensorType, axis: Any, keepdims: bool) -> TensorType:
        check_ordered(x)
        check_some(name, x.shape, axis)
        return reduced(x, axis, keepdims)

    def value(x: Any, axis: Any, keepdims: bool) -> Any:
        axes = check_some(name, x.shape, axis)
        return np.asarray(ufunc.reduce(x, axis=axes, keepdims=keepdims))

    return Op(
        name=name,
        symbol=name,
        category=CATEGORY,
        tex=rf"\{name} {{x}}",
        doc=doc,
        ports=(Port("x"),),
        params=(AXIS, KEEPDIMS),
        infer=infer,
        numpy=value,
        fold=fold,
        grad=_extreme_grad,
        examples=EXTREME_EXAMPLES,
    )


max = _extreme(
    "max",
    np.maximum,
    Fold(start="LOWEST", step="greatest({acc}, {x})"),
    "The largest element over the axes; NaN if there is one.",
)
min = _extreme(
    "min",
    np.minimum,
    Fold(start="HIGHEST", step="least({acc}, {x})"),
    "The smallest element over the axes; NaN if there is one.",
)


def _place(name: str, find: Callable[..., Any], doc: str) -> Op:
    """An op that tells where along the axes, counted as one if there are several, it is."""

    def infer(x: TensorType, axis: Any, keepdims: bool) -> TensorType:
        check_ordered(x)
        check_some(name, x.shape, axis)
        return reduced(x, axis, keepdims).with_dtype("int64")

    def value(x: Any, axis: Any, keepdims: bool) -> Any:
        axes = check_some(name, x.shape, axis)
        kept = [i for i in range(x.ndim) if i not in axes]
        shape = [x.shape[i] for i in kept]
        out = np.zeros(shape, "int64")
        if out.size:
            rows = np.transpose(x, (*kept, *axes)).reshape((*shape, -1))
            out = np.asarray(find(rows, axis=-1), "int64")
        return np.expand_dims(out, axes) if keepdims else out

    return Op(
        name=name,
        symbol=f"{name[:3]} {name[3:]}",
        category=CATEGORY,
        tex=rf"\operatorname{{{{{name}}}}} {{x}}",
        doc=doc,
        bounds=(0, inf),
        ports=(Port("x"),),
        params=(AXIS, KEEPDIMS),
        infer=infer,
        numpy=value,
        grad=lambda g, y, x, axis, keepdims: [zero_gradient(x)],
        examples=EXTREME_EXAMPLES,
    )


argmax = _place(
    "argmax",
    np.argmax,
    "Where the largest element over the axes is, the first if there are several.",
)
argmin = _place(
    "argmin",
    np.argmin,
    "Where the smallest element over the axes is, the first if there are several.",
)

max_and_argmax = composed(
    "max_and_argmax",
    symbol="max, i",
    category=CATEGORY,
    method=False,
    doc="The largest element over the axes, and where it is.",
    results=("max", "argmax"),
    params=(AXIS, KEEPDIMS),
    body=lambda x, axis, keepdims: [max(x, axis, keepdims), argmax(x, axis, keepdims)],
    examples=EXTREME_EXAMPLES,
)

ptp = composed(
    "ptp",
    symbol="max−min",
    category=CATEGORY,
    doc="How far the largest element over the axes is from the smallest.",
    params=(AXIS, KEEPDIMS),
    body=lambda x, axis, keepdims: max(x, axis, keepdims) - min(x, axis, keepdims),
    dtypes=(DISCRETE | FLOATS) - {"bool"},
    examples=EXTREME_EXAMPLES,
)


# Logic

any = reduction(
    "any",
    symbol="∃",
    tex=r"\exists {x}",
    doc="Whether any element over the axes is not zero.",
    numpy=lambda x, axis, keepdims: np.any(x, axis=axis, keepdims=keepdims),
    result=lambda dtype: "bool",
    fold=Fold(start="False", step="{acc} or {x} != 0", accumulator=lambda dtype: "bool"),
    grad=lambda g, y, x, axis, keepdims: [zero_gradient(x)],
    dtypes=EVERY,
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
    dtypes=EVERY,
)
