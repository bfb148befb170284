"""Derivatives as expressions: a reverse sweep that knows no op by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, overload

from engine.errors import DisconnectedInputError, NullGradientError, TypeMismatchError
from engine.graph import OPS, Apply, Constant, Variable, as_variable, walk
from engine.op import zero_gradient
from engine.scan import scan
from engine.types import COMPLEX, DISCRETE

Disconnected = Literal["raise", "warn", "ignore"]


@overload
def grad(
    cost: Variable | None,
    wrt: Variable,
    consider_constant: Iterable[Variable] = ...,
    disconnected_inputs: Disconnected = ...,
    known_grads: Mapping[Variable, Variable] | None = ...,
) -> Variable: ...
@overload
def grad(
    cost: Variable | None,
    wrt: Sequence[Variable],
    consider_constant: Iterable[Variable] = ...,
    disconnected_inputs: Disconnected = ...,
    known_grads: Mapping[Variable, Variable] | None = ...,
) -> list[Variable]: ...
def grad(
    cost: Variable | None,
    wrt: Variable | Sequence[Variable],
    consider_constant: Iterable[Variable] = (),
    disconnected_inputs: Disconnected = "raise",
    known_grads: Mapping[Variable, Variable] | None = None,
) -> Variable | list[Variable]:
    """The gradient of a scalar `cost` with respect to one variable or several.

    Each gradient has the shape of its variable; the gradient with respect to integers is float.
    consider_constant: variables through which nothing flows back.
    disconnected_inputs: what to do where the cost does not depend on a variable: "raise", or
        give zeros ("ignore", "warn").
    known_grads: gradients of other variables that are known already, also in place of a cost.

    Raises TypeMismatchError for a cost that is no scalar, DisconnectedInputError, and
    NullGradientError where an op on the way has no gradient.
    """
    targets = [wrt] if isinstance(wrt, Variable) else list(wrt)
    known = {v: as_variable(g) for v, g in (known_grads or {}).items()}
    if cost is not None:
        if cost.ndim:
            raise TypeMismatchError(
                f"The cost must be a scalar, but {cost!r} has {cost.ndim} dimensions.",
                expected="a scalar",
                got=str(cost.type),
                hint="Reduce it first, for example with cost.sum() or cost.mean().",
            )
        if cost.dtype in COMPLEX:
            raise TypeMismatchError(
                "The cost must be real.", expected="a real scalar", got=str(cost.type)
            )
        known.setdefault(cost, _ones_like(cost))
    found = pullback(known, targets, consider_constant)
    gradients: list[Variable] = []
    for v, g in zip(targets, found, strict=True):
        if g is None and disconnected_inputs == "raise":
            raise DisconnectedInputError(
                f"The cost does not depend on {v!r}, so it has no gradient there.",
                node=v.name,
                hint="Use it in the cost, or pass disconnected_inputs='ignore' for zeros.",
            )
        gradients.append(zero_gradient(v) if g is None else g)
    return gradients[0] if isinstance(wrt, Variable) else gradients


def pullback(
    gradients: Mapping[Variable, Variable],
    wrt: Sequence[Variable],
    consider_constant: Iterable[Variable] = (),
) -> list[Variable | None]:
    """Carry known gradients of some variables back to others.

    Gives for each variable of `wrt` its gradient, None where nothing flows to it.
    """
    blocked = set(consider_constant)
    order = walk(gradients, stop=lambda v: v in blocked)
    active = _dependents(order, wrt, blocked)
    flowing: dict[Variable, Variable] = {v: g for v, g in gradients.items() if v in active}
    for node in reversed(order):
        if not any(v in active for v in node.inputs) or not any(v in flowing for v in node.outputs):
            continue
        for v, g in zip(node.inputs, _gradients_of(node, flowing), strict=True):
            if g is None or v not in active:
                continue
            g = _fit(g, v)
            flowing[v] = flowing[v] + g if v in flowing else g
    return [flowing.get(v) for v in wrt]


def _dependents(
    order: Sequence[Apply], wrt: Sequence[Variable], blocked: set[Variable]
) -> set[Variable]:
    """The variables that depend on `wrt`, those included."""
    active = set(wrt) - blocked
    for node in order:
        if any(v in active for v in node.inputs):
            active.update(v for v in node.outputs if v not in blocked)
    return active


def _gradients_of(node: Apply, flowing: Mapping[Variable, Variable]) -> Sequence[Variable | None]:
    op = node.op
    if op.grad is None:
        raise node.located(
            NullGradientError(
                f"There is no gradient here: {op.no_grad}.",
                hint="Keep this op out of the cost, or list its result in consider_constant.",
            )
        )
    sweep = (pullback,) if op.higher_order else ()
    gs = [flowing[v] if v in flowing else zero_gradient(v) for v in node.outputs]
    turns = op.conjugates and any(v.dtype in COMPLEX for v in (*node.inputs, *node.outputs))
    if turns:
        gs = [_conjugate(g) for g in gs]
    if len(node.outputs) == 1:
        found = op.grad(*sweep, gs[0], node.out, *node.inputs, **node.params)
    else:
        found = op.grad(*sweep, tuple(gs), node.outputs, *node.inputs, **node.params)
    return [None if g is None else _conjugate(g) for g in found] if turns else found


def _conjugate(g: Variable) -> Variable:
    """Of a complex gradient, which is the one by the real part plus i times that by the other."""
    return OPS["conj"](g) if g.dtype in COMPLEX else g


def _fit(g: Variable, v: Variable) -> Variable:
    """The gradient in the dtype of its variable, where that is no integer."""
    if g.dtype == v.dtype or v.dtype in DISCRETE:
        return g
    if g.dtype in COMPLEX and v.dtype not in COMPLEX:
        g = OPS["real"](g)
    return g if g.dtype == v.dtype else OPS["cast"](g, v.dtype)


def _ones_like(cost: Variable) -> Variable:
    return OPS["fill"](cost, Constant(1, zero_gradient(cost).dtype))


def jacobian(expression: Variable, wrt: Variable) -> Variable:
    """The derivative of each element of a vector: shape (n, *shape of wrt)."""
    if expression.ndim == 0:
        return grad(expression, wrt)
    if expression.ndim != 1:
        raise TypeMismatchError(
            "The Jacobian is of a vector.", expected="a vector", got=str(expression.type)
        )
    rows, _ = scan(lambda i: grad(expression[i], wrt), sequences=OPS["positions"](expression))
    assert isinstance(rows, Variable)
    return rows


def hessian(cost: Variable, wrt: Variable) -> Variable:
    """The second derivatives of a scalar by a vector: shape (n, n)."""
    if wrt.ndim != 1:
        raise TypeMismatchError(
            "The Hessian is by a vector.", expected="a vector", got=str(wrt.type)
        )
    return jacobian(grad(cost, wrt), wrt)
