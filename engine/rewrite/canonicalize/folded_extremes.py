"""The largest and smallest of what keeps or turns the order."""

from __future__ import annotations

from engine.expression import Apply, Variable
from engine.ops.arithmetic import neg
from engine.ops.exponential import exp
from engine.ops.logic import cast
from engine.ops.reductions import argmax, argmin, max, min
from engine.rewrite.canonicalize.casts import keeps_values
from engine.rewrite.phases import canonicalize
from engine.rewrite.scalars import number_of
from engine.rewrite.view import View
from engine.types import FLOATS

RISING = frozenset(
    {"exp", "exp2", "expm1", "sigmoid", "softplus", "tanh", "sinh", "arcsinh", "arctan", "cbrt"}
    | {"erf", "floor", "ceil", "relu"}
)
FALLING = frozenset({"neg", "erfc"})
POSITIVE = frozenset({"sqrt", "log", "log2", "log10"})
"""Rising where x is not negative, below which they make NaN."""

EXPOSED = frozenset({"exp", "erfc"})
CLOSE = frozenset({"add", "sub", "true_div", "inv"})
"""What loses the digits of an exposed function next to it, where it keeps those of an extreme."""

OTHER = {max: min, min: max}


@canonicalize.computed(["max", "min"], example=lambda x: max(exp(x), axis=0))
def choose_extreme_first(node: Apply, view: View) -> Variable | None:
    """What keeps the order, or turns it, is done for the extreme alone; NaN stays NaN."""
    folded = node.inputs[0]
    inner = folded.owner
    if inner is None or view.is_shared(folded) or folded.dtype not in FLOATS:
        return None
    readers = {r.op.name for r, _ in view.readers(node.out) if isinstance(r, Apply)}
    if inner.op.name in EXPOSED and readers & CLOSE:
        return None
    name, x = inner.op.name, inner.inputs[0]
    if x.dtype != folded.dtype:
        return None
    if name in RISING or (name in POSITIVE and view.ranges.is_never_negative(x)):
        return inner.op(node.op.apply([x], node.params).out)
    if name in FALLING:
        return inner.op(OTHER[node.op].apply([x], node.params).out)
    return None


@canonicalize.computed(["max", "min"], example=lambda x: max(x * -2))
def scale_extreme(node: Apply, view: View) -> Variable | None:
    """A number is added to the extreme alone, or multiplied with it; a negative one turns it."""
    folded = node.inputs[0]
    inner = folded.owner
    if inner is None or view.is_shared(folded) or folded.dtype not in FLOATS:
        return None
    for i, v in enumerate(inner.inputs[:2]):
        number, x = number_of(v), inner.inputs[1 - i] if len(inner.inputs) == 2 else v
        if number is None or v.ndim or x.dtype != folded.dtype:
            continue
        turned = _turns(inner.op.name, number.real, i)
        if turned is not None:
            op = OTHER[node.op] if turned else node.op
            found = op.apply([x], node.params).out
            return inner.op(*((found, v) if i else (v, found)))
    return None


def _turns(name: str, number: float, place: int) -> bool | None:
    """Whether an op with a number at a place turns the order; None where it does not keep it."""
    match name:
        case "add":
            return False
        case "sub":
            return place == 0
        case "mul" if number:
            return number < 0
        case "true_div" if number and place == 1:
            return number < 0
        case _:
            return None


@canonicalize.computed(
    ["max", "min"],
    below=["cast"],
    example=lambda x: max(cast(x, "float64"), axis=0),
    dtype="float32",
)
def cast_extreme(node: Apply, view: View) -> Variable | None:
    """Only the extreme is cast to a dtype that holds every value."""
    inner = node.inputs[0].owner
    if inner is None or inner.op is not cast or view.is_shared(inner.out):
        return None
    (x,) = inner.inputs
    if not keeps_values(x.dtype, inner.out.dtype):
        return None
    return cast(node.op.apply([x], node.params).out, node.out.dtype)


@canonicalize.computed(["argmax", "argmin"], below=["neg"], example=lambda x: argmax(-x, axis=0))
def place_of_negative(node: Apply, view: View) -> Variable | None:
    """The largest of the negatives is where the smallest is; integers may wrap around."""
    inner = node.inputs[0].owner
    if inner is None or inner.op is not neg or inner.out.dtype not in FLOATS:
        return None
    other = argmin if node.op is argmax else argmax
    return other.apply(inner.inputs, node.params).out


@canonicalize.computed(
    ["argmax", "argmin"],
    below=["cast"],
    example=lambda x: argmax(cast(x, "float64"), axis=0),
    dtype="float32",
)
def place_without_cast(node: Apply, view: View) -> Variable | None:
    """A cast to a dtype that holds every value leaves the extreme where it was."""
    inner = node.inputs[0].owner
    if (
        inner is None
        or inner.op is not cast
        or not keeps_values(inner.inputs[0].dtype, inner.out.dtype)
    ):
        return None
    return node.op.apply(inner.inputs, node.params).out
