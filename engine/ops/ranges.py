"""Numbers in a row: ranges, evenly spaced points, windows."""

import math
from collections.abc import Sequence
from math import inf
from typing import Any

import numpy as np

from engine.errors import ParameterError, ShapeError, TypeMismatchError
from engine.expression import OPS, Constant, Variable
from engine.makers import composed, zero_gradient
from engine.op import Example, Op, Param, Port
from engine.ops.shape import check_lengths
from engine.types import COMPLEX, DISCRETE, TensorType, check_ordered, upcast

CATEGORY = "Creation"


def _positions_type(x: TensorType) -> TensorType:
    if not x.ndim:
        raise ShapeError("A number has no places to count.", expected="one axis or more", got="()")
    return TensorType("int64", x.shape[:1], (False,))


positions = Op(
    name="positions",
    symbol="0…n",
    category=CATEGORY,
    method=False,
    doc="The integers from 0 up to, not including, the length of the first axis of x.",
    bounds=(0, inf),
    examples=(Example(((4, 2),)),),
    ports=(Port("x"),),
    infer=_positions_type,
    numpy=lambda x: np.arange(np.shape(x)[0], dtype="int64"),
    from_shape=True,
    hidden=True,
    no_grad="it counts",
)


def _check_scalars(types: Sequence[TensorType]) -> None:
    for t in types:
        check_ordered(t)
        if t.ndim:
            raise TypeMismatchError(
                "The ends of a range are single numbers.", expected="a scalar", got=str(t)
            )


# arange


def _count(start: Any, stop: Any, step: Any) -> int:
    """How many numbers there are in a range; ParameterError where that has no answer."""
    if not all(map(math.isfinite, (start, stop, step))) or not step:
        raise ParameterError(
            f"There is no range from {start} to {stop} in steps of {step}.",
            port="step",
            expected="finite numbers, and a step that is not 0",
            got=str(step),
        )
    if all(isinstance(v, int) for v in (start, stop, step)):
        return len(range(start, stop, step))
    return max(0, math.ceil(float(stop - start) / float(step)))


def _arange_type(*ends: TensorType, dtype: str | None, known: Sequence[Any]) -> TensorType:
    _check_scalars(ends)
    if dtype is None:
        dtype = upcast(*(t.dtype for t in ends))
        if dtype in DISCRETE:
            dtype = "uint64" if dtype.startswith("uint") else "int64"
    if dtype in COMPLEX or dtype == "bool":
        raise ParameterError(
            f"There is no range of {dtype}.", port="dtype", expected="integers or floats", got=dtype
        )
    n = None if any(v is None for v in known) else _count(*(v.item() for v in known))
    return TensorType(dtype, (n,), (False,))


def _arange_value(*ends: Any, dtype: str | None) -> Any:
    ends = tuple(np.asarray(v) for v in ends)
    types = [TensorType(v.dtype) for v in ends]
    values = [v.item() for v in ends]
    n = _count(*values)
    made = np.arange(*values, dtype=_arange_type(*types, dtype=dtype, known=(None,)).dtype)
    return made[:n]


def _arange_grad(
    g: Variable, y: Variable, start: Variable, stop: Variable, step: Variable, dtype: str | None
) -> list[Variable | None]:
    """Where it stops only decides how many numbers there are."""
    if y.dtype in DISCRETE:
        return [zero_gradient(start), None, zero_gradient(step)]
    return [OPS["sum"](g), None, OPS["sum"](g * OPS["cast"](positions(y), g.dtype))]


def _ranged(start: Any, stop: Any = None, step: Any = 1, dtype: Any = None) -> Variable:
    """A single argument is where it stops; it starts at 0 then."""
    if stop is None:
        start, stop = 0, start
    return arange.each(start, stop, step, dtype=dtype)[0]


arange: Op = Op(
    name="arange",
    symbol="i…j",
    category=CATEGORY,
    method=False,
    doc="The numbers from start up to, not including, stop; integers are 64 bits wide.",
    examples=(
        Example(draw=lambda rng: [np.asarray(0.6), np.asarray(3.2), np.asarray(0.7)]),
        Example(draw=lambda rng: [np.asarray(3), np.asarray(-4), np.asarray(-2)]),
        Example(draw=lambda rng: [0, 4, 1], params={"dtype": "float32"}),
    ),
    ports=(
        Port("start", "the first number", default=0),
        Port("stop", "where it ends"),
        Port("step", "from one number to the next", default=1),
    ),
    params=(Param("dtype", "dtype", None, "the dtype; none means that of the three together"),),
    infer=_arange_type,
    numpy=_arange_value,
    reads_values=True,
    call=_ranged,
    grad=_arange_grad,
)


