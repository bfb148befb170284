"""What a loop does to one row after another, done to all rows at once.

Rows are a tensor with an axis in front, along which a loop walks or has walked.
"""

from __future__ import annotations

from collections.abc import Sequence

from engine.errors import EngineError
from engine.expression import OPS, Apply, Variable
from engine.known import known_value
from engine.ops.index import WHOLE, WIRED
from engine.ops.loop import Loop
from engine.types import TensorType, normalize_axes

FOLDS = frozenset({"sum", "prod", "mean", "max", "min", "any", "all"})
"""Ops with a parameter axis, which may be several axes or all of them."""

ALONG = frozenset({"softmax", "logsoftmax"})
"""Ops that treat each line along one axis by itself."""


def extent(v: Variable) -> int:
    """How many axes the variable is walked along: those that do not stretch."""
    return v.ndim - sum(v.broadcastable)


def stacked(v: Variable) -> Variable:
    """A stand-in for the rows of which v is one."""
    return Variable(TensorType(v.dtype, (None, *v.type.shape), (False, *v.broadcastable)))


def on_all_rows(
    node: Apply, inputs: Sequence[Variable], are_rows: Sequence[bool]
) -> Variable | None:
    """The rows of what an apply computes of one row, None where there is no way known.

    inputs: in place of its own, rows where `are_rows` says so, else what is the same for all.
    """
    if len(node.outputs) > 1 or not any(are_rows):
        return None
    try:
        out = _on_all_rows(node, list(inputs), list(are_rows))
    except EngineError:
        return None
    if out is None:
        return None
    if out.dtype != node.out.dtype:
        out = OPS["cast"](out, node.out.dtype)
    fits = out.ndim == node.out.ndim + 1 and out.broadcastable[1:] == node.out.broadcastable
    return out if fits and not out.broadcastable[0] else None


def _on_all_rows(node: Apply, inputs: list[Variable], are_rows: list[bool]) -> Variable | None:
    op, params, rank = node.op, node.params, node.out.ndim
    if op.is_elementwise or op.name == "cast":
        pairs = zip(inputs, are_rows, strict=True)
        return op.apply([_led(v, rank) if rows else v for v, rows in pairs], params).out
    match op.name:
        case "dot":
            (x, y), (x_rows, y_rows) = inputs, are_rows
            return _dot(x, y, x_rows, y_rows)
        case "batched_matmul":
            pairs = zip(inputs, are_rows, strict=True)
            return op.apply([_led(v, rank) if rows else v for v, rows in pairs], params).out
        case "dimshuffle":
            pattern = (None if a is None else a + 1 for a in params["pattern"])
            return op.apply(inputs, {"pattern": (0, *pattern)}).out
        case "subtensor" if len(inputs) == 1:
            return op.apply(inputs, {"index": (WHOLE, *params["index"])}).out
        case name if name in FOLDS and rank < node.inputs[0].ndim:
            axes = tuple(a + 1 for a in normalize_axes(params["axis"], node.inputs[0].ndim))
            return op.apply(inputs, {**params, "axis": axes}).out
        case name if name in ALONG and params["axis"] is not None:
            axis = params["axis"]
            return op.apply(inputs, {**params, "axis": axis + 1 if axis >= 0 else axis}).out
    return None


def _led(rows: Variable, rank: int) -> Variable:
    """Rows whose elements have so many axes: new ones in front, as broadcasting puts them."""
    missing = rank + 1 - rows.ndim
    if not missing:
        return rows
    return rows.dimshuffle(0, *["x"] * missing, *range(1, rows.ndim))


def _dot(x: Variable, y: Variable, x_rows: bool, y_rows: bool) -> Variable | None:
    own = x.ndim - x_rows, y.ndim - y_rows
    if 0 in own:
        return None
    if not y_rows:
        return OPS["dot"](x, y)
    if not x_rows:
        match own:
            case 1 | 2, 1:
                return OPS["dot"](y, x.T)
            case 1, 2:
                return OPS["dot"](x, y)
            case 2, 2:
                return OPS["batched_matmul"](x, y)
        return None
    match own:
        case 1, 1:
            return OPS["sum"](x * y, axis=1)
        case 2, 2:
            return OPS["batched_matmul"](x, y)
        case 1, 2:
            return OPS["batched_matmul"](x.dimshuffle(0, "x", 1), y)[:, 0]
        case 2, 1:
            return OPS["batched_matmul"](x, y.dimshuffle(0, 1, "x"))[:, :, 0]
    return None


def summed_product(node: Apply, inputs: Sequence[Variable]) -> Variable | None:
    """The sum over all rows of a product of two of them, itself a product; None for any other op.

    inputs: the rows in place of the apply's own inputs.
    """
    if node.op.name not in {"dot", "outer"}:
        return None
    x, y = inputs
    match node.op.name, *(v.ndim for v in node.inputs):
        case "outer", 1, 1:
            return OPS["dot"](x.T, y)
        case "dot", 2, 2:
            return OPS["tensordot"](x, y, axes=[[0, 2], [0, 1]])
        case "dot", 1, 1:
            return OPS["sum"](x * y)
    return None


