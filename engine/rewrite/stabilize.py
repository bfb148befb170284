"""Stabilize: the same value where numbers are of moderate size, a right one where they are not."""

from __future__ import annotations

from engine.expression import Apply, Variable
from engine.ops.activations import logsoftmax, sigmoid, softmax, softplus
from engine.ops.axes import dimshuffle
from engine.ops.exponential import exp, expm1, log, log1p, logaddexp
from engine.ops.reductions import max, sum
from engine.rewrite.measure import is_never_positive
from engine.rewrite.pattern import Sides
from engine.rewrite.products import FAMILY as PRODUCTS
from engine.rewrite.rule import ERASES_NAN, HIDES_ERROR, Phase
from engine.rewrite.sums import FAMILY as SUMS
from engine.rewrite.view import View
from engine.types import DISCRETE, FLOATS, normalize_axes

stabilize = Phase(
    "stabilize", "The right value also where numbers are very large or very small.", only=FLOATS
)


# Logarithms and exponentials


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


@stabilize
def log_of_one_minus_sigmoid(x: Variable) -> Sides:
    """sigmoid(x) is 1 above 37 in float64, and log(0) infinite; softplus is not."""
    return log(1 - sigmoid(x)), -softplus(x)


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
def log1p_of_exp(x: Variable) -> Sides:
    """exp(x) overflows above 709 in float64; softplus does not."""
    return log1p(exp(x)), softplus(x)


# Sigmoids


@stabilize(in_product=True)
def one_over_one_plus_exp_of_negative(x: Variable) -> Sides:
    """exp(-x) overflows where x is very negative; sigmoid does not."""
    return 1 / (1 + exp(-x)), sigmoid(x)


@stabilize(in_product=True)
def exp_over_one_plus_exp(x: Variable) -> Sides:
    """exp(x) / (1 + exp(x)) is infinity over infinity for large x; sigmoid is 1."""
    return exp(x) / (1 + exp(x)), sigmoid(x)


@stabilize(in_product=True)
def one_over_one_plus_exp(x: Variable) -> Sides:
    """exp(x) overflows where x is large; sigmoid does not."""
    return 1 / (1 + exp(x)), sigmoid(-x)


@stabilize
def one_minus_sigmoid(x: Variable) -> Sides:
    """Where sigmoid(x) is nearly 1 the difference has no digits left; sigmoid(-x) has all."""
    return 1 - sigmoid(x), sigmoid(-x)


@stabilize(
    in_product=True,
    when=lambda x, y, view: view.are_opposite(x, y),
    example=lambda x: (x, -x),
)
def exp_times_sigmoid_of_opposite(x: Variable, y: Variable) -> Sides:
    """exp(x) * sigmoid(-x) is infinity times zero for large x; sigmoid(x) is the same."""
    return exp(x) * sigmoid(y), sigmoid(x)


@stabilize
def log_of_sigmoid(x: Variable) -> Sides:
    """sigmoid(x) vanishes below -745 in float64, and its logarithm is infinite; softplus is not."""
    return log(sigmoid(x)), -softplus(-x)


@stabilize
def log1p_of_minus_sigmoid(x: Variable) -> Sides:
    """sigmoid(x) is 1 above 37 in float64, and log(0) infinite; softplus is not."""
    return log1p(-sigmoid(x)), -softplus(x)


# Softmax


def is_one_axis(x: Variable, axis: int | tuple[int, ...] | None) -> bool:
    """Whether exactly one axis is folded."""
    return len(normalize_axes(axis, x.ndim)) == 1


@stabilize(in_product=True, when=is_one_axis)
def exp_over_sum_of_exp(x: Variable, *, axis: int | None = -1) -> Sides:
    """exp(x) overflows above 709 in float64; softmax subtracts the largest x first."""
    weights = exp(x) / sum(exp(x), axis=axis, keepdims=True)
    return weights, softmax(x, normalize_axes(axis, x.ndim)[0])


def puts_one_axis_back(
    x: Variable, axis: int | tuple[int, ...] | None, pattern: tuple[int | None, ...]
) -> bool:
    """Whether the pattern gives x's shape back after one axis was folded away."""
    if not is_one_axis(x, axis):
        return False
    folded = normalize_axes(axis, x.ndim)[0]
    back = [*range(folded), None, *range(folded, x.ndim - 1)]
    return pattern == tuple(back)


@stabilize(in_product=True, when=puts_one_axis_back)
def exp_over_restored_sum_of_exp(
    x: Variable, *, axis: int | None = -1, pattern: tuple[int | None, ...] = (0, None)
) -> Sides:
    """exp(x) overflows above 709 in float64; softmax subtracts the largest x first."""
    total = dimshuffle(sum(exp(x), axis=axis, keepdims=False), pattern)
    return exp(x) / total, softmax(x, normalize_axes(axis, x.ndim)[0])