# Points between two ends

SPACED = (
    Port("start", "the first point"),
    Port("stop", "the last point"),
    Port("num", "how many points", default=50),
)
SPACED_EXAMPLES = (
    Example(draw=lambda rng: [np.asarray(-1.5), np.asarray(2.0), 5]),
    Example(draw=lambda rng: [np.asarray(0.5), np.asarray(2.0), 4], params={"endpoint": False}),
)
ENDPOINT = Param("endpoint", "bool", True, "whether the last point is stop itself")
FLOATX = Param("dtype", "dtype", "floatX", "the dtype of every element")


def _check_number(num: int) -> int:
    if num < 0:
        raise ParameterError(
            f"There cannot be {num} points.", port="num", expected="0 or more", got=str(num)
        )
    return num


def _linspace_type(
    start: TensorType,
    stop: TensorType,
    num: TensorType,
    endpoint: bool,
    dtype: str,
    known: Sequence[Any],
) -> TensorType:
    _check_scalars([start, stop])
    check_lengths([num])
    n = None if known[2] is None else _check_number(int(known[2]))
    return TensorType(dtype, (n,), (False,))


def _linspace_grad(
    g: Variable,
    y: Variable,
    start: Variable,
    stop: Variable,
    num: Variable,
    endpoint: bool,
    dtype: str,
) -> list[Variable | None]:
    if dtype in DISCRETE:
        return [zero_gradient(start), zero_gradient(stop), None]
    last = OPS["maximum"](num - 1 if endpoint else num, 1)
    share = OPS["cast"](positions(y), dtype) / OPS["cast"](last, dtype)
    return [OPS["sum"](g * (1 - share)), OPS["sum"](g * share), None]


def _spaced(
    start: Any, stop: Any, num: Any = 50, endpoint: bool = True, dtype: Any = "floatX"
) -> Variable:
    return linspace.each(start, stop, num, endpoint, dtype)[0]


linspace: Op = Op(
    name="linspace",
    symbol="i…j",
    category=CATEGORY,
    method=False,
    doc="So many points at even distances between two ends.",
    examples=SPACED_EXAMPLES,
    ports=SPACED,
    params=(ENDPOINT, FLOATX),
    infer=_linspace_type,
    numpy=lambda start, stop, num, endpoint, dtype: np.linspace(
        float(start), float(stop), _check_number(int(num)), endpoint, dtype=dtype
    ),
    reads_values=True,
    call=_spaced,
    grad=_linspace_grad,
)


def _logspace(
    start: Variable, stop: Variable, num: Variable, endpoint: bool, base: float, dtype: str
) -> Variable:
    return Constant(base, dtype) ** _spaced(start, stop, num, endpoint, dtype)


def _powers(
    start: Any,
    stop: Any,
    num: Any = 50,
    endpoint: bool = True,
    base: float = 10.0,
    dtype: Any = "floatX",
) -> Variable:
    return logspace.each(start, stop, num, endpoint, base, dtype)[0]


logspace: Op = composed(
    "logspace",
    symbol="bⁱ…",
    category=CATEGORY,
    method=False,
    doc="So many points between two powers of a base, each the same multiple of the one before.",
    examples=SPACED_EXAMPLES,
    ports=SPACED,
    params=(ENDPOINT, Param("base", "float", 10.0, "whose powers the points are"), FLOATX),
    reads_values=True,
    body=_logspace,
    call=_powers,
)


# Windows


def _window(name: str, doc: str) -> Op:
    """A window of NumPy's, by the number of its points."""

    def infer(M: TensorType, known: Sequence[Any]) -> TensorType:
        check_lengths([M])
        n = None if known[0] is None else max(int(known[0]), 0)
        return TensorType("float64", (n,), (False,))

    return Op(
        name=name,
        symbol="∧",
        category=CATEGORY,
        method=False,
        doc=doc,
        examples=(Example(draw=lambda rng: [7]), Example(draw=lambda rng: [0])),
        ports=(Port("M", "how many points"),),
        infer=infer,
        numpy=lambda M: np.asarray(getattr(np, name)(int(M)), "float64"),
        reads_values=True,
        grad=lambda g, y, M: [None],
        dtypes=DISCRETE - {"bool"},
    )


bartlett = _window("bartlett", "A window of M points that rises and falls in straight lines.")
blackman = _window("blackman", "A window of M points of three cosines, with low side lobes.")
hamming = _window("hamming", "A window of M points, a raised cosine that does not reach 0.")
hanning = _window("hanning", "A window of M points, a raised cosine that starts and ends at 0.")
