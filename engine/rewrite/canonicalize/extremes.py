"""The larger and the smaller of two, and what is kept between two bounds."""

from __future__ import annotations

from engine.expression import Apply, Variable
from engine.ops.activations import relu
from engine.ops.arithmetic import maximum, minimum
from engine.ops.exponential import exp
from engine.ops.logic import clip, fill, gt, switch
from engine.rewrite.pattern import Sides
from engine.rewrite.phases import canonicalize
from engine.rewrite.rule import HIDES_ERROR
from engine.rewrite.scalars import constant, number_of
from engine.rewrite.view import View


@canonicalize
def maximum_of_itself(x: Variable) -> Sides:
    """There is nothing to choose."""
    return maximum(x, x), x


@canonicalize
def minimum_of_itself(x: Variable) -> Sides:
    """There is nothing to choose."""
    return minimum(x, x), x


@canonicalize
def maximum_again(x: Variable, y: Variable) -> Sides:
    """The largest of all was found before."""
    return maximum(maximum(x, y), x), maximum(x, y)


@canonicalize
def minimum_again(x: Variable, y: Variable) -> Sides:
    """The smallest of all was found before."""
    return minimum(minimum(x, y), x), minimum(x, y)


@canonicalize.computed(
    ["maximum", "minimum"],
    below=["constant"],
    example=lambda x: maximum(maximum(x, 1), 2),
)
def bound_once(node: Apply, view: View) -> Variable | None:
    """Of two bounds on the same side the tighter one is left."""
    outer, v = _bound(node)
    inner, x = _bound(v.owner) if v is not None and v.owner is not None else (None, None)
    if outer is None or inner is None or x is None or v is None or v.owner is None:
        return None
    if v.owner.op is not node.op or v.dtype != node.out.dtype:
        return None
    tighter = max(outer, inner) if node.op is maximum else min(outer, inner)
    return node.op(x, constant(tighter, node.out.dtype))


def _bound(node: Apply) -> tuple[int | float | None, Variable | None]:
    """The number in a maximum or minimum, and what it is compared with."""
    if node.op in {maximum, minimum}:
        for v, x in (node.inputs, node.inputs[::-1]):
            number = number_of(v)
            if number is not None and not isinstance(number, complex):
                return number, x
    return None, None


@canonicalize.computed(
    ["maximum", "minimum"], below=["constant"], example=lambda x: maximum(exp(x), 0)
)
def bound_that_holds_already(node: Apply, view: View) -> Variable | None:
    """What never passes a bound needs none; NaN stays NaN with it and without."""
    return None if all(number_of(v) is None for v in node.inputs) else _outer(node, view)


@canonicalize.computed(
    ["maximum", "minimum"],
    example=lambda x, y: maximum(exp(x), switch(gt(y, 0), -1.0, 0.0)),
    tags=[HIDES_ERROR],
)
def choose_what_is_beyond(node: Apply, view: View) -> Variable | None:
    """What is never on this side of the other is always chosen, if the other cannot be NaN."""
    return _outer(node, view)


def _outer(node: Apply, view: View) -> Variable | None:
    """That of two which is always chosen."""
    for x, y in (node.inputs, node.inputs[::-1]):
        a, b = view.ranges.of(x), view.ranges.of(y)
        beyond = a.low >= b.high if node.op is maximum else a.high <= b.low
        if beyond and not b.nan:
            return x if view.lengths.covers(x, y) else fill(y, x)
    return None


@canonicalize.computed(["relu"], example=lambda x: relu(exp(x)))
def cut_what_is_never_negative(node: Apply, view: View) -> Variable | None:
    """What is never negative is not cut off at 0."""
    (x,) = node.inputs
    return x if view.ranges.is_never_negative(x) else None


@canonicalize.computed(["clip"], example=lambda x: clip(clip(x, -1, 2), 0, 4))
def clip_once(node: Apply, view: View) -> Variable | None:
    """What was kept between two numbers is kept between those of them that are tighter."""
    inner = node.inputs[0].owner
    if inner is None or inner.op is not clip or inner.out.dtype != node.out.dtype:
        return None
    numbers = [number_of(v) for v in (*inner.inputs[1:], *node.inputs[1:])]
    real = [n for n in numbers if n is not None and not isinstance(n, complex)]
    if len(real) < 4:
        return None
    low, high, least, most = real
    if low > high or least > most:
        return None
    ends = (constant(max(least, min(n, most)), node.out.dtype) for n in (low, high))
    return clip(inner.inputs[0], *ends)


@canonicalize.computed(["clip"], example=lambda x: clip(exp(x), -2, 0.5))
def clip_to_what_is_possible(node: Apply, view: View) -> Variable | None:
    """A bound that is never passed is left out."""
    if any(number_of(v) is None for v in node.inputs[1:]):
        return None
    x, low, high = node.inputs
    known, least, most = map(view.ranges.of, node.inputs)
    if least.low > most.high:
        return None
    above, below = known.low >= least.high, known.high <= most.low
    if above:
        return x if below else minimum(x, high)
    return maximum(x, low) if below else None
