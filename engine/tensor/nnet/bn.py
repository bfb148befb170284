"""Theano's `tensor.nnet.bn`: batch normalisation with Theano's arguments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from engine.errors import ParameterError, ShapeError
from engine.expression import OPS, Variable, as_variable
from engine.ops.normalisation import batch_normalization as _normalized
from engine.ops.normalisation import moments
from engine.types import normalize_axes

Axes = int | Sequence[int] | str

__all__ = ["batch_normalization", "batch_normalization_test", "batch_normalization_train"]


def batch_normalization(
    inputs: Any, gamma: Any, beta: Any, mean: Any, std: Any, mode: str = "low_mem"
) -> Variable:
    """(inputs - mean) * gamma / std + beta, with parameters that stretch to the inputs.

    mode: accepted as in Theano; the rewrites choose how it is computed.
    """
    if mode not in {"low_mem", "high_mem"}:
        raise ParameterError(
            f"mode cannot be {mode!r}.", port="mode", expected="low_mem or high_mem", got=mode
        )
    return _normalized(inputs, gamma, beta, mean, std)


def batch_normalization_train(
    inputs: Any,
    gamma: Any,
    beta: Any,
    axes: Axes = "per-activation",
    epsilon: float = 1e-4,
    running_average_factor: float = 0.1,
    running_mean: Any = None,
    running_var: Any = None,
) -> list[Variable]:
    """Normalise with mean and variance of this very batch, as in training.

    axes: those over which moments are taken: "per-activation" is the first, "spatial" all but
        the second.  gamma, beta, running_mean, running_var: with as many axes as the inputs, of
        length 1 along `axes`; or without those axes.
    Gives out, mean, 1 / standard deviation and, of each running average given, its next value:
        running * (1 - factor) + this batch's * factor (the variance without bias, n / (n - 1)).
    """
    x = as_variable(inputs)
    over = _axes(axes, x)
    mean, variance = moments(x, over)
    invstd = 1 / OPS["sqrt"](variance + _like(variance, epsilon))
    out = (x - mean) * (_fitted(gamma, x, over, "gamma") * invstd)
    results = [out + _fitted(beta, x, over, "beta"), mean, invstd]
    factor = _like(variance, running_average_factor)
    if running_mean is not None:
        kept = _fitted(running_mean, x, over, "running_mean")
        results.append(_as_given(kept * (1 - factor) + mean * factor, running_mean, over))
    if running_var is not None:
        kept = _fitted(running_var, x, over, "running_var")
        n = OPS["cast"](OPS["count"](x, axis=over), variance.dtype)
        unbiased = variance * (n / (n - 1))
        results.append(_as_given(kept * (1 - factor) + unbiased * factor, running_var, over))
    return results


def batch_normalization_test(
    inputs: Any,
    gamma: Any,
    beta: Any,
    mean: Any,
    var: Any,
    axes: Axes = "per-activation",
    epsilon: float = 1e-4,
) -> Variable:
    """Normalise with a mean and variance that are given, as after training."""
    x = as_variable(inputs)
    over = _axes(axes, x)
    gamma, beta, mean, var = (
        _fitted(v, x, over, name)
        for name, v in (("gamma", gamma), ("beta", beta), ("mean", mean), ("var", var))
    )
    return _normalized(x, gamma, beta, mean, OPS["sqrt"](var + _like(var, epsilon)))


def _axes(axes: Axes, x: Variable) -> tuple[int, ...]:
    match axes:
        case "per-activation":
            return (0,)
        case "spatial":
            return (0, *range(2, x.ndim))
        case str():
            raise ParameterError(
                f"axes cannot be {axes!r}.",
                port="axes",
                expected="per-activation, spatial, or axes",
                got=axes,
            )
        case _:
            return normalize_axes(axes, x.ndim)


def _like(v: Variable, number: float) -> Variable:
    return OPS["cast"](number, v.dtype)


def _fitted(parameter: Any, x: Variable, axes: tuple[int, ...], name: str) -> Variable:
    """A parameter that stretches along `axes`."""
    v = as_variable(parameter)
    kept = [i for i in range(x.ndim) if i not in axes]
    if v.ndim == x.ndim:
        return OPS["addbroadcast"](v, axes)
    if v.ndim == len(kept):
        order = iter(range(v.ndim))
        return v.dimshuffle(*("x" if i in axes else next(order) for i in range(x.ndim)))
    raise ShapeError(
        f"{name} has {v.ndim} axes; {x.type} normalised over the axes {axes} needs "
        f"{len(kept)}, or {x.ndim} with length 1 there.",
        port=name,
        expected=f"{len(kept)} or {x.ndim} axes",
        got=str(v.type),
    )


def _as_given(value: Variable, parameter: Any, axes: tuple[int, ...]) -> Variable:
    """The value with the axes and dtype of the parameter whose next value it is."""
    given = as_variable(parameter)
    if given.ndim < value.ndim:
        value = value.dimshuffle(*(i for i in range(value.ndim) if i not in axes))
    else:
        value = OPS["patternbroadcast"](value, given.broadcastable)
    return OPS["cast"](value, given.dtype)
