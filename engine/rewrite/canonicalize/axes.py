"""Order of axes."""

from __future__ import annotations

from engine.expression import Apply, Variable
from engine.ops.axes import dimshuffle
from engine.ops.exponential import exp
from engine.ops.reductions import sum
from engine.rewrite.elements import computed_on, origin_of
from engine.rewrite.phases import ELEMENTWISE, canonicalize
from engine.rewrite.scalars import constant, number_of
from engine.rewrite.view import View


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
    x, chain = origin_of(node.inputs[0], view)
    return computed_on(dimshuffle(x, node.params["pattern"]), chain) if chain else None
