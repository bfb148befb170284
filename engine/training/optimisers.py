"""Optimisers as graph updates: from a cost and its parameters to the parameters' next values.

Each is a function `(cost, parameters, learning_rate, **settings)` and knows nothing of loops or
devices; what it makes is an ordinary expression, which is rewritten and compiled with the rest.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from engine.errors import TypeMismatchError
from engine.expression import OPS, Constant, Variable
from engine.grad import grad
from engine.types import FLOATS, TensorType


@dataclass(frozen=True)
class Memory:
    """A variable that an optimiser keeps between steps; it starts as zeros.

    name: what it is, for example "velocity".  parameter: the variable whose shape it has, None
    for a scalar of the optimiser as a whole.
    """

    name: str
    variable: Variable
    parameter: Variable | None


@dataclass(frozen=True)
class Step:
    """One step: the next value of each parameter and of each memory, and the memories."""

    updates: dict[Variable, Variable]
    memories: tuple[Memory, ...] = ()


def sgd(cost: Variable, parameters: Sequence[Variable], learning_rate: Variable) -> Step:
    """Each parameter goes down its gradient: p - learning_rate * dp."""
    gradients = _gradients(cost, parameters, learning_rate)
    return Step({p: p - _like(learning_rate, p) * g for p, g in gradients.items()})


def momentum(
    cost: Variable,
    parameters: Sequence[Variable],
    learning_rate: Variable,
    *,
    momentum: float = 0.9,
) -> Step:
    """Each parameter rolls downhill: v = momentum * v - learning_rate * dp, then p + v."""
    updates: dict[Variable, Variable] = {}
    memories = []
    for p, g in _gradients(cost, parameters, learning_rate).items():
        velocity = _memory("velocity", p)
        memories.append(velocity)
        v = velocity.variable
        updates[v] = v * Constant(momentum, p.dtype) - _like(learning_rate, p) * g
        updates[p] = p + updates[v]
    return Step(updates, tuple(memories))


def adam(
    cost: Variable,
    parameters: Sequence[Variable],
    learning_rate: Variable,
    *,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
) -> Step:
    """Each parameter takes steps of about the learning rate, whatever the size of its gradient.

    Kingma and Ba, "Adam: A Method for Stochastic Optimization", 2015, algorithm 1.
    """
    steps = Memory("steps", Variable(TensorType("float64"), name="steps"), None)
    step = steps.variable + Constant(1, "float64")
    updates: dict[Variable, Variable] = {steps.variable: step}
    memories = [steps]
    for p, g in _gradients(cost, parameters, learning_rate).items():
        first, second = _memory("mean", p), _memory("square", p)
        memories += [first, second]
        mean = _mixed(first.variable, g, beta1)
        square = _mixed(second.variable, OPS["sqr"](g), beta2)
        unbiased = mean / _like(1 - Constant(beta1, "float64") ** step, p)
        spread = OPS["sqrt"](square / _like(1 - Constant(beta2, "float64") ** step, p))
        updates[first.variable] = mean
        updates[second.variable] = square
        updates[p] = p - _like(learning_rate, p) * unbiased / (spread + Constant(epsilon, p.dtype))
    return Step(updates, tuple(memories))


RULES: Mapping[str, Callable[..., Step]] = {"sgd": sgd, "momentum": momentum, "adam": adam}


def settings(rule: str) -> tuple[str, ...]:
    """The names of the settings that a rule takes."""
    return tuple(
        name
        for name, parameter in inspect.signature(RULES[rule]).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    )


def _gradients(
    cost: Variable, parameters: Sequence[Variable], learning_rate: Variable
) -> dict[Variable, Variable]:
    if learning_rate.ndim or learning_rate.dtype.startswith("complex"):
        raise TypeMismatchError(
            "The learning rate must be a real scalar.",
            port="learning_rate", expected="a scalar", got=str(learning_rate.type),
        )  # fmt: skip
    for p in parameters:
        if p.dtype not in FLOATS:
            raise TypeMismatchError(
                f"{p!r} is {p.dtype}, which cannot move in small steps.",
                port="parameters", expected="a float dtype", got=p.dtype,
                hint="Give it the dtype float64 or float32.",
            )  # fmt: skip
    return dict(zip(parameters, grad(cost, list(parameters)), strict=True))


def _like(scalar: Variable, parameter: Variable) -> Variable:
    """A scalar in the dtype of the parameter, so that the step does not widen it."""
    if scalar.dtype == parameter.dtype:
        return scalar
    cast: Variable = OPS["cast"](scalar, parameter.dtype)
    return cast


def _memory(name: str, parameter: Variable) -> Memory:
    label = f"{name} of {parameter.name}" if parameter.name else name
    return Memory(name, Variable(parameter.type, name=label), parameter)


def _mixed(old: Variable, new: Variable, share: float) -> Variable:
    """An average that forgets: `share` of the old value, the rest of the new one."""
    mixed: Variable = old * Constant(share, old.dtype) + new * Constant(1 - share, old.dtype)
    return mixed
