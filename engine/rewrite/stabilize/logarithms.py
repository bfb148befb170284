"""Logarithms and exponentials."""

from __future__ import annotations

import math

from engine.expression import Apply, Variable
from engine.makers import constant_like
from engine.ops.activations import sigmoid, softmax, softplus
from engine.ops.arithmetic import abs, inv, multiply_no_nan, pow, sqr, sqrt, sub
from engine.ops.exponential import (
    exp,
    expm1,
    log,
    log1mexp,
    log1p,
    log2,
    log10,
    logaddexp,
    logit,
)
from engine.ops.logic import cast, ge, switch
from engine.ops.reductions import count, max, mean, prod, sum
from engine.ops.special import xlogy0
from engine.ops.statistics import logsumexp
from engine.rewrite.logs import KNOWN, logarithm_of, logarithm_of_number
from engine.rewrite.pattern import Sides
from engine.rewrite.phases import stabilize
from engine.rewrite.product import FAMILY as PRODUCTS
from engine.rewrite.rule import ERASES_NAN
from engine.rewrite.scalars import constant, number_of
from engine.rewrite.sum import FAMILY as SUMS
from engine.rewrite.view import View
from engine.types import FLOATS


@stabilize
def log_of_exp(x: Variable) -> Sides:
    """exp(x) overflows above 709 in float64 and vanishes below -745; x does neither."""
    return log(exp(x)), x


@stabilize
def log_of_one_plus_exp(x: Variable) -> Sides:
    """exp(x) overflows above 709 in float64; softplus does not."""
    return log(1 + exp(x)), softplus(x)


@stabilize
def log_of_exp_plus_exp(x: Variable, y: Variable) -> Sides:
    """exp(x) overflows above 709 in float64; beside the larger of the two it does not."""
    return log(exp(x) + exp(y)), logaddexp(x, y)


@stabilize(example=lambda x, y: (abs(x) + 4, y), holds="x is above y")
def log_of_exp_minus_exp(x: Variable, y: Variable) -> Sides:
    """exp(x) overflows above 709 in float64; what y takes away from it does not."""
    return log(exp(x) - exp(y)), x + log1mexp(y - x)


@stabilize(domain=(-0.9, 3.0))
def log_of_one_plus(x: Variable) -> Sides:
    """1 + x loses the digits of a small x; log1p keeps them."""
    return log(1 + x), log1p(x)


@stabilize(domain=(-3.0, 0.9))
def log_of_one_minus(x: Variable) -> Sides:
    """1 - x loses the digits of a small x; log1p keeps them."""
    return log(1 - x), log1p(-x)


@stabilize
def exp_minus_one(x: Variable) -> Sides:
    """Where x is small exp(x) is 1 and a little: expm1 keeps the little."""
    return exp(x) - 1, expm1(x)


@stabilize
def one_minus_exp(x: Variable) -> Sides:
    """Where x is small exp(x) is 1 and a little: expm1 keeps the little."""
    return 1 - exp(x), -expm1(x)


@stabilize
def log1p_of_exp(x: Variable) -> Sides:
    """exp(x) overflows above 709 in float64; softplus does not."""
    return log1p(exp(x)), softplus(x)


@stabilize(domain=(0.1, 3.0), example=lambda x: (-x,), holds="x is negative")
def log1p_of_minus_exp(x: Variable) -> Sides:
    """Where x is nearly 0 little is left of 1 - exp(x); log1mexp keeps its digits."""
    return log1p(-exp(x)), log1mexp(x)


@stabilize(domain=(0.1, 3.0), example=lambda x: (-x,), holds="x is negative")
def log_of_minus_expm1(x: Variable) -> Sides:
    """expm1(x) is -1 where x is very negative, and its logarithm 0; log1mexp is not."""
    return log(-expm1(x)), log1mexp(x)


@stabilize(domain=(0.1, 3.0), holds="x is positive")
def log_of_expm1(x: Variable) -> Sides:
    """expm1(x) overflows above 709 in float64; x and a little do not."""
    return log(expm1(x)), x + log1mexp(-x)


@stabilize
def log1p_of_expm1(x: Variable) -> Sides:
    """expm1(x) overflows above 709 in float64 and is -1 below -37; x is neither."""
    return log1p(expm1(x)), x


@stabilize(domain=(-0.9, 3.0))
def expm1_of_log1p(x: Variable) -> Sides:
    """A logarithm of hundreds has lost digits of x; x has all, and is NaN below -1 as before."""
    return expm1(log1p(x)), switch(ge(x, -1), x, constant_like(math.nan, x))


