"""Comparisons, and what is known of them before anything runs."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from engine.expression import Apply, Variable
from engine.ops.arithmetic import neg
from engine.ops.exponential import exp
from engine.ops.logic import eq, fill, ge, gt, invert, isfinite, isinf, isnan, le, lt, neq
from engine.rewrite.pattern import Sides
from engine.rewrite.phases import canonicalize
from engine.rewrite.ranges import Range
from engine.rewrite.rule import HIDES_ERROR
from engine.rewrite.scalars import constant, number_of
from engine.rewrite.view import View
from engine.types import COMPLEX, DISCRETE, DTYPES, FLOATS, upcast

COMPARISONS = ("lt", "gt", "le", "ge", "eq", "neq")


@canonicalize.computed(COMPARISONS, example=lambda x: lt(x, x))
def compare_with_itself(node: Apply, view: View) -> Variable | None:
    """Nothing is less than itself, and everything but NaN equals itself."""
    x, y = node.inputs
    if x is not y:
        return None
    if node.op in {lt, gt}:
        return fill(x, constant(False, "bool"))
    if not view.ranges.of(x).nan:
        return fill(x, constant(node.op is not neq, "bool"))
    return isnan(x) if node.op is neq else None


@canonicalize.computed(COMPARISONS, below=["constant"], example=lambda x: lt(exp(x), 0))
def compare_with_number_out_of_range(node: Apply, view: View) -> Variable | None:
    """What is never on the other side of a number need not be compared with it."""
    if all(number_of(v) is None for v in node.inputs):
        return None
    return _decided(node, view)


@canonicalize.computed(COMPARISONS, example=lambda x, y: gt(-exp(x), exp(y)), tags=[HIDES_ERROR])
def compare_what_is_apart(node: Apply, view: View) -> Variable | None:
    """What is always on the same side of something else need not be compared with it."""
    return _decided(node, view)


def _decided(node: Apply, view: View) -> Variable | None:
    """The result of a comparison where the ranges of what it compares leave no choice."""
    truth = _truth(node, view)
    if truth is None:
        return None
    model = next((v for v in node.inputs if view.lengths.covers(v, node.out)), None)
    return None if model is None else fill(model, constant(truth, "bool"))


def _truth(node: Apply, view: View) -> bool | None:
    dtype = upcast(*(v.dtype for v in node.inputs))
    if dtype in COMPLEX:
        return None
    x, y = (_compared_in(dtype, view.ranges.of(v)) for v in node.inputs)
    numbers = not (x.nan or y.nan)
    match node.op.name:
        case "lt":
            return _is_less(x, y, operator.lt, operator.ge, numbers)
        case "le":
            return _is_less(x, y, operator.le, operator.gt, numbers)
        case "gt":
            return _is_less(y, x, operator.lt, operator.ge, numbers)
        case "ge":
            return _is_less(y, x, operator.le, operator.gt, numbers)
        case name:
            same = numbers and x.low == x.high == y.low == y.high
            apart = x.high < y.low or y.high < x.low
            return None if not (same or apart) else same is (name == "eq")


def _is_less(
    x: Range,
    y: Range,
    holds: Callable[[float, float], bool],
    fails: Callable[[float, float], bool],
    numbers: bool,
) -> bool | None:
    """True or False for all elements, of which NaN is less than nothing; else None."""
    if numbers and holds(x.high, y.low):
        return True
    return False if fails(x.low, y.high) else None


def _compared_in(dtype: str, x: Range) -> Range:
    """The range after the cast to the dtype in which it is compared, which keeps order."""
    if dtype not in FLOATS:
        return x
    with np.errstate(over="ignore"):
        low, high = np.array([x.low, x.high], "float64").astype(dtype).tolist()
    return Range(low, high, x.nan)


@canonicalize.computed(["isnan", "isinf", "isfinite"], example=lambda x: isinf(x), dtype="int64")
def known_to_be_finite(node: Apply, view: View) -> Variable | None:
    """What is known to be finite need not be tested for it."""
    (x,) = node.inputs
    known = view.ranges.of(x)
    bounded = replace(known, nan=False).is_finite
    wanted = {isnan: not known.nan, isinf: bounded, isfinite: known.is_finite}
    return fill(x, constant(node.op is isfinite, "bool")) if wanted[node.op] else None


@canonicalize(only=frozenset(DTYPES))
def not_equal(x: Variable, y: Variable) -> Sides:
    """What does not equal, differs, also NaN."""
    return invert(eq(x, y)), neq(x, y)


@canonicalize(only=frozenset(DTYPES))
def not_different(x: Variable, y: Variable) -> Sides:
    """What does not differ is equal; NaN differs."""
    return invert(neq(x, y)), eq(x, y)


OTHERWISE = {lt: ge, ge: lt, gt: le, le: gt}


@canonicalize.computed(["invert"], example=lambda x, y: invert(x < y), dtype="int64")
def compare_otherwise(node: Apply, view: View) -> Variable | None:
    """What is not less is greater or equal, if there is no NaN, which is neither."""
    compared = node.inputs[0].owner
    if compared is None or compared.op not in OTHERWISE:
        return None
    if any(view.ranges.of(v).nan for v in compared.inputs):
        return None
    return OTHERWISE[compared.op](*compared.inputs)


TURNED = {lt: gt, gt: lt, le: ge, ge: le, eq: eq, neq: neq}


@canonicalize.computed(COMPARISONS, below=["neg"], example=lambda x, y: -x < -y)
def compare_without_signs(node: Apply, view: View) -> Variable | None:
    """Where the signs of both sides are turned, the order turns around; integers may wrap."""
    dtype = upcast(*(v.dtype for v in node.inputs))
    x, y = (_without_sign(v, dtype) for v in node.inputs)
    return None if x is None or y is None else TURNED[node.op](x, y)


def _without_sign(v: Variable, dtype: str) -> Variable | None:
    """-v, if that is there already."""
    number = number_of(v)
    if number is not None:
        return constant(-number, dtype)
    turned = v.owner is not None and v.owner.op is neg and v.dtype not in DISCRETE
    return v.owner.inputs[0] if v.owner is not None and turned else None
