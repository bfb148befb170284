"""Running sums and products along an axis, and what their slopes are made of; differences."""

from collections.abc import Callable
from typing import Any

import numpy as np

from engine.dtype_rules import accumulator, sum_dtype
from engine.errors import ShapeError
from engine.expression import Variable
from engine.makers import composed, zero_gradient
from engine.op import Example, Op, Param, Port
from engine.ops.rearranging import flip
from engine.ops.shape import flatten, merged, parted, reshape_like
from engine.types import DISCRETE, EVERY, TensorType, normalize_axis, shape_text, upcast

CATEGORY = "Reductions"

AXIS = Param("axis", "int", None, "the axis; none means the flattened tensor")
ALONG = Param("axis", "int", 0, "the axis")
REVERSE = Param("reverse", "bool", False, "start at the end of the axis")


def _running_type(x: TensorType, axis: int | None, reverse: bool) -> TensorType:
    dtype = sum_dtype(x.dtype)
    if axis is None:
        n = None if None in x.shape else int(np.prod([n or 0 for n in x.shape]))
        return TensorType(dtype, (n,), (False,))
    normalize_axis(axis, x.ndim)
    return x.with_dtype(dtype)


def _running(
    name: str,
    ufunc: np.ufunc,
    slope: Callable[[Variable, Variable, int], Variable],
    symbol: str,
    doc: str,
) -> Op:
    """An op whose elements fold all those on one side, themselves included.

    slope: the gradient from the front, of (g, x, axis).
    """

    def value(x: Any, axis: int | None, reverse: bool) -> Any:
        if axis is None:
            x, axis = np.reshape(x, -1), 0
        x = np.flip(x, axis) if reverse else x
        out = ufunc.accumulate(x, axis=axis, dtype=accumulator(x.dtype.name))
        out = out.astype(sum_dtype(x.dtype.name), copy=False)
        return np.flip(out, axis) if reverse else out

    def grad(
        g: Variable, y: Variable, x: Variable, axis: int | None, reverse: bool
    ) -> list[Variable | None]:
        if y.dtype in DISCRETE:
            return [zero_gradient(x)]
        along = 0 if axis is None else axis
        row = flatten(x) if axis is None else x
        if reverse:
            gx = flip(slope(flip(g, along), flip(row, along), along), along)
        else:
            gx = slope(g, row, along)
        return [reshape_like(gx, x) if axis is None else gx]

    return Op(
        name=name,
        symbol=symbol,
        category=CATEGORY,
        doc=doc,
        examples=(
            Example(((2, 3),)),
            Example(((2, 3),), {"axis": 1}),
            Example(((3, 2),), {"axis": 0, "reverse": True}),
        ),
        ports=(Port("x"),),
        params=(AXIS, REVERSE),
        infer=_running_type,
        numpy=value,
        grad=grad,
        dtypes=EVERY,
    )


def _cumprod_slope(g: Variable, x: Variable, axis: int) -> Variable:
    """What comes before each element, times the sum over where it goes of all on the way."""
    return products_before(x, axis) * recurrence(x, g, axis=axis, reverse=True)


cumsum: Op = _running(
    "cumsum",
    np.add,
    lambda g, x, axis: cumsum(g, axis, True),
    "Σ…",
    "The sum of each element and all before it; small integers are summed in 64 bits.",
)
cumprod: Op = _running(
    "cumprod",
    np.multiply,
    _cumprod_slope,
    "Π…",
    "The product of each element and all before it; small integers are multiplied in 64 bits.",
)


# Products of others, without dividing by what may be 0


def products_before(x: Variable, axis: int, reverse: bool = False) -> Variable:
    """For each element the product of all before it on the axis, or of all after it."""
    return shift(cumprod(x, axis, reverse), axis=axis, by=-1 if reverse else 1, value=1)


def products_of_others(x: Variable, axes: tuple[int, ...]) -> Variable:
    """For each element the product of all others along the axes, counted from the front."""
    row = merged(x, axes)
    last = row.ndim - 1
    return parted(products_before(row, last) * products_before(row, last, True), x, axes)