@stabilize(domain=(-0.9, 3.0))
def exp_of_log1p(x: Variable) -> Sides:
    """A logarithm of hundreds has lost digits of x; x has all, and is NaN below -1 as before."""
    return exp(log1p(x)), switch(ge(x, -1), x + 1, constant_like(math.nan, x))


@stabilize(domain=(0.2, 9.0))
def exp_of_log(x: Variable) -> Sides:
    """A logarithm of hundreds has lost digits of x; x has all, and is NaN below 0 as before."""
    return exp(log(x)), switch(ge(x, 0), x, constant_like(math.nan, x))


@stabilize(domain=(0.2, 9.0))
def exp_of_minus_log(x: Variable) -> Sides:
    """A logarithm of hundreds has lost digits of x; 1 / x has all, and is NaN below 0 as before."""
    return exp(-log(x)), switch(ge(x, 0), inv(abs(x)), constant_like(math.nan, x))


@stabilize(domain=(0.2, 3.0), tags=[ERASES_NAN])
def exp_of_multiple_of_log(x: Variable, y: Variable) -> Sides:
    """y log(x) loses digits when it is large; a power keeps them, and is NaN below 0 as before."""
    return exp(y * log(x)), switch(ge(x, 0), pow(x, y), constant_like(math.nan, x))


@stabilize
def root_of_exp(x: Variable) -> Sides:
    """exp(x) overflows above 709 in float64; its root does so above 1418 only."""
    return sqrt(exp(x)), exp(x * 0.5)


@stabilize
def log_of_square(x: Variable) -> Sides:
    """x² overflows above 1e154 in float64 and vanishes below 1e-162; the size of x does not."""
    return log(sqr(x)), 2 * log(abs(x))


@stabilize(
    rank=1,
    when=lambda x, view: view.ranges.is_never_negative(x),
    example=lambda x: (abs(x),),
    holds="x is not negative",
)
def log_of_product_of_all(
    x: Variable, *, axis: int | tuple[int, ...] | None = None, keepdims: bool = False
) -> Sides:
    """A product of many numbers overflows or vanishes; the sum of their logarithms does not."""
    return log(prod(x, axis=axis, keepdims=keepdims)), sum(log(x), axis=axis, keepdims=keepdims)


@stabilize(domain=(0.1, 0.9))
def log_of_odds(x: Variable) -> Sides:
    """Where x is nearly one half the odds are nearly 1, with few digits left; logit keeps all."""
    return log(x / (1 - x)), logit(x)


@stabilize
def log_of_sum_of_exp(
    x: Variable, *, axis: int | tuple[int, ...] | None = -1, keepdims: bool = False
) -> Sides:
    """exp(x) overflows above 709 in float64; below the largest x, subtracted first, it does not."""
    total = sum(exp(x), axis=axis, keepdims=keepdims)
    return log(total), logsumexp(x, axis=axis, keepdims=keepdims)


@stabilize
def log_of_mean_of_exp(
    x: Variable, *, axis: int | tuple[int, ...] | None = -1, keepdims: bool = False
) -> Sides:
    """exp(x) overflows above 709 in float64; below the largest x, subtracted first, it does not."""
    n = log(cast(count(x, axis), x.dtype if x.dtype in FLOATS else "float64"))
    total = logsumexp(x, axis=axis, keepdims=keepdims)
    return log(mean(exp(x), axis=axis, keepdims=keepdims)), total - n


@stabilize(
    when=lambda x, w, view: x.ndim >= w.ndim and not view.ranges.is_never_positive(x),
    example=lambda x, w: (x, abs(w)),
)
def log_of_weighted_sum_of_exp(
    x: Variable, w: Variable, *, axis: int | tuple[int, ...] | None = -1, keepdims: bool = False
) -> Sides:
    """exp(x) overflows above 709 in float64; below the largest x, subtracted first, it does not."""
    below = exp(x - max(x, axis=axis, keepdims=True))
    shifted = log(sum(w * below, axis=axis, keepdims=keepdims))
    total = log(sum(w * exp(x), axis=axis, keepdims=keepdims))
    return total, shifted + max(x, axis=axis, keepdims=keepdims)


@stabilize.computed(PRODUCTS, example=lambda x, y: exp(x) / exp(y))
def multiply_exponentials(node: Apply, view: View) -> Variable | None:
    """Exponentials overflow and vanish each for itself; their exponents are added first."""
    if node.out.dtype not in FLOATS or view.is_part_of(node.out, PRODUCTS):
        return None
    form = view.product(node.out)
    if form.cancelled or not form.is_sound():
        return None
    rest, total, wide, powers = form.copy(), None, False, 0
    for v, e in form.factors.items():
        if v.owner is None or v.owner.op is not exp or v.dtype != form.dtype:
            continue
        x = v.owner.inputs[0]
        if x.dtype != form.dtype or view.is_shared(v):
            continue
        rest.multiply(v, -e)
        powers += e if e > 0 else 1 - e
        wide |= v.broadcastable == node.out.broadcastable
        if total is None:
            total = x if e == 1 else -x if e == -1 else x * constant(e, x.dtype)
        else:
            part = x if e * e == 1 else x * constant(e if e > 0 else -e, x.dtype)
            total = total + part if e > 0 else sub(total, part)
    if total is None or powers < 2 or not wide:
        return None
    rest.cancelled = False
    rest.multiply(exp(total), 1)
    return rest.build()


