"""Canonicalize, continued: laws of shapes, of what is filled, summed, kept or reordered."""

from __future__ import annotations

from engine.graph import OPS, Apply, Variable
from engine.op import restore_axes
from engine.ops.logic import cast, fill
from engine.ops.reductions import count, mean, sum
from engine.ops.shape import dimshuffle
from engine.rewrite.canonicalize import canonicalize
from engine.rewrite.numbers import constant
from engine.rewrite.products import FAMILY as PRODUCTS
from engine.rewrite.products import Product
from engine.rewrite.rule import HIDES_ERROR
from engine.rewrite.view import View
from engine.types import DISCRETE

ELEMENTWISE = [op.name for op in set(OPS.values()) if op.is_elementwise]


# What is the same everywhere


@canonicalize.computed(["fill"], example=lambda x, y: fill(x, x * y), tags=[HIDES_ERROR])
def fill_of_same_shape(node: Apply, view: View) -> Variable | None:
    """A value that has the model's shape already need not be stretched to it."""
    model, value = node.inputs
    return value if view.lengths.covers(value, model) else None


@canonicalize.computed(
    ELEMENTWISE, example=lambda x: x * fill(x, constant(3, x.dtype)), tags=[HIDES_ERROR]
)
def compute_before_filling(node: Apply, view: View) -> Variable | None:
    """What is the same everywhere is computed once and stretched afterwards, or not at all."""
    for i, v in enumerate(node.inputs):
        if v.owner is None or v.owner.op is not fill or (node.op is fill and i == 0):
            continue
        model, value = v.owner.inputs
        inputs = [*node.inputs[:i], value, *node.inputs[i + 1 :]]
        inner = node.op.apply(inputs, node.params).out
        return inner if view.lengths.covers(inner, model) else fill(model, inner)
    return None


@canonicalize.computed(["cast"], example=lambda x, y: cast(fill(x, sum(y)), "float32"))
def cast_before_filling(node: Apply, view: View) -> Variable | None:
    """What is the same everywhere is cast once and stretched afterwards."""
    filled = node.inputs[0].owner
    if filled is None or filled.op is not fill:
        return None
    model, value = filled.inputs
    return fill(model, cast(value, node.params["dtype"]))


@canonicalize.computed(
    [op.name for op in set(OPS.values()) if op.from_shape] + ["fill"],
    example=lambda x, y: fill(x * y, sum(y)),
    tags=[HIDES_ERROR],
)
def shape_without_computing(node: Apply, view: View) -> Variable | None:
    """Where only the shape counts, any tensor of that shape will do."""
    model, *others = node.inputs
    while (smaller := _same_shape(model, view)) is not None:
        model = smaller
    return None if model is node.inputs[0] else node.op.apply([model, *others], node.params).out


def _same_shape(v: Variable, view: View) -> Variable | None:
    """An input of what computes v that has the same shape."""
    if v.owner is None or not (v.owner.op.is_elementwise or v.owner.op is cast):
        return None
    for x in v.owner.inputs:
        if x.ndim == v.ndim and x.broadcastable == v.broadcastable and view.lengths.covers(x, v):
            return x
    return None


@canonicalize.computed(["sum"], example=lambda x, y: sum(fill(x, sum(y))))
def sum_of_filled(node: Apply, view: View) -> Variable | None:
    """The sum of n equal numbers is n times the number."""
    filled = node.inputs[0].owner
    if filled is None or filled.op is not fill or node.out.ndim:
        return None
    value = filled.inputs[1]
    if value.ndim:
        return None
    return value * cast(count(node.inputs[0]), node.out.dtype)


@canonicalize.computed(["sum", "mean"], example=lambda x, y: sum(x * mean(y), axis=0))
def scale_after_summing(node: Apply, view: View) -> Variable | None:
    """A number in front of every term is multiplied once with the sum."""
    x = node.inputs[0]
    if x.dtype in DISCRETE or x.owner is None or x.owner.op.name not in PRODUCTS:
        return None
    if view.product(x).cancelled:
        return None
    form = view.product(x).copy()
    number = form.number()
    outside = Product(form.dtype, 1 if number is None else number)
    for v, e in list(form.factors.items()):
        if v.ndim == 0:
            form.multiply(v, -e)
            outside.multiply(v, e)
    form.coefficient, form.divisor = (
        form.coefficient if number is None else 1,
        (form.divisor if number is None else 1),
    )
    inner = form.build() if form.factors and (outside.factors or outside.coefficient != 1) else None
    if inner is None or inner.broadcastable != x.broadcastable:
        return None
    outside.multiply(node.op(inner, **node.params), 1)
    return outside.build()


# Order of axes


@canonicalize.computed(["dimshuffle"], example=lambda x: sum(x, axis=1).dimshuffle(0, "x"))
def keep_summed_axes(node: Apply, view: View) -> Variable | None:
    """An axis that is folded away and put back with length 1 can be kept at once."""
    folded = node.inputs[0].owner
    if folded is None or folded.op.fold is None or folded.params["keepdims"]:
        return None
    x, axis = folded.inputs[0], folded.params["axis"]
    restored = restore_axes(folded.out, x, axis, False).owner
    if restored is None or restored.params != node.params:
        return None
    return folded.op(x, axis=axis, keepdims=True)


@canonicalize.computed(["dimshuffle"], example=lambda x: x.dimshuffle(1, "x", 0).dimshuffle(2, 0))
def reorder_axes_once(node: Apply, view: View) -> Variable | None:
    """Two reorderings of axes are one."""
    inner = node.inputs[0].owner
    if inner is None or inner.op is not dimshuffle:
        return None
    first, second = inner.params["pattern"], node.params["pattern"]
    x = inner.inputs[0]
    pattern = tuple(None if p is None else first[p] for p in second)
    return x if pattern == tuple(range(x.ndim)) else dimshuffle(x, pattern)


@canonicalize.computed(["dimshuffle"], example=lambda x: x.dimshuffle(0, 1))
def keep_axes_in_order(node: Apply, view: View) -> Variable | None:
    """Axes in the order they have already are left alone."""
    x = node.inputs[0]
    return x if node.params["pattern"] == tuple(range(x.ndim)) else None