def _shift_value(x: Any, axis: int, by: int, value: int) -> Any:
    out = np.full_like(x, value)
    source, target = np.moveaxis(x, axis, 0), np.moveaxis(out, axis, 0)
    if by > 0:
        target[by:] = source[:-by]
    else:
        target[:by] = source[-by:]
    return out


shift: Op = Op(
    name="shift",
    symbol="→n",
    category=CATEGORY,
    hidden=True,
    method=False,
    doc="The elements moved along the axis, with a number in the places that become free.",
    examples=(
        Example(((2, 3),), {"axis": 1, "by": 1}),
        Example(((3, 2),), {"axis": 0, "by": -2, "value": 1}),
    ),
    ports=(Port("x"),),
    params=(
        ALONG,
        Param("by", "int", 1, "how many places, not 0"),
        Param("value", "int", 0, "what comes in"),
    ),
    infer=lambda x, axis, by, value: x,
    numpy=_shift_value,
    grad=lambda g, y, x, axis, by, value: [shift(g, axis=axis, by=-by)],
    dtypes=EVERY,
    conjugates=False,
)


def _recurrence_type(a: TensorType, b: TensorType, axis: int, reverse: bool) -> TensorType:
    normalize_axis(axis, b.ndim)
    pairs = zip(a.shape, b.shape, strict=False)
    if a.ndim != b.ndim or any(m != n and None not in (m, n) for m, n in pairs):
        raise ShapeError(
            f"Shapes {shape_text(a.shape)} and {shape_text(b.shape)} are not the same.",
            expected=shape_text(b.shape),
            got=shape_text(a.shape),
        )
    return b.with_dtype(upcast(a.dtype, b.dtype))


def _recurrence_value(a: Any, b: Any, axis: int, reverse: bool) -> Any:
    out = np.array(b, dtype=upcast(a.dtype.name, b.dtype.name))
    factors, found = np.moveaxis(a, axis, 0), np.moveaxis(out, axis, 0)
    if reverse:
        for k in range(len(found) - 2, -1, -1):
            found[k] += factors[k + 1] * found[k + 1]
    else:
        for k in range(1, len(found)):
            found[k] += factors[k] * found[k - 1]
    return out


def _recurrence_grad(
    g: Variable, y: Variable, a: Variable, b: Variable, axis: int, reverse: bool
) -> list[Variable | None]:
    """The two directions solve systems that are each other's transpose."""
    other = recurrence(a, g, axis=axis, reverse=not reverse)
    forward, backward = (other, y) if reverse else (y, other)
    return [backward * shift(forward, axis=axis), other]


recurrence: Op = Op(
    name="recurrence",
    symbol="aᵢ…",
    category=CATEGORY,
    hidden=True,
    method=False,
    doc="y[i] = b[i] + a[i] y[i-1] along the axis; or from the end y[i] = b[i] + a[i+1] y[i+1].",
    examples=(
        Example(((2, 4), (2, 4)), {"axis": 1}),
        Example(((4,), (4,)), {"axis": 0, "reverse": True}),
    ),
    ports=(Port("a"), Port("b")),
    params=(ALONG, REVERSE),
    infer=_recurrence_type,
    numpy=_recurrence_value,
    grad=_recurrence_grad,
    dtypes=EVERY,
)


# Differences


def _diff(x: Variable, n: int, axis: int) -> Variable:
    before = (slice(None),) * normalize_axis(axis, x.ndim)
    for _ in range(n):
        x = x[(*before, slice(1, None))] - x[(*before, slice(None, -1))]
    return x


diff = composed(
    "diff",
    symbol="Δ",
    category=CATEGORY,
    tex=r"\Delta {x}",
    doc="What each element is more than the one before it on the axis, n times over.",
    params=(
        Param("n", "int", 1, "how many times", min=0),
        Param("axis", "int", -1, "the axis"),
    ),
    body=_diff,
    dtypes=EVERY - {"bool"},
    examples=(Example(((2, 3),)), Example(((4, 3),), {"n": 2, "axis": 0})),
)
