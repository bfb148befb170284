"""Sums, means and other folds over axes."""

from __future__ import annotations

import builtins

import numpy as np

from engine.expression import Apply, Constant, Variable
from engine.makers import restore_axes
from engine.ops.axes import dimshuffle
from engine.ops.exponential import exp
from engine.ops.logic import cast, fill, invert
from engine.ops.reductions import all, any, count, max, mean, prod, sum
from engine.rewrite.canonicalize.casts import keeps_values
from engine.rewrite.lengths import FIRST
from engine.rewrite.phases import canonicalize
from engine.rewrite.product import FAMILY as PRODUCTS
from engine.rewrite.product import Product
from engine.rewrite.rule import ERASES_NAN, SHOWS_NAN
from engine.rewrite.view import View
from engine.types import COMPLEX, DISCRETE, FLOATS, normalize_axes


def states_dtype(node: Apply) -> bool:
    """Whether a sum or mean was told in which dtype to add up or to give its result."""
    return builtins.any(node.params.get(name) is not None for name in ("dtype", "acc_dtype"))


@canonicalize.computed(["sum"], example=lambda x, y: sum(fill(x, sum(y))))
def sum_of_filled(node: Apply, view: View) -> Variable | None:
    """The sum of n equal numbers is n times the number."""
    filled = node.inputs[0].owner
    if filled is None or filled.op is not fill or node.out.ndim or states_dtype(node):
        return None
    model, value = filled.inputs
    if value.ndim or model.ndim != filled.out.ndim:
        return None
    return value * cast(count(model), node.out.dtype)


@canonicalize.computed(
    ["sum", "prod", "mean", "max", "min", "any", "all"],
    example=lambda x: max(sum(x, 1, keepdims=True), 1),
)
def fold_one_element(node: Apply, view: View) -> Variable | None:
    """Folding an axis of length 1 changes nothing, but that the axis may go."""
    x = node.inputs[0]
    axes = normalize_axes(node.params["axis"], x.ndim)
    if not builtins.all(x.broadcastable[a] for a in axes):
        return None
    if node.op is mean and x.dtype in COMPLEX:
        return None  # infinity divided by a complex 1 has a NaN in it
    if x.dtype != node.out.dtype:
        if node.params.get("acc_dtype") is not None or x.dtype in COMPLEX:
            return None
        x = cast(x, node.out.dtype)
    if node.params["keepdims"] or not axes:
        return x
    return dimshuffle(x, tuple(a for a in range(x.ndim) if a not in axes))


@canonicalize.computed(["sum", "mean"], example=lambda x: sum(3 * exp(x), axis=0))
def scale_after_summing(node: Apply, view: View) -> Variable | None:
    """What is the same for every term is multiplied once with the sum."""
    return _scaled(node, view, of_anything=False)


@canonicalize.computed(
    ["sum", "mean"],
    example=lambda x, y: sum(x * exp(sum(y)), axis=0),
    tags=[ERASES_NAN, SHOWS_NAN],
)
def scale_after_any_sum(node: Apply, view: View) -> Variable | None:
    """What is the same for every term is multiplied once with the sum, if it is finite."""
    return _scaled(node, view, of_anything=True)


def _scaled(node: Apply, view: View, *, of_anything: bool) -> Variable | None:
    """The sum times what is the same for every term.

    of_anything: also of what may not be finite, which makes NaN of the sum of no terms, and
    hides the NaN of terms that are infinite one by one.
    """
    x = node.inputs[0]
    if x.owner is None or x.owner.op.name not in PRODUCTS:
        return None
    if x.dtype in DISCRETE and (node.op is not sum or x.dtype not in {"int64", "uint64"}):
        return None  # it wraps around before it is summed in 64 bits
    if states_dtype(node):
        return None
    form = view.product(x)
    if form.cancelled or not form.is_sound():
        return None
    form = form.copy()
    axes = normalize_axes(node.params["axis"], x.ndim)
    number = form.number()
    outside = Product(form.dtype, 1 if number is None else number)
    if number is not None:
        form.coefficient = form.divisor = 1
    for v, e in list(form.factors.items()):
        reduced = [a - (x.ndim - v.ndim) for a in axes]
        if builtins.all(a < 0 or v.broadcastable[a] for a in reduced) and len(form.factors) > 1:
            form.multiply(v, -e)
            kept = [a for a in range(v.ndim) if a not in reduced]
            dropped = not node.params["keepdims"] and len(kept) < v.ndim
            outside.multiply(dimshuffle(v, tuple(kept)) if dropped else v, e)
    if not of_anything and not _is_finite(outside, view):
        return None
    inner = form.build() if outside.factors or outside.coefficient != 1 else None
    if inner is None or inner.broadcastable != x.broadcastable:
        return None
    outside.multiply(node.op(inner, **node.params), 1)
    return outside.build()


