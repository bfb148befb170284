"""Gradients held against finite differences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from engine.errors import GradientError, ParameterError
from engine.expression import Constant, Variable
from engine.function import function
from engine.grad import grad
from engine.types import COMPLEX, FLOATS, TensorType

Array = np.ndarray[Any, Any]

STEPS = {"float64": 1e-7, "float32": 3e-4, "float16": 3e-2}
"""By the least precise dtype in play, how far apart the points are."""
TOLERANCES = {"float64": 1e-4, "float32": 1e-2, "float16": 1e-1}
"""How far the two may lie apart, absolutely and relatively."""


def numeric_grad(
    fun: Callable[[Sequence[Array]], Any], points: Sequence[Any], eps: float | None = None
) -> list[Array]:
    """The gradient of a function of arrays that gives a number, by one-sided differences.

    eps: the step; by default 1e-7 for float64 and 3e-4 for float32.
    """
    arrays = [np.array(p) for p in points]
    step = eps or STEPS[_coarsest(a.dtype.name for a in arrays)]
    start = np.asarray(fun(arrays)).item()
    found = []
    for at, array in enumerate(arrays):
        slope = np.zeros(array.shape, array.dtype)
        for place in np.ndindex(array.shape):
            moved = array.copy()
            moved[place] += step
            end = np.asarray(fun([*arrays[:at], moved, *arrays[at + 1 :]])).item()
            # What was really added, which rounding makes another number than the step.
            slope[place] = (end - start) / float(moved[place] - array[place])
        found.append(slope)
    return found


def verify_grad(
    fun: Callable[..., Variable],
    pt: Sequence[Any],
    n_tests: int = 2,
    rng: np.random.Generator | np.random.RandomState | None = None,
    eps: float | None = None,
    out_type: str | None = None,
    abs_tol: float | None = None,
    rel_tol: float | None = None,
    mode: str | None = None,
    cast_to_output_type: bool = False,
) -> None:
    """Raise GradientError where the gradient of `fun` is not what finite differences say.

    fun: from variables to one expression.  pt: a float array for each variable, the point at
    which both are compared; its axes of length 1 stretch.  The expression is projected on random
    directions, `n_tests` times.
    eps: the step of the differences.  abs_tol, rel_tol: how far the two may lie apart; an
    element fails where both are exceeded.  The defaults of all three follow from the dtypes.
    out_type: the dtype of the expression, if it is another one than that of the points.
    cast_to_output_type: project in that dtype rather than in float64.
    """
    arrays = [np.array(p) for p in pt]
    for i, array in enumerate(arrays):
        if array.dtype.name not in FLOATS:
            raise ParameterError(
                f"Finite differences are of floats, but point {i} is {array.dtype.name}.",
                port="pt",
                expected="float16, float32 or float64",
                got=array.dtype.name,
            )
    random = rng or np.random.default_rng(1)
    inputs: list[Variable] = [
        TensorType(a.dtype, [n == 1 for n in a.shape])(f"input {i}") for i, a in enumerate(arrays)
    ]
    out = fun(*inputs)
    if out.dtype in COMPLEX:
        raise ParameterError("The expression must be real.", expected="a float", got=out.dtype)
    dtypes = [*(a.dtype.name for a in arrays), *([out_type] if out_type else []), out.dtype]
    coarsest = _coarsest(dtypes)
    options: dict[str, Any] = {"mode": mode, "on_unused_input": "ignore"}
    shape = function(inputs, out, **options)(*arrays).shape
    for _ in range(n_tests):
        # In float64, or the differences of a long sum would drown in its rounding.
        weights = np.asarray(random.uniform(0.5, 1.5, shape))
        if cast_to_output_type:
            weights = weights.astype(out_type or out.dtype)
        cost = (out * Constant(weights)).sum()
        value = function(inputs, cost, **options)
        symbolic = function(inputs, grad(cost, inputs, disconnected_inputs="ignore"), **options)
        expected = numeric_grad(lambda points, f=value: f(*points), arrays, eps or STEPS[coarsest])  # type: ignore[misc]
        for i, (a, b) in enumerate(zip(symbolic(*arrays), expected, strict=True)):
            _compare(i, a, b, abs_tol or TOLERANCES[coarsest], rel_tol or TOLERANCES[coarsest])


def _coarsest(dtypes: Any) -> str:
    floats = [d for d in dtypes if d in FLOATS]
    return min(floats, key=lambda d: np.dtype(d).itemsize, default="float64")


def _compare(i: int, found: Array, expected: Array, abs_tol: float, rel_tol: float) -> None:
    found, expected = found.astype("float64"), expected.astype("float64")
    apart = np.abs(found - expected)
    relative = apart / np.maximum(np.maximum(np.abs(found), np.abs(expected)), 1e-8)
    wrong = ~((apart <= abs_tol) | (relative <= rel_tol))
    if not wrong.any():
        return
    place = np.unravel_index(int(np.argmax(np.where(wrong, relative, -1))), wrong.shape)
    where = f" at {tuple(map(int, place))}" if place else ""
    raise GradientError(
        f"The gradient by input {i}{where} is {found[place]:.6g}, but finite differences say "
        f"{expected[place]:.6g}.",
        expected=f"{expected[place]:.6g}",
        got=f"{found[place]:.6g}",
        hint=f"Apart by {apart[place]:.2g} (abs_tol {abs_tol:g}), relatively by "
        f"{relative[place]:.2g} (rel_tol {rel_tol:g}).",
    )
