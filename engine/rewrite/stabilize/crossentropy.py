"""Slopes of cross-entropies whose truth is the number of a class."""

from __future__ import annotations

from engine.expression import Apply, Variable
from engine.ops.changing import increase_at
from engine.ops.indexing import subtensor
from engine.ops.logic import fill
from engine.rewrite.phases import stabilize
from engine.rewrite.product import FAMILY as PRODUCTS
from engine.rewrite.rule import ERASES_NAN, Given
from engine.rewrite.scalars import like, number_of
from engine.rewrite.view import View
from engine.types import FLOATS


@stabilize.computed(
    PRODUCTS,
    example=lambda x, y: increase_at(like(y, 0), x[0] / y[0], [], (0,)) * y,
    tags=[ERASES_NAN],
    domain=(0.5, 3.0),
    given={"x": Given((3, 4)), "y": Given((3, 4))},
)
def multiply_by_what_was_picked(node: Apply, view: View) -> Variable | None:
    """What is divided by a part of y, put in its place and multiplied by y needs neither."""
    if node.out.dtype not in FLOATS or view.is_part_of(node.out, PRODUCTS):
        return None
    form = view.product(node.out)
    for v, e in form.factors.items():
        spread = v.owner
        if e != 1 or spread is None or spread.op is not increase_at or v.dtype != form.dtype:
            continue
        zeros, value, *places = spread.inputs
        if not _is_zero(zeros) or value.dtype != v.dtype:
            continue
        inner = view.product(value, deep=True)
        for picked, power in inner.factors.items():
            part = picked.owner
            if power >= 0 or part is None or part.op is not subtensor:
                continue
            y, *others = part.inputs
            same = others == places and part.params["index"] == spread.params["index"]
            if not same or form.factors.get(y, 0) < 1 or y.broadcastable != v.broadcastable:
                continue
            rest = inner.copy()
            rest.multiply(picked, 1)
            left = rest.build()
            if left is None or inner.cancelled or not inner.is_sound():
                return None
            whole = form.copy()
            whole.multiply(y, -1)
            whole.multiply(v, -1)
            if left.broadcastable != value.broadcastable:
                left = fill(picked, left)
            whole.multiply(increase_at(zeros, left, places, spread.params["index"]), 1)
            whole.cancelled = False
            return whole.build()
    return None


def _is_zero(v: Variable) -> bool:
    """Whether the expression is zeros of some shape."""
    if v.owner is not None and v.owner.op is fill:
        v = v.owner.inputs[1]
    return number_of(v) == 0
