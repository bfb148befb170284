"""Parts that are changed: what is put where, and what is left of it."""

from __future__ import annotations

from engine.expression import Apply, Variable
from engine.known import known_value
from engine.ops.changing import assign_at, increase_at, takes_each_once
from engine.ops.exponential import exp
from engine.ops.index import WIRED, Index
from engine.ops.indexing import subtensor
from engine.ops.logic import cast, fill, gt, switch
from engine.ops.reductions import sum
from engine.rewrite.cuts import cuts_of
from engine.rewrite.phases import canonicalize
from engine.rewrite.rule import HIDES_ERROR
from engine.rewrite.scalars import like, number_of
from engine.rewrite.view import View

CHANGES = ["assign_at", "increase_at"]


@canonicalize.computed(
    ["assign_at"],
    example=lambda x: assign_at(x, sum(x), [gt(x, 0)], (WIRED,)),
    tags=[HIDES_ERROR],
)
def assign_by_choosing(node: Apply, view: View) -> Variable | None:
    """A number put where a mask holds is a choice for each element, which needs no places."""
    x, value, *given = node.inputs
    if node.params["index"] != (WIRED,) or given[0].dtype != "bool" or value.ndim:
        return None
    (mask,) = given
    if mask.broadcastable != x.broadcastable:  # it has fewer axes, or stretches where x does not
        return None
    return switch(mask, cast(value, x.dtype), x)


@canonicalize.computed(CHANGES, example=lambda x: assign_at(x, sum(x), [], ()))
def change_all(node: Apply, view: View) -> Variable | None:
    """Where all is changed no index is needed."""
    x, value, *given = node.inputs
    cuts = cuts_of(node.params["index"], given, x.ndim)
    if cuts is None or not all(c.is_whole for c in cuts):
        return None
    value = _as(value, x)
    return fill(x, value) if node.op is assign_at else x + value


def _as(value: Variable, x: Variable) -> Variable:
    """The value in the dtype of x, into which it is put."""
    return value if value.dtype == x.dtype else cast(value, x.dtype)


@canonicalize.computed(["increase_at"], example=lambda x: increase_at(like(x, 0), sum(x), [], (0,)))
def increase_of_zeros(node: Apply, view: View) -> Variable | None:
    """What is added to 0 once is put there."""
    x, value, *given = node.inputs
    return assign_at(x, value, given, node.params["index"]) if _is_zero(x) and _once(node) else None


def _is_zero(v: Variable) -> bool:
    filled = v.owner is not None and v.owner.op.name in {"fill", "alloc", "full"}
    if filled and v.owner is not None:
        v = v.owner.inputs[1 if v.owner.op is fill else 0]
    return number_of(v) == 0


def _once(node: Apply) -> bool:
    """Whether it is plain that no place is changed twice."""
    x, _, *given = node.inputs
    index = Index.read(
        node.params["index"], x.ndim, [v.type for v in given], [known_value(v) for v in given]
    )
    return takes_each_once(index, given)


@canonicalize.computed(["increase_at"], example=lambda x: increase_at(x, like(x[1], 0), [], (0,)))
def increase_by_zero(node: Apply, view: View) -> Variable | None:
    """Adding 0 changes nothing."""
    x, value, *_ = node.inputs
    return x if _is_zero(value) else None


@canonicalize.computed(["assign_at"], example=lambda x: assign_at(x, x[0], [], (0,)))
def assign_what_is_there(node: Apply, view: View) -> Variable | None:
    """A part that is put back where it was changes nothing."""
    x, value, *given = node.inputs
    part = value.owner
    if part is None or part.op is not subtensor or part.params != node.params:
        return None
    return x if part.inputs == (x, *given) else None


@canonicalize.computed(
    ["assign_at"],
    example=lambda x, y: assign_at(increase_at(x, y[0], [], (1,)), y[1], [], (1,)),
    tags=[HIDES_ERROR],
)
def assign_once(node: Apply, view: View) -> Variable | None:
    """What is put over a change hides it."""
    changed, value, *given = node.inputs
    first = changed.owner
    if first is None or first.op not in (assign_at, increase_at) or view.is_shared(changed):
        return None
    x, _, *before = first.inputs
    if before != given or first.params != node.params:
        return None
    return assign_at(x, value, given, node.params["index"])


@canonicalize.computed(
    ["add"],
    example=lambda x, y: exp(x) + increase_at(like(x, 0), y[0], [], (1,)),
    tags=[HIDES_ERROR],
)
def add_into(node: Apply, view: View) -> Variable | None:
    """What is 0 but for a part is added to that part only."""
    for x, other in (node.inputs, node.inputs[::-1]):
        change = x.owner
        if change is None or change.op not in (assign_at, increase_at) or view.is_shared(x):
            continue
        zeros, value, *given = change.inputs
        fits = x.dtype == other.dtype and view.lengths.covers(other, x) and other.ndim == x.ndim
        if fits and _is_zero(zeros) and (change.op is increase_at or _once(change)):
            return increase_at(other, value, given, change.params["index"])
    return None
