"""Logarithms of expressions that are made of exponentials, without their exponentials."""

from __future__ import annotations

import math
from collections.abc import Callable

from engine.expression import OPS, Apply, Variable
from engine.makers import cast_to
from engine.rewrite.product import FAMILY as PRODUCTS
from engine.rewrite.scalars import Number, constant, number_of
from engine.rewrite.view import View
from engine.types import FLOATS

DEPTH = 6
"""How many applies above its exponentials an expression may have."""


def logarithm_of(v: Variable, view: View, depth: int = DEPTH) -> Variable | None:
    """log(v), where v is made of exponentials, sigmoids and softmaxes; None where it is not.

    A number that is not negative may be a part of it.
    """
    number = number_of(v)
    if number is not None:
        return logarithm_of_number(number, v.dtype)
    node = v.owner
    if node is None or not depth or v.dtype not in FLOATS:
        return None
    if node.op.name in KNOWN:
        x = cast_to(node.inputs[0], v.dtype)
        return KNOWN[node.op.name](x, node)
    if node.op.name in PRODUCTS:
        return _of_product(v, view, depth)
    if node.op.name == "add":
        logs = [logarithm_of(x, view, depth - 1) for x in node.inputs]
        parts = [x for x in logs if x is not None]
        return OPS["logaddexp"](*parts) if len(parts) == len(logs) else None
    if node.op.name in FOLDS:
        return _of_fold(node, view, depth)
    return _of_moved(node, view, depth)


def logarithm_of_number(number: Number, dtype: str) -> Variable | None:
    """The logarithm of a positive number, in its dtype; None where there is none."""
    if isinstance(number, complex) or number <= 0:
        return None
    return constant(math.log(number), dtype if dtype in FLOATS else "float64")


KNOWN: dict[str, Callable[[Variable, Apply], Variable]] = {
    "exp": lambda x, node: x,
    "exp2": lambda x, node: x * constant(math.log(2), x.dtype),
    "sigmoid": lambda x, node: -OPS["softplus"](-x),
    "softmax": lambda x, node: OPS["logsoftmax"](x, **node.params),
    "cosh": lambda x, node: OPS["logaddexp"](x, -x) - constant(math.log(2), x.dtype),
    "erfc": lambda x, node: (
        OPS["log_ndtr"](x * constant(-math.sqrt(2), x.dtype)) + constant(math.log(2), x.dtype)
    ),
}
"""The logarithms of ops that vanish or overflow."""

FOLDS = frozenset({"sum", "mean", "prod"})

MOVING = frozenset(
    {"dimshuffle", "reshape", "reshape_like", "subtensor", "roll", "max", "min", "sort"}
)
"""Ops that take elements of their first input as they are, or the largest of them."""

CHOOSING = {"switch": 1, "join": 0, "stack": 0}
"""Ops that put together elements of their inputs from this number on."""


def _of_product(v: Variable, view: View, depth: int) -> Variable | None:
    form = view.product(v)
    if form.cancelled or not form.is_sound() or not form.factors:
        return None
    number = logarithm_of_number(form.coefficient / form.divisor, v.dtype)
    if number is None:
        return None
    total = None if form.coefficient == form.divisor else number
    for factor, exponent in form.factors.items():
        found = logarithm_of(factor, view, depth - 1)
        if found is None or number_of(found) is not None or factor.dtype != v.dtype:
            return None
        part = found if exponent == 1 else found * constant(exponent, v.dtype)
        total = part if total is None else total + part
    return total


def _of_fold(node: Apply, view: View, depth: int) -> Variable | None:
    x, params = node.inputs[0], node.params
    stated = params["dtype"] is not None or params["acc_dtype"] is not None
    inner = None if stated else logarithm_of(x, view, depth - 1)
    if inner is None or x.dtype != node.out.dtype or inner.broadcastable != x.broadcastable:
        return None
    where = {"axis": params["axis"], "keepdims": params["keepdims"]}
    match node.op.name:
        case "prod":
            return OPS["sum"](inner, **where)
        case "mean":
            n = OPS["cast"](OPS["count"](x, params["axis"]), x.dtype)
            return OPS["logsumexp"](inner, **where) - OPS["log"](n)
        case _:
            return OPS["logsumexp"](inner, **where)


def _of_moved(node: Apply, view: View, depth: int) -> Variable | None:
    if node.op.name in MOVING:
        inner = logarithm_of(node.inputs[0], view, depth - 1)
        return inner and node.op.apply([inner, *node.inputs[1:]], node.params).out
    first = CHOOSING.get(node.op.name)
    if first is None:
        return None
    inputs = list(node.inputs)
    for i, v in enumerate(inputs[first:], first):
        found = logarithm_of(v, view, depth - 1)
        if found is None:
            return None
        inputs[i] = cast_to(found, node.out.dtype)
    if all(number_of(v) is not None for v in inputs[first:]):
        return None
    return node.op.apply(inputs, node.params).out
