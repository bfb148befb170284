"""Order: sorted elements, the largest ones, places in a sorted row."""

from collections.abc import Sequence
from math import inf
from typing import Any

import numpy as np

from engine.errors import ParameterError, ShapeError, TypeMismatchError
from engine.expression import OPS, Variable
from engine.makers import composed, zero_gradient
from engine.op import Example, Op, Param, Port
from engine.ops.shape import flatten, reshape_like
from engine.types import EVERY, INTEGERS, TensorType, normalize_axis

CATEGORY = "Sorting"

KIND = Param(
    "kind",
    "string",
    "quicksort",
    "how; only mergesort and stable keep equal elements in their order",
    choices=("quicksort", "mergesort", "heapsort", "stable"),
)
AXIS = Param("axis", "int", -1, "the axis; none means the flattened tensor")
INDEX_DTYPE = Param("idx_dtype", "dtype", "int64", "the integer dtype of the places")


# Sorting


def flattened_type(x: TensorType, axis: int | None) -> TensorType:
    """The type itself, or that of its elements in one row where no axis is named."""
    if axis is None:
        n = None if None in x.shape else int(np.prod([n or 0 for n in x.shape]))
        return TensorType(x.dtype, (n,), (False,))
    normalize_axis(axis, x.ndim)
    return x


def put_along(x: Variable, places: Variable, model: Variable, axis: int) -> Variable:
    """Zeros in the shape of the model, with the elements of x added at places along the axis."""
    zeros = OPS["zeros_like"](model, dtype=x.dtype)
    return OPS["take_along_axis"](zeros, places, axis).inc(x)


def _sort_grad(
    g: Variable, y: Variable, x: Variable, axis: int | None, kind: str
) -> list[Variable | None]:
    row, along = (flatten(x), 0) if axis is None else (x, axis)
    gx = put_along(g, argsort(row, along, kind), row, along)
    return [reshape_like(gx, x) if axis is None else gx]


def _ordered(name: str) -> Any:
    def call(a: Any, axis: Any = -1, kind: str = "quicksort", order: Any = None) -> Variable:
        """Theano's `order` is for arrays of records, which there are none of."""
        if order is not None:
            raise ParameterError(
                "Tensors have no fields to be sorted by.", port="order", got=str(order)
            )
        return OPS[name].each(a, axis=axis, kind=kind)[0]

    return call


SORTED = (
    Example(((2, 3),)),
    Example(((3, 2),), {"axis": 0, "kind": "stable"}),
    Example(((2, 3),), {"axis": None}),
)

sort: Op = Op(
    name="sort",
    symbol="≤≤",
    category=CATEGORY,
    doc="The elements in rising order along the axis; NaN comes last.",
    examples=SORTED,
    ports=(Port("x"),),
    params=(AXIS, KIND),
    infer=lambda x, axis, kind: flattened_type(x, axis),
    numpy=lambda x, axis, kind: np.sort(x, axis, kind),
    call=_ordered("sort"),
    grad=_sort_grad,
    dtypes=EVERY,
    conjugates=False,
)

argsort: Op = Op(
    name="argsort",
    symbol="i≤≤",
    category=CATEGORY,
    doc="Where the elements are, along the axis, that come first, second, and so on when sorted.",
    bounds=(0, inf),
    examples=SORTED,
    ports=(Port("x"),),
    params=(AXIS, KIND),
    infer=lambda x, axis, kind: flattened_type(x, axis).with_dtype("int64"),
    numpy=lambda x, axis, kind: np.asarray(np.argsort(x, axis, kind), "int64"),
    call=_ordered("argsort"),
    grad=lambda g, y, x, axis, kind: [zero_gradient(x)],
    dtypes=EVERY,
)


# The largest or smallest


def _check_kth(kth: int, n: int | None) -> int:
    """How many elements are taken; raises where there are not so many."""
    if kth == 0 or (n is not None and abs(kth) > n):
        length = "?" if n is None else n
        raise ShapeError(
            f"The {abs(kth)} {'largest' if kth >= 0 else 'smallest'} of {length} elements "
            "cannot be taken.",
            port="kth",
            expected=f"1 to {length}, or as much below 0",
            got=str(kth),
        )
    return abs(kth)


def _topk_type(
    x: TensorType,
    kth: TensorType,
    axis: int | None,
    sorted: bool,
    idx_dtype: str,
    known: Sequence[Any],
) -> tuple[TensorType, TensorType]:
    row = flattened_type(x, axis)
    along = normalize_axis(0 if axis is None else axis, row.ndim)
    if kth.ndim or kth.dtype not in INTEGERS or idx_dtype not in INTEGERS:
        raise TypeMismatchError(
            "How many elements are taken, and the dtype of their places, must be integers.",
            port="kth",
            expected="an integer scalar",
            got=f"{kth}, and {idx_dtype}",
        )
    n = None if known[1] is None else _check_kth(int(known[1]), row.shape[along])
    shape = [n if i == along else m for i, m in enumerate(row.shape)]
    pattern = [b and i != along for i, b in enumerate(row.broadcastable)]
    return TensorType(x.dtype, shape, pattern), TensorType(idx_dtype, shape, pattern)


