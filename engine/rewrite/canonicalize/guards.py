"""Gradients of what switch leaves out, which stay 0 whatever they meet.

`multiply_no_nan(g, d)` is the product where g is not 0.  These laws gather the d's into one
ordinary product, in which the other laws find what they look for.
"""

from __future__ import annotations

from engine.expression import Apply, Variable
from engine.ops.arithmetic import multiply_no_nan
from engine.ops.logic import switch
from engine.rewrite.pattern import Sides
from engine.rewrite.phases import canonicalize
from engine.rewrite.product import FAMILY as PRODUCTS
from engine.rewrite.rule import ERASES_NAN
from engine.rewrite.scalars import number_of
from engine.rewrite.view import View


@canonicalize.computed(["multiply_no_nan"], example=lambda x: multiply_no_nan(2, x))
def multiply_by_number(node: Apply, view: View) -> Variable | None:
    """A number makes no NaN of anything else."""
    x, y = node.inputs
    return x * y if number_of(x) or number_of(y) is not None else None


@canonicalize
def guard_once(x: Variable, y: Variable, z: Variable) -> Sides:
    """What is 0 where x is 0 stays so if it is multiplied on."""
    return multiply_no_nan(multiply_no_nan(x, y), z), multiply_no_nan(x, y * z)


@canonicalize
def add_guarded(x: Variable, y: Variable, z: Variable) -> Sides:
    """Two terms that are 0 where x is 0 are added before they are multiplied."""
    return multiply_no_nan(x, y) + multiply_no_nan(x, z), multiply_no_nan(x, y + z)


@canonicalize
def subtract_guarded(x: Variable, y: Variable, z: Variable) -> Sides:
    """Two terms that are 0 where x is 0 are subtracted before they are multiplied."""
    return multiply_no_nan(x, y) - multiply_no_nan(x, z), multiply_no_nan(x, y - z)


@canonicalize.computed(
    PRODUCTS, example=lambda x, y, z: multiply_no_nan(x, y) * z, tags=[ERASES_NAN]
)
def multiply_inside_guard(node: Apply, view: View) -> Variable | None:
    """All factors of what is 0 where x is 0 in one product, where they may cancel."""
    if view.is_part_of(node.out, PRODUCTS):
        return None
    form = view.product(node.out)
    for v, e in form.factors.items():
        guarded = v.owner is not None and v.owner.op is multiply_no_nan and not view.is_shared(v)
        if v.owner is None or not guarded or e != 1 or form.cancelled or v.dtype != form.dtype:
            continue
        x, y = v.owner.inputs
        inside = form.copy()
        inside.multiply(v, -1)
        inside.multiply(y, 1)
        product = inside.build()
        return None if product is None else multiply_no_nan(x, product)
    return None


@canonicalize.computed(
    ["multiply_no_nan"], example=lambda x, y: multiply_no_nan(switch(x, 1, 0), y)
)
def choose_after_multiplying(node: Apply, view: View) -> Variable | None:
    """A choice between a number and 0, times y, is one between the product and 0."""
    x, y = node.inputs
    if x.owner is None or x.owner.op is not switch:
        return None
    condition, then, other = x.owner.inputs
    if number_of(other) == 0 and _is_fixed(then):
        return switch(condition, then * y, other)
    if number_of(then) == 0 and _is_fixed(other):
        return switch(condition, then, other * y)
    return None


STEPS = 16
"""How many variables are looked at to see what an expression is made of."""


def _is_fixed(v: Variable) -> bool:
    """Whether the expression is made of numbers and lengths, which no switch makes 0."""
    stack = [v]
    for _ in range(STEPS):
        if not stack:
            return True
        part = stack.pop()
        if part.owner is None:
            if not number_of(part):
                return False
        elif not part.owner.op.from_shape:
            stack.extend(part.owner.inputs)
    return False