@stabilize(in_product=True, when=lambda x: x.ndim == 1, rank=1)
def exp_over_sum_of_exp_of_vector(x: Variable, *, axis: int | None = None) -> Sides:
    """exp(x) overflows above 709 in float64; softmax subtracts the largest x first."""
    return exp(x) / sum(exp(x), axis=axis, keepdims=False), softmax(x, 0)


@stabilize(in_product=True, when=is_one_axis)
def exp_over_softmax(x: Variable, *, axis: int = -1) -> Sides:
    """softmax vanishes where x is far below the largest; what it was divided by does not."""
    return exp(x) / softmax(x, axis), sum(exp(x), axis=axis, keepdims=True)


@stabilize
def log_of_softmax(x: Variable, *, axis: int = -1) -> Sides:
    """softmax vanishes where x is far below the largest, and log(0) is infinite."""
    return log(softmax(x, axis)), logsoftmax(x, axis)


@stabilize
def exp_of_logsoftmax(x: Variable, *, axis: int = -1) -> Sides:
    """The exponential of a log-softmax is the softmax itself."""
    return exp(logsoftmax(x, axis)), softmax(x, axis)


@stabilize(when=lambda x: not is_never_positive(x))
def log_of_sum_of_exp(
    x: Variable, *, axis: int | tuple[int, ...] | None = -1, keepdims: bool = False
) -> Sides:
    """exp(x) overflows above 709 in float64; below the largest x, subtracted first, it does not."""
    largest = max(x, axis=axis, keepdims=True)
    shifted = log(sum(exp(x - largest), axis=axis, keepdims=keepdims))
    return log(sum(exp(x), axis=axis, keepdims=keepdims)), (
        shifted + max(x, axis=axis, keepdims=keepdims)
    )


# Gradients of costs


@stabilize.computed(
    PRODUCTS,
    example=lambda x, y, z: z * (x / y) * y + log(x / y),
    tags=[ERASES_NAN, HIDES_ERROR],
    domain=(0.5, 3.0),
)
def cancel_shared_factors(node: Apply, view: View) -> Variable | None:
    """x / y * y is x, also where x / y is needed elsewhere; y may be zero or infinite."""
    if node.out.dtype in DISCRETE or view.is_part_of(node.out, PRODUCTS):
        return None
    form = view.product(node.out, deep=True)
    return form.build() if form.cancelled and form.is_sound() else None


@stabilize.computed(
    PRODUCTS,
    example=lambda x, y, z, w: (z / x + w / y) * (x * y),
    tags=[ERASES_NAN, HIDES_ERROR],
    domain=(0.5, 3.0),
)
def multiply_quotients_by_their_divisors(node: Apply, view: View) -> Variable | None:
    """(p/a + q/b) * ab divides by what it multiplies with; pb + qa cannot become 0/0."""
    if node.out.dtype in DISCRETE or view.is_part_of(node.out, PRODUCTS):
        return None
    whole = view.product(node.out).copy()
    for v, e in whole.factors.items():
        if e != 1 or v.owner is None or v.owner.op.name not in SUMS or view.is_shared(v):
            continue
        inner = view.sum(v).copy()
        if inner.number or v.dtype != whole.dtype:
            continue
        divisors = {
            d: min(-n, whole.factors[d])
            for term in inner.terms.values()
            for d, n in term.product.factors.items()
            if n < 0 < whole.factors.get(d, 0)
        }
        if not divisors:
            continue
        for term in inner.terms.values():
            term.whole = None
            for d, n in divisors.items():
                term.product.multiply(d, n)
        rest = inner.build()
        if rest is None:
            continue
        whole.multiply(v, -1)
        for d, n in divisors.items():
            whole.multiply(d, -n)
        whole.multiply(rest, 1)
        return whole.build()
    return None


@stabilize(
    when=lambda x, y, view: view.are_opposite(x, y),
    example=lambda t, x: (t, x, -x),
)
def slope_of_crossentropy(t: Variable, x: Variable, y: Variable) -> Sides:
    """The slope of a cross-entropy is prediction minus truth: (1-t)σ(x) - tσ(-x) is σ(x) - t."""
    return (1 - t) * sigmoid(x) - t * sigmoid(y), sigmoid(x) - t


@stabilize(
    when=lambda x, y, view: view.are_opposite(x, y),
    example=lambda t, x: (t, x, -x),
)
def falling_slope_of_crossentropy(t: Variable, x: Variable, y: Variable) -> Sides:
    """Prediction minus truth, the other way round: tσ(-x) - (1-t)σ(x) is t - σ(x)."""
    return t * sigmoid(y) - (1 - t) * sigmoid(x), t - sigmoid(x)
