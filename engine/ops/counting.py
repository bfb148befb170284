"""What occurs in a tensor, and how often."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from engine.dtype_rules import sum_dtype
from engine.errors import ShapeError, TypeMismatchError
from engine.expression import OPS, Variable
from engine.makers import zero_gradient
from engine.op import Example, Op, Param, Port
from engine.ops.shape import flatten, lengths, reshape_like
from engine.ops.sorting import CATEGORY, flattened_type, put_along
from engine.types import DISCRETE, EVERY, INTEGERS, TensorType, normalize_axis

# Which


def _unique_type(x: TensorType, axis: int | None, known: Sequence[Any]) -> tuple[TensorType, ...]:
    row = flattened_type(x, axis)
    along = normalize_axis(0 if axis is None else axis, row.ndim)
    found = None if known[0] is None else np.unique(known[0], axis=axis).shape[along]
    shape = [found if i == along else n for i, n in enumerate(row.shape)]
    pattern = [b and i != along for i, b in enumerate(row.broadcastable)]
    some = TensorType("int64", (found,), (False,))
    inverse = TensorType("int64", (row.shape[along],), (False,))
    return TensorType(x.dtype, shape, pattern), some, inverse, some


def _unique_value(x: Any, axis: int | None) -> tuple[Any, ...]:
    values, first, inverse, counts = np.unique(
        x, return_index=True, return_inverse=True, return_counts=True, axis=axis
    )
    return values, first, inverse.reshape(-1), counts


def _unique_grad(
    gs: Sequence[Variable], ys: Sequence[Variable], x: Variable, axis: int | None
) -> list[Variable | None]:
    """Of several equal elements it is the first that stands for them."""
    row, along = (flatten(x), 0) if axis is None else (x, normalize_axis(axis, x.ndim))
    pattern = tuple(0 if i == along else None for i in range(row.ndim))
    places = OPS["alloc"](ys[1].dimshuffle(pattern), *lengths(ys[0]))
    gx = put_along(gs[0], places, row, along)
    return [reshape_like(gx, x) if axis is None else gx]


def _uniqued(
    x: Any,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: int | None = None,
) -> Variable | list[Variable]:
    """The values and, of the other results, those that are asked for."""
    values, *others = unique.each(x, axis)
    wanted = (return_index, return_inverse, return_counts)
    found = [values, *(v for v, asked in zip(others, wanted, strict=True) if asked)]
    return found if len(found) > 1 else values


unique: Op = Op(
    name="unique",
    symbol="{x}",
    category=CATEGORY,
    doc="What occurs in x, sorted; where first, as which of these each element, and how often.",
    examples=(
        Example(draw=lambda rng: [np.array([2.5, -1.0, 1.5, 0.5])]),
        Example(
            draw=lambda rng: [np.array([[1.0, 2.0], [0.0, 3.0], [2.0, 2.5]])], params={"axis": 0}
        ),
    ),
    ports=(Port("x"),),
    results=("values", "index", "inverse", "counts"),
    params=(Param("axis", "int", None, "whose slices are compared; none means the elements"),),
    infer=_unique_type,
    numpy=_unique_value,
    reads_values=True,
    call=_uniqued,
    grad=_unique_grad,
    dtypes=EVERY,
    conjugates=False,
)


# How often


def _check_bins(x: Any, weights: Any) -> None:
    if np.any(x < 0) or (np.ndim(weights) and len(weights) != len(x)):
        raise ShapeError(
            f"{len(x)} numbers, the least of them {int(np.min(x, initial=0))}, with "
            f"{np.size(weights)} weights, cannot be counted.",
            port="x",
            expected="numbers of 0 or more, and a weight for each",
            got=f"{len(x)} numbers and {np.size(weights)} weights",
        )


def _bincount_type(
    x: TensorType, weights: TensorType, minlength: int, known: Sequence[Any]
) -> TensorType:
    if x.ndim != 1 or x.dtype not in INTEGERS or weights.ndim > 1:
        raise TypeMismatchError(
            "Only the elements of an integer vector can be counted.",
            port="x",
            expected="an integer vector, and a weight or a vector of weights",
            got=f"{x} and {weights}",
        )
    n = None if known[0] is None else max(minlength, int(np.max(known[0], initial=-1)) + 1)
    return TensorType(sum_dtype(weights.dtype), (n,), (False,))


def _bincount_value(x: Any, weights: Any, minlength: int) -> Any:
    _check_bins(x, weights)
    n = max(minlength, int(np.max(x, initial=0)) + 1 if x.size else 0)
    out = np.zeros(n, sum_dtype(weights.dtype.name))
    np.add.at(out, x.astype("int64"), weights)
    return out


def _bincount_grad(
    g: Variable, y: Variable, x: Variable, weights: Variable, minlength: int
) -> list[Variable | None]:
    if y.dtype in DISCRETE:
        return [None, zero_gradient(weights)]
    found = OPS["take"](g, x)
    return [None, found if weights.ndim else OPS["sum"](found)]


def _counted(
    x: Any, weights: Any = None, minlength: Any = None, assert_nonneg: bool = False
) -> Variable:
    """Negative numbers are an error in any case, whether `assert_nonneg` or not."""
    weights = 1 if weights is None else weights
    if not isinstance(minlength, Variable):
        return bincount.each(x, weights, minlength or 0)[0]
    found = bincount.each(x, weights, 0)[0]
    rest = OPS["alloc"](OPS["cast"](0, found.dtype), OPS["maximum"](minlength - found.size, 0))
    return OPS["join"]([found, rest])


bincount: Op = Op(
    name="bincount",
    symbol="#=",
    category=CATEGORY,
    method=False,
    doc="How often each of 0, 1, 2, … occurs in x, each time counted with its weight.",
    examples=(
        Example(draw=lambda rng: [np.array([0, 2, 2, 3]), rng.uniform(0, 1, 4)]),
        Example(draw=lambda rng: [np.array([1, 1]), np.asarray(1)], params={"minlength": 4}),
    ),
    ports=(
        Port("x", "whole numbers of 0 or more"),
        Port("weights", "a weight for each, or one", default=1),
    ),
    params=(Param("minlength", "int", 0, "the least length of the result", min=0),),
    infer=_bincount_type,
    numpy=_bincount_value,
    reads_values=True,
    call=_counted,
    grad=_bincount_grad,
    dtypes=EVERY,
    conjugates=False,
)
