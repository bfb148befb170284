"""Shapes, which are known before anything is computed, and shapes that are stated."""

from __future__ import annotations

import numpy as np

from engine.expression import OPS, Apply, Constant, Variable
from engine.op import Op
from engine.ops.axes import addbroadcast, unbroadcast
from engine.ops.exponential import exp
from engine.ops.joining import stack
from engine.ops.logic import cast, fill
from engine.ops.products import dot
from engine.ops.ranges import arange, positions
from engine.ops.reductions import count, sum
from engine.ops.shape import shape, specify_shape
from engine.rewrite.lengths import axis_read
from engine.rewrite.phases import canonicalize
from engine.rewrite.rule import HIDES_ERROR, Given
from engine.rewrite.scalars import number_of
from engine.rewrite.shapes import (
    length_of_result,
    length_source,
    lengths_of_result,
    made_of,
    product_of,
    shape_source,
)
from engine.rewrite.view import View
from engine.types import normalize_axes

MATRICES = {"x": Given((3, 4)), "y": Given((4, 2))}


def _models(op: Op) -> tuple[int, int | None]:
    """The inputs, from the first number to before the second, of which only the shape is read."""
    if op.from_shape:
        return 0, None
    names = [port.name for port in op.ports]
    return (1, None) if op.name == "join_part" else (names.index("model"), names.index("model") + 1)


MODELS = {
    op.name: _models(op)
    for op in OPS.values()
    if op.from_shape or op.name == "join_part" or any(p.name == "model" for p in op.ports)
}
"""The inputs of which an op reads only the shape."""


@canonicalize.computed(MODELS, example=lambda x, y: fill(x * y, sum(y)), tags=[HIDES_ERROR])
def shape_without_computing(node: Apply, view: View) -> Variable | None:
    """Where only the shape counts, any tensor of that shape will do."""
    inputs = list(node.inputs)
    first, last = MODELS[node.op.name]
    inputs[first:last] = [shape_source(v, view) for v in inputs[first:last]]
    changed = any(v is not x for v, x in zip(inputs, node.inputs, strict=True))
    return node.op.apply(inputs, node.params).out if changed else None


@canonicalize.computed(["fill"], example=lambda x, y: fill(exp(x), sum(y)))
def shape_of_what_is_read(node: Apply, view: View) -> Variable | None:
    """What is computed of one tensor alone has that one's shape, without fail."""
    model, value = node.inputs
    if model.owner is None or not (model.owner.op.is_elementwise or model.owner.op is cast):
        return None
    read = [v for v in model.owner.inputs if number_of(v) is None]
    if len(read) != 1 or read[0].broadcastable != model.broadcastable:
        return None
    return fill(read[0], value)


@canonicalize.computed(
    ["subtensor"], example=lambda x, y: shape(dot(x, y))[1], given=MATRICES, tags=[HIDES_ERROR]
)
def length_without_computing(node: Apply, view: View) -> Variable | None:
    """The length of a result follows from the lengths that went into it."""
    axis = axis_read(node.out)
    return None if axis is None else length_of_result(*axis, view)


@canonicalize.computed(
    ["shape"], example=lambda x, y: shape(dot(x, y)), given=MATRICES, tags=[HIDES_ERROR]
)
def lengths_without_computing(node: Apply, view: View) -> Variable | None:
    """The shape of a result follows from the shapes that went into it."""
    (x,) = node.inputs
    lengths = lengths_of_result(x, range(x.ndim), view)
    if lengths is None:
        return None
    known = [number_of(n) for n in lengths]
    if None not in known:
        return Constant(np.array(known, "int64"))
    return stack.apply(lengths, {"axis": 0}).out


@canonicalize.computed(
    ["count"], example=lambda x, y: count(dot(x, y), 1), given=MATRICES, tags=[HIDES_ERROR]
)
def size_without_computing(node: Apply, view: View) -> Variable | None:
    """How many elements a result has follows from the lengths that went into it."""
    (x,) = node.inputs
    lengths = lengths_of_result(x, normalize_axes(node.params["axis"], x.ndim), view)
    return None if lengths is None else product_of(lengths)


@canonicalize.computed(
    ["positions"], example=lambda x, y: positions(dot(x, y)), given=MATRICES, tags=[HIDES_ERROR]
)
def count_without_computing(node: Apply, view: View) -> Variable | None:
    """Places are counted along any tensor that is as long, or up to its length."""
    x, axis = length_source(node.inputs[0], 0, view)
    if axis == 0 and x.owner is None:
        return positions(x)
    n = length_of_result(node.inputs[0], 0, view)
    return None if n is None else arange(0, n, 1)


@canonicalize.computed(
    ["fill"], example=lambda x, y: fill(dot(x, y), sum(x)), given=MATRICES, tags=[HIDES_ERROR]
)
def fill_without_computing(node: Apply, view: View) -> Variable | None:
    """What is filled needs the lengths of its model, not what is in it."""
    model, value = node.inputs
    if model.owner is None or model.broadcastable != node.out.broadcastable:
        return None
    lengths = lengths_of_result(model, range(model.ndim), view)
    return None if lengths is None else made_of(value, lengths)


# Shapes that are stated


@canonicalize.computed(
    ["specify_shape"], example=lambda x: specify_shape(x, (shape(x)[0], None)), tags=[HIDES_ERROR]
)
def state_what_is_known(node: Apply, view: View) -> Variable | None:
    """Lengths that are known already need not be stated."""
    x, *wanted = node.inputs
    own = view.lengths.of(x)
    return x if all(_says_nothing(v, n, view) for v, n in zip(wanted, own, strict=True)) else None


def _says_nothing(wanted: Variable, n: int, view: View) -> bool:
    axis = axis_read(wanted)
    if axis is not None and view.lengths.of(axis[0])[axis[1]] == n:
        return True
    return number_of(wanted) in (-1, n)


@canonicalize.computed(["addbroadcast", "unbroadcast"], example=lambda x: unbroadcast(x, (0,)))
def stretch_as_before(node: Apply, view: View) -> Variable | None:
    """Axes that stretch already, or do not, are left alone."""
    (x,) = node.inputs
    return x if x.broadcastable == node.out.broadcastable else None


@canonicalize.computed(
    ["addbroadcast", "unbroadcast"],
    example=lambda x: unbroadcast(addbroadcast(x, (0,)), (0,)),
    given={"x": Given((1, 3))},
    tags=[HIDES_ERROR],
)
def state_stretching_once(node: Apply, view: View) -> Variable | None:
    """Of two statements on which axes stretch the last one holds."""
    inner = node.inputs[0].owner
    if inner is None or inner.op not in (addbroadcast, unbroadcast):
        return None
    (x,) = inner.inputs
    return OPS["patternbroadcast"](x, node.out.broadcastable)
