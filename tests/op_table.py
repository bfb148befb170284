"""The table of ops as tests read it: every record, its examples, and inputs drawn for them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

import engine.tensor as T
from engine.codegen.numpy import interpret
from engine.expression import OPS, Variable
from engine.op import Example, Op
from engine.types import COMPLEX, DISCRETE, FLOATS, TensorType

Array = np.ndarray[Any, Any]
INEXACT = FLOATS | COMPLEX
RECORDS = sorted(set(OPS.values()), key=lambda op: op.name)


def cases(*dtypes: str) -> list[Any]:
    """Every example of every op in each of the dtypes that the op is for."""
    return [
        pytest.param(op, example, dtype, id=f"{op.name}-{i}-{dtype}")
        for op in RECORDS
        for i, example in enumerate(op.examples)
        for dtype in dtypes
        if dtype in op.dtypes
    ]


def domain(op: Op, position: int) -> tuple[float, float]:
    """Where the input at a position is drawn from."""
    low_high: Any = op.domain
    return low_high if isinstance(low_high[0], float) else low_high[position]


def draw(op: Op, example: Example, dtype: str) -> list[Array]:
    """Inputs for an example of an op, in the dtype that is tested where they may have any."""
    rng = np.random.default_rng(7)
    if example.draw is not None:
        drawn = [np.asarray(v) for v in example.draw(rng)]
        return [_cast(v, dtype) if v.dtype.kind == "f" else v for v in drawn]
    values = []
    for i, shape in enumerate(example.shapes):
        low, high = domain(op, i)
        kind = example.dtypes[i] if example.dtypes else dtype
        value = rng.uniform(low, high, shape)
        if kind in COMPLEX:
            value = value + 1j * rng.uniform(-1, 1, shape)
        values.append(_cast(value, kind))
    return values


def _cast(value: Array, dtype: str) -> Array:
    if dtype == "bool":
        return np.asarray(value > 0)
    if dtype in DISCRETE:
        return np.clip(np.round(value), 1, 3).astype(dtype)
    return value.astype(dtype)


def build(
    op: Op, example: Example, values: Sequence[Array], known: bool = False
) -> tuple[list[Variable], list[Variable]]:
    """The variables that an example's values are for, and the results of the op on them.

    known: whether integers are constants, as they must be where a shape depends on them.
    """
    inputs: list[Variable] = [
        T.constant(v)
        if known and v.dtype.kind in "iu"
        else TensorType(v.dtype, [1 if n == 1 else None for n in v.shape])(f"x{i}")
        for i, v in enumerate(values)
    ]
    fixed = len(op.ports) - op.variadic
    grouped: list[Any] = list(inputs[:fixed])
    if op.variadic and len(inputs) >= fixed:
        grouped.append(inputs[fixed:])
    return inputs, op.each(*grouped, **example.params)


def smooth(op: Op) -> bool:
    """Whether the op has a slope: its first result is a float, and its gradient is that slope."""
    example = op.examples[0] if op.examples else None
    if example is None or op.no_grad or op.overrides_gradient or "float64" not in op.dtypes:
        return False
    return build(op, example, draw(op, example, "float64"))[1][0].dtype in INEXACT


def projected(op: Op, example: Example, values: Sequence[Array]) -> tuple[list[Variable], Variable]:
    """A scalar cost over the op's results: their elements weighed at random and summed."""
    inputs, outputs = build(op, example, values)
    found = interpret(outputs, dict(zip(inputs, values, strict=True)))
    return inputs, weighed(outputs, found)


def weighed(outputs: Sequence[Variable], values: Sequence[Array]) -> Variable:
    """The sum of all elements of the outputs, each times a number drawn for it."""
    rng = np.random.default_rng(3)
    cost: Variable = T.constant(0.0)
    for out, value in zip(outputs, values, strict=True):
        for part in [T.real(out), T.imag(out)] if out.dtype in COMPLEX else [out]:
            if part.dtype in FLOATS:
                weights = rng.uniform(0.5, 1.5, value.shape).astype(part.dtype)
                cost = cost + T.sum(part * T.constant(weights))
    return cost


@contextmanager
def temporary_ops() -> Iterator[None]:
    """Ops that are declared inside are forgotten afterwards."""
    before = dict(OPS)
    try:
        yield
    finally:
        OPS.clear()
        OPS.update(before)