@stabilize.computed(
    ["log", "log1p"],
    example=lambda x, y: log(3 + exp(x) + 2 * exp(y) * sigmoid(x)),
)
def log_of_sum_of_exponentials(node: Apply, view: View) -> Variable | None:
    """Exponentials overflow and vanish; the logarithm of their sum is found from those of each."""
    x = node.inputs[0]
    if node.out.dtype not in FLOATS or x.owner is None or x.owner.op.name not in SUMS:
        return None
    form = view.sum(x)
    if x.dtype != node.out.dtype or not form.is_sound() or form.cancelled:
        return None
    parts: list[Variable] = []
    for term in form.terms.values():
        size = logarithm_of_number(term.coefficient, x.dtype)
        base = term.base()
        found = None if size is None or base is None else logarithm_of(base, view)
        if size is None or found is None or number_of(found) is not None:
            return None
        parts.append(found if term.coefficient == 1 else found + size)
    number = form.number + (node.op is log1p)
    if number:
        size = logarithm_of_number(number, x.dtype)
        if size is None:
            return None
        if number == 1 and len(parts) == 1:
            return softplus(parts[0])
        parts.append(size)
    return logaddexp(*parts) if len(parts) > 1 else None


@stabilize.computed(
    ["log"],
    example=lambda x, y: log(sigmoid(x) / (exp(y) * sqr(x))),
    domain=(0.5, 3.0),
)
def log_of_product_with_exponential(node: Apply, view: View) -> Variable | None:
    """An exponential among factors overflows or vanishes; its logarithm is added instead."""
    x = node.inputs[0]
    if node.out.dtype not in FLOATS or x.dtype != node.out.dtype:
        return None
    if x.owner is None or x.owner.op.name not in PRODUCTS:
        return None
    form = view.product(x)
    if form.cancelled or not form.is_sound():
        return None
    rest, total = form.copy(), None
    for factor, exponent in form.factors.items():
        found = logarithm_of(factor, view) if factor.dtype == x.dtype else None
        if found is None or number_of(found) is not None:
            continue
        rest.multiply(factor, -exponent)
        part = found if exponent == 1 else found * constant(exponent, x.dtype)
        total = part if total is None else total + part
    if total is None:
        return None
    rest.cancelled = False
    number = rest.coefficient / rest.divisor
    if rest.factors:
        remaining = rest.build()
        return None if remaining is None else total + log(remaining)
    size = logarithm_of_number(number, x.dtype)
    return total if number == 1 else None if size is None else total + size


SAID_ALONE = PRODUCTS | SUMS | KNOWN.keys()
"""Ops whose logarithms have laws of their own."""


@stabilize.computed(["log"], example=lambda x: log(softmax(x, 1)[0]), domain=(-3.0, 3.0))
def log_before_moving(node: Apply, view: View) -> Variable | None:
    """What vanishes does so before it is picked, moved or added up; its logarithm does not."""
    x = node.inputs[0]
    if x.owner is None or x.dtype != node.out.dtype or x.owner.op.name in SAID_ALONE:
        return None
    return logarithm_of(x, view)


@stabilize.computed(["log2", "log10"], example=lambda x: log2(sigmoid(x)) + log10(exp(x) + exp(-x)))
def logarithm_to_another_base(node: Apply, view: View) -> Variable | None:
    """What overflows or vanishes does so to every base; its natural logarithm is known."""
    x = node.inputs[0]
    if x.dtype != node.out.dtype or x.owner is None:
        return None
    found = logarithm_of(x, view)
    base = math.log(2 if node.op is log2 else 10)
    return None if found is None else found / constant(base, node.out.dtype)


@stabilize.computed(["xlogy0"], example=lambda x, y: xlogy0(x, sigmoid(y)))
def entropy_of_exponential(node: Apply, view: View) -> Variable | None:
    """x log(y) is minus infinity where y has vanished; the logarithm of y itself is finite."""
    x, y = node.inputs
    if y.owner is None or not x.dtype == y.dtype == node.out.dtype:
        return None
    found = logarithm_of(y, view)
    return None if found is None else multiply_no_nan(x, found)
