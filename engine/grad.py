"""Derivatives as expressions: a reverse sweep that knows no op by name."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Literal, overload

from engine.branches import Needs
from engine.errors import (
    DisconnectedInputError,
    EngineError,
    NullGradientError,
    ParameterError,
    ShapeError,
    TypeMismatchError,
)
from engine.expression import OPS, Apply, Constant, Variable, as_variable, walk
from engine.makers import unbroadcast, zero_gradient
from engine.op import Gradients
from engine.types import COMPLEX, DISCRETE

OnDisconnected = Literal["raise", "warn", "ignore"]
ReturnDisconnected = Literal["zero", "None", "Disconnected"]
Consider = Iterable[Variable] | Variable | None


class NullGradient(Variable):
    """In place of a gradient that there is none of; why says the reason.

    It has the type of the variable, and no function can compute it.
    """

    __slots__ = ("why",)

    def __init__(self, variable: Variable, why: str) -> None:
        super().__init__(zero_gradient(variable).type, name=f"no gradient: {why}")
        self.why = why


@overload
def grad(
    cost: Variable | None,
    wrt: Variable,
    consider_constant: Consider = ...,
    disconnected_inputs: OnDisconnected = ...,
    add_names: bool = ...,
    known_grads: Mapping[Variable, Any] | None = ...,
    return_disconnected: ReturnDisconnected = ...,
    null_gradients: Literal["raise", "return"] = ...,
) -> Variable: ...
@overload
def grad(
    cost: Variable | None,
    wrt: list[Variable],
    consider_constant: Consider = ...,
    disconnected_inputs: OnDisconnected = ...,
    add_names: bool = ...,
    known_grads: Mapping[Variable, Any] | None = ...,
    return_disconnected: ReturnDisconnected = ...,
    null_gradients: Literal["raise", "return"] = ...,
) -> list[Variable]: ...
@overload
def grad(
    cost: Variable | None,
    wrt: tuple[Variable, ...],
    consider_constant: Consider = ...,
    disconnected_inputs: OnDisconnected = ...,
    add_names: bool = ...,
    known_grads: Mapping[Variable, Any] | None = ...,
    return_disconnected: ReturnDisconnected = ...,
    null_gradients: Literal["raise", "return"] = ...,
) -> tuple[Variable, ...]: ...
def grad(
    cost: Variable | None,
    wrt: Variable | Sequence[Variable],
    consider_constant: Consider = None,
    disconnected_inputs: OnDisconnected = "raise",
    add_names: bool = True,
    known_grads: Mapping[Variable, Any] | None = None,
    return_disconnected: ReturnDisconnected = "zero",
    null_gradients: Literal["raise", "return"] = "raise",
) -> Any:
    """The gradient of a scalar `cost` with respect to one variable or several.

    Of several variables a list, of a tuple of them a tuple.
    Each gradient has the shape of its variable; the gradient with respect to integers is float.
    A complex gradient is dC/dRe + i dC/dIm, the direction in which a real cost rises.
    consider_constant: variables through which nothing flows back.
    disconnected_inputs: what to do where the cost does not depend on a variable: "raise", "warn"
        or "ignore"; in the last two cases return_disconnected says what is given: zeros
        ("zero"), None ("None"), or a NullGradient ("Disconnected").
    add_names: name the gradients `(dcost/dx)` where cost and variable have names.
    known_grads: gradients of other variables that are known already, also in place of a cost.
    null_gradients: "return" gives a NullGradient in place of the error where an op on the way
        has no gradient.

    Raises TypeMismatchError for a cost that is no scalar, DisconnectedInputError, and
    NullGradientError where an op on the way has no gradient.
    """
    _check_choice("disconnected_inputs", disconnected_inputs, ("raise", "warn", "ignore"))
    _check_choice("return_disconnected", return_disconnected, ("zero", "None", "Disconnected"))
    _check_choice("null_gradients", null_gradients, ("raise", "return"))
    targets = variables_in(wrt)
    known = {v: _known_gradient(v, g) for v, g in (known_grads or {}).items()}
    if cost is not None:
        _check_cost(cost)
        known[cost] = known[cost] + _ones_like(cost) if cost in known else _ones_like(cost)
    elif not known:
        raise ParameterError(
            "There is nothing to differentiate: neither a cost nor known gradients.",
            port="cost",
            expected="a scalar, or known_grads",
            got="None",
        )
    nulls: dict[Variable, str] | None = {} if null_gradients == "return" else None
    found = pullback(known, targets, constants_in(consider_constant), nulls)
    gradients: list[Any] = []
    for v, g in zip(targets, found, strict=True):
        if nulls is not None and v in nulls:
            g = NullGradient(v, nulls[v])
        elif g is None:
            g = no_gradient_by(v, disconnected_inputs, return_disconnected)
        elif add_names and cost is not None and cost.name and v.name and g.name is None:
            g.name = f"(d{cost.name}/d{v.name})"
        gradients.append(g)
    return formed_as(wrt, gradients)


def _check_choice(name: str, value: str, choices: Sequence[str]) -> None:
    if value not in choices:
        raise ParameterError(
            f"{name} cannot be {value!r}.", port=name, expected=" or ".join(choices), got=value
        )


def _check_cost(cost: Any) -> None:
    if not isinstance(cost, Variable):
        raise TypeMismatchError(
            f"The cost must be an expression, not a {type(cost).__name__}.",
            port="cost",
            expected="a scalar expression",
            got=type(cost).__name__,
        )
    if cost.ndim:
        raise TypeMismatchError(
            f"The cost must be a scalar, but {cost!r} has {cost.ndim} dimensions.",
            port="cost",
            expected="a scalar",
            got=str(cost.type),
            hint="Reduce it first, for example with cost.sum() or cost.mean().",
        )
    if cost.dtype in COMPLEX:
        raise TypeMismatchError(
            "The cost must be real.",
            port="cost",
            expected="a real scalar",
            got=str(cost.type),
            hint="Take its real part or its absolute value first.",
        )


def _known_gradient(v: Variable, g: Any) -> Variable:
    gradient = as_variable(g)
    if gradient.ndim != v.ndim:
        raise ShapeError(
            f"The known gradient of {v!r} has {gradient.ndim} dimensions, but {v!r} has {v.ndim}.",
            port="known_grads",
            expected=str(v.type),
            got=str(gradient.type),
        )
    return gradient


def constants_in(variables: Consider) -> list[Variable]:
    """The variables through which nothing is to flow back, as a list."""
    if variables is None:
        return []
    return [variables] if isinstance(variables, Variable) else list(variables)


def formed_as(asked: Variable | Sequence[Variable], found: list[Any]) -> Any:
    """What was found in the form of what was asked for: alone, as a list, or as a tuple."""
    if isinstance(asked, Variable):
        return found[0]
    return tuple(found) if isinstance(asked, tuple) else found


def no_gradient_by(
    v: Variable, disconnected_inputs: OnDisconnected, return_disconnected: ReturnDisconnected
) -> Variable | None:
    """What is given where nothing flows to a variable, or DisconnectedInputError."""
    if disconnected_inputs == "raise":
        raise DisconnectedInputError(
            f"The cost does not depend on {v!r}, so it has no gradient there.",
            node=v.name,
            hint="Use it in the cost, or pass disconnected_inputs='ignore' for zeros.",
        )
    if disconnected_inputs == "warn":
        message = f"The cost does not depend on {v!r}; its gradient is {return_disconnected}."
        warnings.warn(message, stacklevel=3)
    match return_disconnected:
        case "None":
            return None
        case "Disconnected":
            return NullGradient(v, "the cost does not depend on it")
        case _:
            return zero_gradient(v)


def pullback(
    gradients: Mapping[Variable, Variable],
    wrt: Sequence[Variable],
    consider_constant: Iterable[Variable] = (),
    nulls: dict[Variable, str] | None = None,
    below_selection: bool = False,
) -> list[Variable | None]:
    """Carry known gradients of some variables back to others.

    Gives for each variable of `wrt` its gradient, None where nothing flows to it.
    nulls: is filled with the variables behind ops without gradient, and why there is none; where
        it is None such an op is a NullGradientError.
    below_selection: whether zeros among the gradients may come from what was not selected, so
        that they have to stay zeros whatever they are multiplied with.
    """
    blocked = set(consider_constant)
    order = walk(gradients, stop=lambda v: v in blocked)
    active = _dependents(order, wrt, blocked)
    flowing: dict[Variable, Variable] = {v: g for v, g in gradients.items() if v in active}
    selected = set(gradients) if below_selection else set()
    needs = Needs(order, [*gradients, *wrt]) if any(node.op.lazy for node in order) else None
    for node in reversed(order):
        reaching = [v for v in node.inputs if v in active]
        if nulls is not None:
            why = next((nulls[v] for v in node.outputs if v in nulls), None)
            if why is None and node.op.grad is None and any(v in flowing for v in node.outputs):
                why = node.op.no_grad
            if why is not None:
                nulls.update(dict.fromkeys(reaching, why))
                continue
        if not reaching or not any(v in flowing for v in node.outputs):
            continue
        below = any(v in selected for v in node.outputs)
        if below or node.op.selects:
            selected.update(reaching)
        try:
            found = _gradients_of(node, flowing, active, below)
        except NullGradientError as error:  # from inside of a loop, say
            if nulls is None:
                raise
            nulls.update(dict.fromkeys(reaching, error.message))
            continue
        for i, (v, g, port) in enumerate(zip(node.inputs, found, _ports(node), strict=True)):
            if g is None or v not in active:
                continue
            if isinstance(g, str):
                if nulls is None:
                    raise _no_gradient(node, g, port)
                nulls[v] = g
                continue
            g = _fit(g, v)
            if needs is not None and not _is_zero(g):
                g = needs.guarded(g, node, i)
            # Zeros are not worth adding; but a variable that only they reach does have a gradient.
            if v not in flowing or _is_zero(flowing[v]):
                flowing[v] = g
            elif not _is_zero(g):
                flowing[v] = _fit(flowing[v] + g, v)
    return [flowing.get(v) for v in wrt]


def _ports(node: Apply) -> list[str]:
    """The name of the port of each input."""
    names = [p.name for p in node.op.ports]
    more = len(node.inputs) - len(names)
    return names[: len(node.inputs)] + names[-1:] * more


def _no_gradient(node: Apply, why: str | None, port: str | None = None) -> EngineError:
    by = f" by {port}" if port else ""
    error = NullGradientError(
        f"There is no gradient{by} here: {why}.",
        port=port,
        hint="Keep this op out of the cost, or list its result in consider_constant.",
    )
    return node.located(error)


def _is_zero(g: Variable) -> bool:
    """Whether a gradient is zeros as zero_gradient makes them."""
    if g.owner is not None and g.owner.op is OPS["fill"]:
        g = g.owner.inputs[1]
    return isinstance(g, Constant) and not g.data.any()


def _dependents(
    order: Sequence[Apply], wrt: Sequence[Variable], blocked: set[Variable]
) -> set[Variable]:
    """The variables that depend on `wrt`, those included; nothing is carried through `blocked`."""
    active = set(wrt)
    for node in order:
        if any(v in active for v in node.inputs):
            active.update(v for v in node.outputs if v not in blocked)
    return active


def _gradients_of(
    node: Apply, flowing: Mapping[Variable, Variable], active: Container[Variable], below: bool
) -> Gradients:
    """The gradients for the inputs of an apply; `below` says whether it is below a selection."""
    op = node.op
    gs = [flowing[v] if v in flowing else zero_gradient(v) for v in node.outputs]
    nothing = all(map(_is_zero, gs))
    if nothing and (op.grad is None or op.higher_order):
        return [zero_gradient(v) for v in node.inputs]
    if op.grad is None:
        raise _no_gradient(node, op.no_grad)
    if op.higher_order:
        sweep = partial(pullback, below_selection=below)
        wanted = [v in active for v in node.inputs]
        flows = tuple(map(flowing.get, node.outputs))
        return op.grad(sweep, wanted, flows, node.outputs, *node.inputs, **node.params)
    turns = op.conjugates and any(v.dtype in COMPLEX for v in (*node.inputs, *node.outputs))
    if turns:
        gs = [_conjugate(g) for g in gs]
    if len(node.outputs) == 1:
        found = op.grad(gs[0], node.out, *node.inputs, **node.params)
    else:
        found = op.grad(tuple(gs), node.outputs, *node.inputs, **node.params)
    if nothing:
        return [
            g if g is None else zero_gradient(v) for g, v in zip(found, node.inputs, strict=True)
        ]
    # What is not linear in a complex g, as its conjugate, has no slope to multiply it with.
    linear = op.conjugates or gs[0].dtype not in COMPLEX
    if below and op.slopes is not None and not op.selects and linear:
        found = _zero_where_unselected(node, op.slopes, gs[0], found)
    return [_conjugate(g) if isinstance(g, Variable) else g for g in found] if turns else found


def _zero_where_unselected(
    node: Apply, slopes: Callable[..., Gradients], g: Variable, plain: Gradients
) -> Gradients:
    """The gradients of an elementwise op, zero wherever g is, whatever it is multiplied with.

    A branch that is not taken gets zeros, but where its slope is infinite or NaN, as that of
    sqrt(x) at 0, their product would be NaN and spoil the other branch's gradient.
    """
    if node.out.dtype in DISCRETE:
        return plain
    own = {v for v in (node.out, *node.inputs) if not isinstance(v, Constant)}
    found: list[Variable | str | None] = []
    for x, as_it_is, slope in zip(node.inputs, plain, slopes(node.out, *node.inputs), strict=True):
        flows = isinstance(as_it_is, Variable) and not _is_zero(as_it_is)
        if flows and isinstance(slope, Variable) and _depends(slope, own):
            found.append(unbroadcast(OPS["multiply_no_nan"](g, slope), x))
        else:
            found.append(as_it_is)
    return found


def _depends(v: Variable, on: set[Variable]) -> bool:
    """Whether an expression reads one of the variables."""
    steps = walk([v], stop=lambda x: x in on)
    return v in on or any(x in on for step in steps for x in step.inputs)


def _conjugate(g: Variable) -> Variable:
    """Of a complex gradient, which is the one by the real part plus i times that by the other."""
    return OPS["conj"](g) if g.dtype in COMPLEX else g


def _fit(g: Variable, v: Variable) -> Variable:
    """The gradient with the pattern of its variable, and with the dtype where that is no integer.

    So an update by a gradient has the type of the variable that it updates.
    """
    if g.broadcastable != v.broadcastable and g.ndim == v.ndim:
        g = OPS["patternbroadcast"](g, v.broadcastable)
    if g.dtype == v.dtype or v.dtype in DISCRETE:
        return g
    if g.dtype in COMPLEX and v.dtype not in COMPLEX:
        g = OPS["real"](g)
    return g if g.dtype == v.dtype else OPS["cast"](g, v.dtype)


def _ones_like(cost: Variable) -> Variable:
    return OPS["fill"](cost, Constant(1, zero_gradient(cost).dtype))


Several = Variable | Sequence[Variable]


def subgraph_grad(
    wrt: Several,
    end: Sequence[Variable],
    start: Mapping[Variable, Any] | None = None,
    cost: Variable | None = None,
    details: bool = False,
) -> Any:
    """The gradients by `wrt` and by `end`, of that part of a graph that lies above `end`.

    So a gradient can be computed piece by piece: what comes out for `end` is the `start` of the
    next piece.  start: known gradients, by variable.  cost: a scalar in the part, if any.
    Gives (gradients by wrt, gradients by end); with details also those of start and of cost by
    themselves, which is what they are the sum of.
    """
    targets, ends = variables_in(wrt), list(end)
    pieces: list[list[Variable]] = []
    for known, of in ((dict(start or {}), None), ({}, cost)):
        if known or of is not None:
            pieces.append(grad(of, [*targets, *ends], ends, "ignore", known_grads=known or None))
    if not pieces:
        raise ParameterError(
            "There is nothing to differentiate: neither start nor cost.",
            expected="start or cost",
            got="None",
        )
    total = pieces[0]
    for piece in pieces[1:]:
        total = [a + b for a, b in zip(total, piece, strict=True)]
    split = len(targets)
    if details:
        own = [p[:split] for p in pieces]
        return (total[:split], total[split:], *own)
    return total[:split], total[split:]


def variables_in(variables: Several) -> list[Variable]:
    """One variable or several, as a list; TypeMismatchError for anything else."""
    found: list[Any] = list(variables) if isinstance(variables, list | tuple) else [variables]
    for v in found:
        if not isinstance(v, Variable):
            raise TypeMismatchError(
                f"A gradient is by variables, not by a {type(v).__name__}.",
                port="wrt",
                expected="a variable or a list of variables",
                got=type(v).__name__,
            )
    return found
