"""Canonicalize, continued: laws of shapes, of what is filled, summed, kept or reordered."""

from __future__ import annotations

from engine.expression import OPS, Apply, Variable
from engine.makers import restore_axes
from engine.ops.axes import dimshuffle
from engine.ops.exponential import exp
from engine.ops.logic import cast, fill
from engine.ops.reductions import count, max, mean, sum
from engine.rewrite.canonicalize import canonicalize
from engine.rewrite.products import FAMILY as PRODUCTS
from engine.rewrite.products import Product
from engine.rewrite.rule import HIDES_ERROR
from engine.rewrite.scalars import constant, number_of
from engine.rewrite.view import View
from engine.types import DISCRETE, normalize_axes

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
    model = _shape_source(model, view)
    return None if model is node.inputs[0] else node.op.apply([model, *others], node.params).out


def _shape_source(v: Variable, view: View) -> Variable:
    """The variable that v has its shape from, down through all that is elementwise."""
    while v.owner is not None and (v.owner.op.is_elementwise or v.owner.op is cast):
        alike = [x for x in v.owner.inputs if x.broadcastable == v.broadcastable]
        same = next((x for x in alike if view.lengths.covers(x, v)), None)
        if same is None:
            break
        v = same
    return v


def states_dtype(node: Apply) -> bool:
    """Whether a sum or mean was told in which dtype to add up or to give its result."""
    return node.params["dtype"] is not None or node.params["acc_dtype"] is not None


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
    ["sum", "prod", "mean", "max", "min"], example=lambda x: max(sum(x, 1, keepdims=True), 1)
)
def fold_one_element(node: Apply, view: View) -> Variable | None:
    """Folding an axis of length 1 changes nothing, but that the axis may go."""
    x = node.inputs[0]
    axes = normalize_axes(node.params["axis"], x.ndim)
    if x.dtype != node.out.dtype or not all(x.broadcastable[a] for a in axes):
        return None
    if node.params["keepdims"] or not axes:
        return x
    return dimshuffle(x, tuple(a for a in range(x.ndim) if a not in axes))


@canonicalize.computed(["sum", "mean"], example=lambda x, y: sum(x * mean(y), axis=0))
def scale_after_summing(node: Apply, view: View) -> Variable | None:
    """What is the same for every term is multiplied once with the sum."""
    x = node.inputs[0]
    if x.dtype in DISCRETE or x.owner is None or x.owner.op.name not in PRODUCTS:
        return None
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
        if all(a < 0 or v.broadcastable[a] for a in reduced) and len(form.factors) > 1:
            form.multiply(v, -e)
            kept = [a for a in range(v.ndim) if a not in reduced]
            dropped = not node.params["keepdims"] and len(kept) < v.ndim
            outside.multiply(dimshuffle(v, tuple(kept)) if dropped else v, e)
    inner = form.build() if outside.factors or outside.coefficient != 1 else None
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
    x = folded.inputs[0]
    restored = restore_axes(folded.out, x, folded.params["axis"], False).owner
    if restored is None or restored.params != node.params:
        return None
    return folded.op.apply([x], {**folded.params, "keepdims": True}).out


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
    x, pattern = node.inputs[0], node.params["pattern"]
    if len(pattern) != x.ndim:
        return None
    # An axis of length 1 that is dropped and put back in its place is kept.
    kept = (p == i or (p is None and x.broadcastable[i]) for i, p in enumerate(pattern))
    return x if all(kept) else None


@canonicalize.computed(ELEMENTWISE, example=lambda x: x * sum(x).dimshuffle("x", "x"))
def stretch_without_new_axes(node: Apply, view: View) -> Variable | None:
    """New axes in front are there for nothing where a tensor with more axes is read too."""
    for i, v in enumerate(node.inputs):
        x = _without_new_axes(v, view) if v.ndim and v.broadcastable[0] else None
        if x is None:
            continue
        inputs = [*node.inputs[:i], x, *node.inputs[i + 1 :]]
        out = node.op.apply(inputs, node.params).out
        if out.broadcastable == node.out.broadcastable:
            return out
    return None


def _without_new_axes(v: Variable, view: View, depth: int = 4) -> Variable | None:
    """The same values without the axes that were only put in front of them."""
    number = number_of(v)
    if number is not None:
        return constant(number, v.dtype)
    if v.owner is None or not depth or view.is_shared(v):
        return v if v.ndim == 0 else None
    inputs = v.owner.inputs
    if v.owner.op is dimshuffle:
        (x,) = inputs
        in_front = (None,) * (v.ndim - x.ndim) + tuple(range(x.ndim))
        return x if v.owner.params["pattern"] == in_front else None
    if v.ndim == 0 or not v.owner.op.is_elementwise:
        return v if v.ndim == 0 else None
    lower = [_without_new_axes(x, view, depth - 1) for x in inputs]
    parts = [x for x in lower if x is not None]
    return v.owner.op.apply(parts, {}).out if len(parts) == len(inputs) else None


@canonicalize.computed(["dimshuffle"], example=lambda x: exp(sum(x, axis=1)).dimshuffle(0, "x"))
def reorder_axes_first(node: Apply, view: View) -> Variable | None:
    """Axes are reordered before anything is computed: then the order can meet its origin."""
    chain: list[Apply] = []
    x, pattern = node.inputs[0], node.params["pattern"]
    while x.owner is not None and x.owner.op.is_elementwise and not view.is_shared(x):
        tensors = [v for v in x.owner.inputs if v.ndim]
        if len(tensors) != 1 or tensors[0].broadcastable != x.broadcastable:
            break
        chain.append(x.owner)
        x = tensors[0] if x.owner.op is not fill else _shape_source(tensors[0], view)
    if not chain:
        return None
    out = dimshuffle(x, pattern)
    for apply in reversed(chain):
        inputs = [out if v.ndim else v for v in apply.inputs]
        out = apply.op.apply(inputs, apply.params).out
    return out
