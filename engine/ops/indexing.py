"""Reading parts of a tensor by index; what an index is says `engine/ops/index.py`."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from engine.errors import TypeMismatchError
from engine.expression import OPS, Constant, Variable, as_variable
from engine.makers import zero_gradient
from engine.op import Example, Op, Param, Port
from engine.ops.index import (
    REST,
    WHOLE,
    WIRED,
    Entries,
    Entry,
    Index,
    Layout,
)
from engine.ops.slices import regular
from engine.types import DISCRETE, EVERY, INTEGERS, TensorType

CATEGORY = "Indexing"
INDEX = Param(
    "index",
    "index",
    (),
    "what is taken of each axis: 0, -1, 1:3, ::2; ... for all axes between, new for a new one, "
    "and ? for an index or a bound that is wired into indices, as in ?, ?:?",
)
INDICES = Port(
    "indices",
    "for each ? of the index, in order: an integer, integers, or a mask of bools",
    variadic=True,
)
REPEATING = Example(
    params={"index": (WIRED,)},
    draw=lambda rng: [rng.uniform(-1, 1, (4, 3)), np.array([[0, -1, 2], [0, 3, 3]])],
)


def _subtensor_type(
    x: TensorType, *given: TensorType, index: Entries, known: Sequence[Any]
) -> TensorType:
    return Index.read(index, x.ndim, given, known[1:]).part(x)


def _subtensor_value(x: Any, *given: Any, index: Entries) -> Any:
    at = Index.of_values(index, x.ndim, given)
    at.check(x.shape)
    try:
        return x[at.key]
    except IndexError:
        at.part(TensorType(x.dtype, x.shape))  # says in our words what does not fit together
        raise


def _subtensor_view(
    shape: tuple[int, ...], strides: tuple[int, ...], index: Entries, known: Sequence[Any]
) -> Layout | None:
    given = known[1:]
    if any(value is None for value in given):
        return None
    return Index.of_values(index, len(shape), given).layout(shape, strides)


def _regular_type(
    inputs: Sequence[Variable],
    types: Sequence[TensorType],
    value: Callable[[Variable], Any],
    index: Entries,
) -> TensorType:
    x, *wired = types
    given = inputs[1:]
    at = Index.read(index, x.ndim, wired, [value(v) for v in given])
    return regular(at, given, x.shape, value).part(x)


def _subtensor_grad(
    g: Variable, y: Variable, x: Variable, *given: Variable, index: Entries
) -> list[Variable | None]:
    zeros = zero_gradient(x)
    spread = zeros if x.dtype in DISCRETE else OPS["increase_at"](zeros, g, list(given), index)
    return [spread, *(None for _ in given)]


subtensor = Op(
    name="subtensor",
    symbol="x[i]",
    category=CATEGORY,
    method=False,
    doc="Part of a tensor: places, slices, or what a mask or an array of integers selects.",
    examples=(
        Example(((4, 3),), {"index": (1,)}),
        Example(((4, 3),), {"index": ((1, None, 2), -1)}),
        Example(((4, 3),), {"index": (REST, None, (None, None, -1))}),
        Example(((4, 3), ()), {"index": (WIRED,)}, ("float64", "int64")),
        Example(
            params={"index": ((None, WIRED, None), WIRED)},
            draw=lambda rng: [rng.uniform(-1, 1, (4, 3)), np.array(3), np.array(1)],
        ),
        REPEATING,
        Example(
            params={"index": (WIRED, WHOLE, WIRED)},
            draw=lambda rng: [
                rng.uniform(-1, 1, (4, 3, 2)), np.array([0, 1, 1]), np.array([1, 0, 1]),
            ],
        ),
        Example(
            params={"index": (0, WIRED, None)},
            draw=lambda rng: [rng.uniform(-1, 1, (2, 3)), np.array([1, 1])],
        ),
    ),
    ports=(Port("x"), INDICES),
    params=(INDEX,),
    infer=_subtensor_type,
    numpy=_subtensor_value,
    view=_subtensor_view,
    regular=_regular_type,
    reads_values=True,
    grad=_subtensor_grad,
    conjugates=False,
    dtypes=EVERY,
)  # fmt: skip


# From Python


def index(x: Variable, key: Any) -> Variable:
    """`x[key]`, read as NumPy reads it; any number in it may be a variable of the graph.

    That is integers, slices, None, Ellipsis, arrays of integers and masks of bools, one for each
    axis or in a tuple.  A list with a slice in it is no array, and read as a tuple.
    """
    given: list[Variable] = []
    if isinstance(key, list) and any(isinstance(k, slice) for k in key):
        key = tuple(key)
    entries = [_entry(k, given) for k in (key if isinstance(key, tuple) else (key,))]
    if entries.count(REST) == 1 and entries[-1] == REST:
        entries.pop()
    if entries.count(REST) == 1 and not any(v.ndim for v in given):
        # Next to arrays an ellipsis is kept: even one for no axis stands between them.
        at = entries.index(REST)
        others = sum(e is not None for e in entries) - 1
        entries[at : at + 1] = [WHOLE] * (x.ndim - others)
    used = len(entries) - entries.count(None) - entries.count(REST)
    used += sum(v.ndim - 1 for v in given if v.dtype == "bool" and v.ndim)
    while entries[-1:] == [WHOLE] and REST not in entries and used <= x.ndim:
        entries.pop()
    only_new = None in entries and all(e in (WHOLE, None) for e in entries)
    if only_new and entries.count(WHOLE) <= x.ndim:
        axes = iter(range(x.ndim))
        pattern = [None if e is None else next(axes) for e in entries]
        return OPS["dimshuffle"](x, (*pattern, *axes))
    return subtensor(x, given, tuple(entries))


def _entry(k: Any, given: list[Variable]) -> Entry:
    """The entry for a part of a key; what has to be wired in is added to `given`."""
    if k is None:
        return None
    if k is Ellipsis:
        return REST
    if isinstance(k, slice):
        start, stop, step = (
            None if b is None else _number(b, given) for b in (k.start, k.stop, k.step)
        )
        return start, stop, step
    return _number(k, given)


def _number(k: Any, given: list[Variable]) -> int | str:
    """The number itself where it is known, or "?" for what has to be wired in."""
    try:
        v = as_variable(np.zeros(0, "int64") if isinstance(k, list | tuple) and not k else k)
    except TypeMismatchError:
        raise TypeMismatchError(
            f"{k!r} is no index.",
            expected="integers, slices, None, ..., arrays of integers, or masks of bools",
            got=type(k).__name__,
            hint="Parts of an index stand in a tuple, as in x[0, 1:3].",
        ) from None
    if isinstance(v, Constant) and v.ndim == 0 and v.dtype in INTEGERS:
        return int(v.data)
    given.append(v)
    return WIRED


Variable.indexed = index