def _is_finite(form: Product, view: View) -> bool:
    """Whether a product is known to be finite, so that it is 0 times the sum of no terms."""
    scale = form.build() if form.factors else None
    return not form.factors or (scale is not None and view.ranges.is_finite(scale))


@canonicalize.computed(["dimshuffle"], example=lambda x: sum(x, axis=1).dimshuffle(0, "x"))
def keep_summed_axes(node: Apply, view: View) -> Variable | None:
    """An axis that is folded away and put back with length 1 can be kept at once."""
    folded = node.inputs[0].owner
    if folded is None or folded.op.fold is None or folded.params["keepdims"]:
        return None
    x = folded.inputs[0]
    restored = restore_axes(folded.out, x, folded.params["axis"], False).owner
    if restored is None or restored.params != node.params:
        return None
    return folded.op.apply([x], {**folded.params, "keepdims": True}).out


FOLDS = ("sum", "prod", "mean", "max", "min", "any", "all")


@canonicalize.computed(FOLDS, example=lambda x: sum(sum(x, axis=0)))
def fold_once(node: Apply, view: View) -> Variable | None:
    """What is folded over some axes and then over others is folded over all of them."""
    inner = node.inputs[0].owner
    if inner is None or inner.op is not node.op or view.is_shared(inner.out):
        return None
    if states_dtype(inner) or states_dtype(node):
        return None
    x = inner.inputs[0]
    first = normalize_axes(inner.params["axis"], x.ndim)
    second = normalize_axes(node.params["axis"], inner.out.ndim)
    if inner.params["keepdims"]:
        if not node.params["keepdims"] and not set(first) <= set(second):
            return None
        axes = {*first, *second}
    elif node.params["keepdims"] and first:
        return None
    else:
        left = [a for a in range(x.ndim) if a not in first]
        axes = {*first, *(left[a] for a in second)}
    return node.op.apply([x], {**node.params, "axis": tuple(sorted(axes))}).out


@canonicalize.computed(FOLDS, example=lambda x: sum(x.dimshuffle(1, "x", 0), axis=(0, 1)))
def fold_without_reordering(node: Apply, view: View) -> Variable | None:
    """The order of the axes that are folded does not matter."""
    moved = node.inputs[0].owner
    if moved is None or moved.op is not dimshuffle or node.params["keepdims"]:
        return None
    x, pattern = moved.inputs[0], moved.params["pattern"]
    axes = normalize_axes(node.params["axis"], len(pattern))
    kept = [p for i, p in enumerate(pattern) if i not in axes]
    if None in kept or kept != sorted(kept):
        return None
    folded = tuple(a for a in range(x.ndim) if a not in kept)
    return node.op.apply([x], {**node.params, "axis": folded}).out


@canonicalize.computed(
    ["sum", "mean", "any", "all"],
    below=["cast"],
    example=lambda x: mean(cast(x, "float64")),
    dtype="int8",
)
def fold_without_cast(node: Apply, view: View) -> Variable | None:
    """A fold keeps its result in a wide dtype by itself."""
    inner = node.inputs[0].owner
    if inner is None or inner.op is not cast:
        return None
    (x,) = inner.inputs
    if not keeps_values(x.dtype, inner.out.dtype) or x.dtype in FLOATS | COMPLEX:
        return None
    out = node.op.apply([x], node.params).out
    return out if out.dtype == node.out.dtype else None


@canonicalize.computed(
    ["any", "all"], below=["invert"], example=lambda x: any(invert(x)), dtype="bool"
)
def fold_before_inverting(node: Apply, view: View) -> Variable | None:
    """If not all hold, there is one that does not."""
    inner = node.inputs[0].owner
    if inner is None or inner.op is not invert or inner.out.dtype != "bool":
        return None
    other = all if node.op is any else any
    return invert(other.apply(inner.inputs, node.params).out)


@canonicalize.computed(
    ["mean", "max", "min"],
    below=["fill"],
    example=lambda x: mean(fill(Constant(np.zeros((2, 3))), sum(x))),
)
def fold_equal_numbers(node: Apply, view: View) -> Variable | None:
    """The mean of equal numbers, and the largest of them, is that number, if there are any."""
    filled = node.inputs[0].owner
    if filled is None or filled.op is not fill or node.out.ndim or filled.inputs[1].ndim:
        return None
    some = builtins.all(0 < n < FIRST for n in view.lengths.of(filled.out))
    value = filled.inputs[1]
    return value if some and value.dtype == node.out.dtype and not states_dtype(node) else None


@canonicalize.computed(["prod"], below=["exp"], example=lambda x: prod(exp(x), axis=0))
def product_of_exponentials(node: Apply, view: View) -> Variable | None:
    """The product of exponentials is the exponential of the sum, which is further from overflow."""
    inner = node.inputs[0].owner
    if inner is None or inner.op is not exp or states_dtype(node):
        return None
    return exp(sum(inner.inputs[0], axis=node.params["axis"], keepdims=node.params["keepdims"]))
