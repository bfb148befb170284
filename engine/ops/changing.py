"""Changing parts of a tensor by index; what an index is says `engine/ops/index.py`."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from engine.errors import ShapeError, TypeMismatchError
from engine.expression import OPS, Apply, Constant, Variable
from engine.known import known_value
from engine.makers import unbroadcast, zero_gradient
from engine.op import Example, Op, Port
from engine.ops.index import WHOLE, WIRED, Array, Entries, Index
from engine.ops.indexing import CATEGORY, INDEX, INDICES, subtensor
from engine.types import COMPLEX, DISCRETE, EVERY, FLOATS, INTEGERS, TensorType, shape_text


def _changed_type(
    x: TensorType,
    value: TensorType,
    *given: TensorType,
    index: Entries,
    known: Sequence[Any],
) -> TensorType:
    part = Index.read(index, x.ndim, given, known[2:]).part(x)
    counts = value.dtype in DISCRETE and x.dtype not in DISCRETE  # which floats may round
    if not counts and np.result_type(x.dtype, value.dtype) != np.dtype(x.dtype):
        raise TypeMismatchError(
            f"Putting {value.dtype} into {x.dtype} would lose precision.",
            port="value",
            expected=x.dtype,
            got=value.dtype,
            hint=f"Cast the value to {x.dtype} first.",
        )
    lead = part.ndim - value.ndim
    fits = lead >= 0 and all(
        stretches or None in (own, other) or own == other
        for own, stretches, other in zip(
            value.shape, value.broadcastable, part.shape[lead:], strict=True
        )
    )
    if not fits:
        raise _unfit(value.shape, part.shape)
    return x


def _unfit(value: Sequence[int | None], part: Sequence[int | None]) -> ShapeError:
    return ShapeError(
        f"A value of shape {shape_text(value)} does not fit into a part of shape "
        f"{shape_text(part)}.",
        port="value",
        expected=shape_text(part),
        got=shape_text(value),
    )


def _increased_type(
    x: TensorType, value: TensorType, *given: TensorType, index: Entries, known: Sequence[Any]
) -> TensorType:
    if x.dtype == "bool":
        raise TypeMismatchError(
            "bool has no sums.", port="x", expected="a number", got="bool",
            hint="Replace the part, or cast to an integer first.",
        )  # fmt: skip
    return _changed_type(x, value, *given, index=index, known=known)


def _changed_value(
    change: Callable[[Array, Index, Any], None],
) -> Callable[..., Any]:
    """The value of an op that changes a part of a copy of x."""

    def value_of(x: Any, value: Any, *given: Any, index: Entries) -> Any:
        out = np.array(x)
        at = Index.of_values(index, out.ndim, given)
        at.check(out.shape)
        try:
            change(out, at, np.asarray(value, x.dtype))
        except (ValueError, IndexError):
            raise _unfit(value.shape, at.part(TensorType(x.dtype, x.shape)).shape) from None
        return out

    return value_of


def _increase(out: Array, at: Index, value: Any) -> None:
    if at.gathers:
        np.add.at(out, at.key, value)
    else:
        out[at.key] += value


def _assign(out: Array, at: Index, value: Any) -> None:
    out[at.key] = value


def _increased_grad(
    g: Variable, y: Variable, x: Variable, value: Variable, *given: Variable, index: Entries
) -> list[Variable | None]:
    flown = subtensor(g, list(given), index)
    return [
        g,
        zero_gradient(value) if value.dtype in DISCRETE else unbroadcast(flown, value),
        *(None for _ in given),
    ]


def _assigned_grad(
    g: Variable, y: Variable, x: Variable, value: Variable, *given: Variable, index: Entries
) -> list[Variable | None]:
    return [
        assign_at(g, 0, list(given), index),
        zero_gradient(value)
        if value.dtype in DISCRETE
        else unbroadcast(_what_stayed(g, list(given), index), value),
        *(None for _ in given),
    ]


def _what_stayed(g: Variable, given: list[Variable], index: Entries) -> Variable:
    """The part of g where an element of the value was put; 0 where a later one was put over it."""
    part = subtensor(g, given, index)
    known = [known_value(v) for v in given]
    if takes_each_once(Index.read(index, g.ndim, [v.type for v in given], known), given):
        return part
    numbers = _numbered(part)
    winners = assign_at(_numbered(g), numbers, given, index)
    won = OPS["eq"](subtensor(winners, given, index), numbers)
    return OPS["switch"](won, part, OPS["zeros_like"](part))


def _numbered(x: Variable) -> Variable:
    """The numbers of the elements, in the shape of x."""
    return OPS["reshape_like"](OPS["positions"](OPS["flatten"](x)), x)


def takes_each_once(at: Index, given: Sequence[Variable]) -> bool:
    """Whether it is plain that no place is taken twice: some array of places has none twice."""
    taken = at.taken
    return not at.gathers or any(
        taken is not None
        and item.taken.broadcastable == taken.broadcastable
        and _are_distinct(given[item.wire.number], item.wire.value)
        for item in at.gathers
    )


def _are_distinct(places: Variable, value: Array | None) -> bool:
    """Whether places are known to differ, counted from one end."""
    if value is not None and value.size:
        return len(np.unique(value)) == value.size and bool(value.min() >= 0 or value.max() < 0)
    return places.owner is not None and places.owner.op is OPS["positions"]


CHANGED = (Port("x"), Port("value", "stretched to the part"), INDICES)
EXAMPLES = (
    Example(((4, 3), (3,)), {"index": (1,)}),
    Example(((4,), (2,)), {"index": ((0, 2, None),)}),
    Example(((4, 3), (1, 3)), {"index": ((None, None, -2), None)}),
    Example(
        params={"index": (WIRED,)},
        draw=lambda rng: [
            rng.uniform(-1, 1, (4, 3)), rng.uniform(-1, 1, (3, 3)), np.array([1, 3, -1]),
        ],
    ),
    Example(
        params={"index": (WIRED, WHOLE, WIRED)},
        draw=lambda rng: [
            rng.uniform(-1, 1, (2, 2, 3)), rng.uniform(-1, 1, 2),
            np.array([0, 1, 1]), np.array([[2, 0, 0], [2, 1, 1]]),
        ],
    ),
    Example(
        params={"index": (WIRED,)},
        draw=lambda rng: [
            rng.uniform(-1, 1, (2, 3)), rng.uniform(-1, 1, ()),
            np.array([[True, False, True], [False, False, True]]),
        ],
    ),
)  # fmt: skip

increase_at: Op = Op(
    name="increase_at",
    symbol="x[i]+=",
    category=CATEGORY,
    method=False,
    doc="The tensor with the value added to a part of it, once for each time it is taken.",
    examples=EXAMPLES,
    ports=CHANGED,
    params=(INDEX,),
    infer=_increased_type,
    numpy=_changed_value(_increase),
    reads_values=True,
    grad=_increased_grad,
    conjugates=False,
    dtypes=EVERY - {"bool"},
)

assign_at: Op = Op(
    name="assign_at",
    symbol="x[i]=",
    category=CATEGORY,
    method=False,
    doc="The tensor with a part of it replaced by the value; of what is put twice the last stays.",
    examples=EXAMPLES,
    ports=CHANGED,
    params=(INDEX,),
    infer=_changed_type,
    numpy=_changed_value(_assign),
    reads_values=True,
    grad=_assigned_grad,
    conjugates=False,
    dtypes=EVERY,
)


# From Python


def set_subtensor(
    x: Any, y: Any, inplace: bool = False, tolerate_inplace_aliasing: bool = False
) -> Variable:
    """The tensor of which x is a part, with that part replaced: `set_subtensor(v[2:], 1)`.

    x: an indexed tensor.  Of `v[a][b]` that tensor is `v[a]`.  y: the new part; it is stretched
    where it is broadcastable, and may not lose precision.
    inplace, tolerate_inplace_aliasing: without effect; where memory can be reused, it is.
    """
    return _changed(assign_at, x, y)


def inc_subtensor(
    x: Any,
    y: Any,
    inplace: bool = False,
    set_instead_of_inc: bool = False,
    tolerate_inplace_aliasing: bool = False,
    ignore_duplicates: bool = False,
) -> Variable:
    """The tensor of which x is a part, with y added there: `inc_subtensor(v[[1, 1]], 2)` adds 4.

    set_instead_of_inc: replace it, as set_subtensor does.
    ignore_duplicates: add once where a place is taken several times, as NumPy's `v[i] += y`.
    For all else see set_subtensor.
    """
    if set_instead_of_inc:
        return _changed(assign_at, x, y)
    return _changed(assign_at, x, x + y) if ignore_duplicates else _changed(increase_at, x, y)


def _changed(op: Op, part: Any, value: Any) -> Variable:
    owner = part.owner if isinstance(part, Variable) else None
    if owner is not None and owner.op is subtensor:
        (x, *given), entries = owner.inputs, owner.params["index"]
    elif owner is not None and _adds_axes(owner):
        (x,), given = owner.inputs, []
        entries = tuple(None if p is None else WHOLE for p in owner.params["pattern"])
    else:
        raise TypeMismatchError(
            f"{part!r} is not a part of a tensor.",
            port="x",
            expected="an indexed tensor such as x[2]",
            got=str(part.type) if isinstance(part, Variable) else type(part).__name__,
            hint="Index last: set_subtensor(x[2:], y), and x.T[2:] in place of x[:, 2:].T.",
        )
    changed: Variable = op(x, _fitting(value, x.dtype), given, entries)
    return changed


def _adds_axes(node: Apply) -> bool:
    """Whether it is an index such as x[:, None]."""
    if node.op is not OPS["dimshuffle"]:
        return False
    kept = tuple(p for p in node.params["pattern"] if p is not None)
    return kept == tuple(range(node.inputs[0].ndim))


def _fitting(value: Any, dtype: str) -> Any:
    """A plain number in the dtype of the tensor that it is put into, if that is of its kind."""
    match value:
        case bool() | np.generic():
            return value
        case int() if dtype in INTEGERS:
            bounds = np.iinfo(dtype)
            return Constant(value, dtype) if bounds.min <= value <= bounds.max else value
        case int() | float() if dtype in FLOATS | COMPLEX:
            return Constant(value, dtype)
        case complex() if dtype in COMPLEX:
            return Constant(value, dtype)
        case _:
            return value


Variable.changed = lambda name, part, value: _changed(OPS[name], part, value)