def sum_of_rows(rows: Variable, dtype: str) -> Variable:
    """All rows added up, in this dtype: integers wrap around however they are added."""
    total = OPS["sum"](rows if rows.dtype == dtype else OPS["cast"](rows, dtype), axis=0)
    return total if total.dtype == dtype else OPS["cast"](total, dtype)


# How many rows there are.

DEPTH = 16
"""How far down a length is looked for."""


def surplus(x: Variable, steps: Variable) -> int | None:
    """How many more rows x has than a loop takes steps, None where that is not known."""
    return _surplus(x, steps)[0]


def is_long_enough(x: Variable, steps: Variable) -> bool:
    """Whether a loop surely finds a row of x for each of its steps."""
    least = _surplus(x, steps)[1]
    return least is not None and least >= 0


def _surplus(x: Variable, steps: Variable) -> tuple[int | None, int | None]:
    """How many more rows than steps there are: exactly, and at least."""
    cut = 0
    capped: int | None = None  # what was left out of rows that were cut down to the steps
    lengths = _least_of(steps)

    def found(more: int, exact: bool = True) -> tuple[int | None, int | None]:
        if capped is None:
            return more if exact else None, more
        return (-capped, -capped) if more >= 0 else (None, None)

    for _ in range(DEPTH):
        if x in lengths:
            return found(-cut, exact=_is_length(steps))
        count, length = known_value(steps), x.type.shape[0]
        if count is not None and length is not None:
            return found(length - int(count) - cut)
        node = x.owner
        if node is None:
            break
        match node.op.name:
            case "scan":
                loop = Loop(**node.params)
                if loop.until or loop.kept(x.index) or not is_same(node.inputs[0], steps):
                    break
                return found(loop.depths[x.index] - cut)
            case "subtensor" if node.params["index"] == ((None, WIRED, None),):
                if node.inputs[1] is not steps or capped is not None:
                    break
                capped, cut = cut, 0
            case "subtensor":
                own = _cut(node)
                if own is None:
                    break
                cut += own
            case "dimshuffle" if node.params["pattern"][0] != 0:
                break
            case name if name in FOLDS and node.out.ndim < node.inputs[0].ndim:
                if 0 in normalize_axes(node.params["axis"], node.inputs[0].ndim):
                    break
            case "dot" if node.inputs[0].ndim < 2:
                break
            case "softmax" | "logsoftmax" | "dot" | "dimshuffle" | "increase_at" | "assign_at":
                pass
            case _ if node.op.is_elementwise or node.op.name == "cast":
                long = [v for v in node.inputs if v.ndim == x.ndim and not v.broadcastable[0]]
                if not long:
                    break
                x = long[0]
                continue
            case _:
                break
        x = node.inputs[0]
    return None, None


def is_same(x: Variable, y: Variable) -> bool:
    """Whether two numbers of steps are the same, as far as can be seen."""
    if x is y:
        return True
    values = known_value(x), known_value(y)
    return values[0] is not None and values[1] is not None and int(values[0]) == int(values[1])


def _least_of(steps: Variable) -> list[Variable]:
    """The tensors of which the shortest, or the only one, has so many rows."""
    found: list[Variable] = []
    waiting = [steps]
    for _ in range(DEPTH):
        if not waiting:
            break
        node = waiting.pop().owner
        if node is None:
            continue
        if node.op.name == "minimum":
            waiting += node.inputs
        elif _is_length(node.out):
            shape = node.inputs[0].owner
            found += shape.inputs if shape is not None else ()
    return found


def _is_length(v: Variable) -> bool:
    """Whether this is the length of the first axis of something."""
    node = v.owner
    if node is None or node.op.name != "subtensor" or node.params["index"] != (0,):
        return False
    shape = node.inputs[0].owner
    return shape is not None and shape.op.name == "shape"


def _cut(node: Apply) -> int | None:
    """How many rows a part leaves out, None where that is not known."""
    index = node.params["index"]
    if not index or not isinstance(index[0], tuple) or node.inputs[0].ndim < 1:
        return None
    start, stop, step = index[0]
    if index[0] == (None, None, -1):
        return 0
    if step not in (None, 1) or WIRED in (start, stop):
        return None
    if (start or 0) < 0 or (stop is not None and stop >= 0):
        return None
    return (start or 0) - (stop or 0)


def walked_rows(x: Variable, steps: Variable, *, reverse: bool) -> Variable:
    """Of a sequence the rows through which a loop walks, in the order of x or reversed."""
    if surplus(x, steps) != 0:
        x = x[:steps]
    return x[::-1] if reverse else x