def _topk_value(
    x: Any, kth: Any, axis: int | None, sorted: bool, idx_dtype: str
) -> tuple[Any, Any]:
    row, along = (np.reshape(x, -1), 0) if axis is None else (x, axis)
    row = np.moveaxis(row, along, -1)
    n, smallest = row.shape[-1], int(kth) < 0
    k = _check_kth(int(kth), n)
    if not sorted:
        part = np.argpartition(row, k - 1 if smallest else n - k)
        places = np.sort(part[..., :k] if smallest else part[..., n - k :])
    elif smallest:
        places = np.argsort(row, kind="stable")[..., :k]
    else:  # from the end, so that of equal elements the first one comes first
        places = n - 1 - np.argsort(row[..., ::-1], kind="stable")[..., : -k - 1 : -1]
    values = np.take_along_axis(row, places, -1)
    return np.moveaxis(values, -1, along), np.moveaxis(places.astype(idx_dtype), -1, along)


def _topk_grad(
    gs: Sequence[Variable],
    ys: Sequence[Variable],
    x: Variable,
    kth: Variable,
    axis: int | None,
    sorted: bool,
    idx_dtype: str,
) -> list[Variable | None]:
    row, along = (flatten(x), 0) if axis is None else (x, axis)
    gx = put_along(gs[0], ys[1], row, along)
    return [reshape_like(gx, x) if axis is None else gx, None]


TOP = (Port("x"), Port("kth", "how many; below 0 it is the smallest ones"))
TOP_PARAMS = (
    AXIS,
    Param("sorted", "bool", True, "the outermost first; else in the order in which they stand"),
    INDEX_DTYPE,
)
TOP_EXAMPLES = (
    Example(draw=lambda rng: [rng.uniform(-3, 3, (2, 4)), 2]),
    Example(
        draw=lambda rng: [rng.uniform(-3, 3, (4, 2)), -3],
        params={"axis": 0, "sorted": False, "idx_dtype": "int32"},
    ),
    Example(draw=lambda rng: [rng.uniform(-3, 3, (2, 3)), 1], params={"axis": None}),
)

topk_and_argtopk: Op = Op(
    name="topk_and_argtopk",
    symbol="k↑",
    category=CATEGORY,
    method=False,
    doc="The k largest elements along the axis and where they are; NaN counts as largest.",
    examples=TOP_EXAMPLES,
    ports=TOP,
    results=("values", "places"),
    params=TOP_PARAMS,
    infer=_topk_type,
    numpy=_topk_value,
    reads_values=True,
    grad=_topk_grad,
    dtypes=EVERY,
    conjugates=False,
)


def _top(name: str, symbol: str, doc: str, result: int) -> Op:
    return composed(
        name,
        symbol=symbol,
        category=CATEGORY,
        method=False,
        doc=doc,
        examples=TOP_EXAMPLES,
        ports=TOP,
        params=TOP_PARAMS,
        reads_values=True,
        body=lambda x, kth, **params: topk_and_argtopk.each(x, kth, **params)[result],
        dtypes=EVERY,
    )


topk = _top("topk", "k↑", "The k largest elements along the axis; NaN counts as largest.", 0)
argtopk = _top("argtopk", "ik↑", "Where the k largest elements along the axis are.", 1)


# Places in a sorted row


def _searchsorted_type(x: TensorType, v: TensorType, side: str) -> TensorType:
    if x.ndim != 1:
        raise TypeMismatchError(
            "Places are looked for in a sorted vector.",
            port="x",
            expected="a vector",
            got=str(x),
        )
    return v.with_dtype("int64")


def _searched(x: Any, v: Any, side: str = "left", sorter: Any = None) -> Variable:
    if sorter is not None:
        x = OPS["take"](x, sorter, axis=0)
    return searchsorted.each(x, v, side)[0]


searchsorted: Op = Op(
    name="searchsorted",
    symbol="≤i<",
    category=CATEGORY,
    doc="How many elements of the sorted vector x come before each v.",
    examples=(
        Example(draw=lambda rng: [np.array([-2.0, 0.5, 0.5, 2.0]), rng.uniform(-3, 3, (2, 3))]),
        Example(
            draw=lambda rng: [np.array([1.0, 2.0, 3.0]), np.array(2.0)], params={"side": "right"}
        ),
    ),
    ports=(Port("x", "a vector in rising order"), Port("v", "what is looked for")),
    params=(
        Param(
            "side",
            "string",
            "left",
            "whether equal elements come after (left) or before v",
            choices=("left", "right"),
        ),
    ),
    infer=_searchsorted_type,
    numpy=lambda x, v, side: np.asarray(np.searchsorted(x, v, side), "int64"),
    call=_searched,
    grad=lambda g, y, x, v, side: [zero_gradient(x), zero_gradient(v)],
    dtypes=EVERY,
)
