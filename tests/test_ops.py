"""One table drives all op tests: every record is held to what it states."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import engine.tensor as T
from engine.codegen.numpy import interpret
from engine.errors import OpError
from engine.graph import OPS, Graph, Variable
from engine.inference import infer_types
from engine.op import Example, Op, elementwise
from engine.printing import pp, tex
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


def smooth(op: Op) -> bool:
    """Whether the op has a slope: its first result is a float, and it has a gradient."""
    example = op.examples[0] if op.examples else None
    if example is None or op.no_grad or "dtype" in example.params or "float64" not in op.dtypes:
        return False
    return build(op, example, draw(op, example, "float64"))[1][0].dtype in INEXACT


def domain(op: Op, position: int) -> tuple[float, float]:
    """Where the input at a position is drawn from."""
    low_high: Any = op.domain
    return low_high if isinstance(low_high[0], float) else low_high[position]


def draw(op: Op, example: Example, dtype: str) -> list[Array]:
    """Inputs for an example of an op, in the dtype that is tested where they may have any."""
    rng = np.random.default_rng(7)
    if example.draw is not None:
        drawn = [np.asarray(v) for v in example.draw(rng)]
        return [v.astype(dtype) if v.dtype.kind == "f" else v for v in drawn]
    values = []
    for i, shape in enumerate(example.shapes):
        low, high = domain(op, i)
        kind = example.dtypes[i] if example.dtypes else dtype
        value = rng.uniform(low, high, shape)
        if kind in COMPLEX:
            value = value + 1j * rng.uniform(-1, 1, shape)
        if kind == "bool" or kind in DISCRETE:
            value = np.clip(np.round(value), 1, 3) if kind != "bool" else value > 0
        values.append(value.astype(kind))
    return values


def build(op: Op, example: Example, values: list[Any]) -> tuple[list[Variable], list[Variable]]:
    """The variables that an example's values are for, and the results of the op on them."""
    inputs = [
        TensorType(v.dtype, [1 if n == 1 else None for n in v.shape])(f"x{i}")
        for i, v in enumerate(values)
    ]
    fixed = [p for p in op.ports if not p.variadic]
    grouped: list[Any] = list(inputs[: len(fixed)])
    if op.variadic:
        grouped.append(inputs[len(fixed) :])
    return inputs, op.each(*grouped, **example.params)


@pytest.mark.parametrize(
    ("op", "example", "dtype"), cases("float64", "float32", "int32", "bool", "complex128")
)
def test_inferred_type_is_the_type_of_the_value(op: Op, example: Example, dtype: str) -> None:
    values = draw(op, example, dtype)
    try:
        inputs, outputs = build(op, example, values)
    except TypeError:
        assert dtype == "bool" or "assign" in op.name or "increase" in op.name
        return
    found = interpret(outputs, dict(zip(inputs, values, strict=True)))
    graph = Graph(inputs, outputs)
    shapes = {v: a.shape for v, a in zip(inputs, values, strict=True)}
    inferred = infer_types(graph, shapes)
    for out, copy, value in zip(outputs, graph.outputs, found, strict=True):
        assert value.dtype == out.dtype
        assert value.ndim == out.ndim
        known = inferred[copy].shape
        assert all(n in (None, actual) for n, actual in zip(known, value.shape, strict=True))
        assert all(value.shape[i] == 1 for i, b in enumerate(out.broadcastable) if b)


def projected(op: Op, example: Example, values: list[Any]) -> tuple[list[Variable], Variable]:
    """A scalar cost over the op's results: their elements weighed at random and summed."""
    inputs, outputs = build(op, example, values)
    found = interpret(outputs, dict(zip(inputs, values, strict=True)))
    rng = np.random.default_rng(3)
    cost: Variable = T.constant(0.0)
    for out, value in zip(outputs, found, strict=True):
        for part in [T.real(out), T.imag(out)] if out.dtype in COMPLEX else [out]:
            if part.dtype in FLOATS:
                weights = rng.uniform(0.5, 1.5, value.shape).astype(part.dtype)
                cost = cost + T.sum(part * T.constant(weights))
    return inputs, cost


@pytest.mark.parametrize(
    ("op", "example", "dtype"),
    [case for case in cases("float64", "float32", "complex128") if smooth(case.values[0])],
)
def test_gradient_agrees_with_finite_differences(op: Op, example: Example, dtype: str) -> None:
    values = draw(op, example, dtype)
    inputs, cost = projected(op, example, values)
    # The differences are taken in float64, around the very same point.
    wide = [v.astype("float64") if v.dtype.kind == "f" else v for v in values]
    wide_inputs, wide_cost = projected(op, example, wide)
    for i, x in enumerate(inputs):
        if x.dtype in DISCRETE:
            continue
        gradient = T.grad(cost, x, disconnected_inputs="ignore")
        assert (gradient.dtype, gradient.ndim) == (x.dtype, x.ndim)
        (found,) = interpret([gradient], dict(zip(inputs, values, strict=True)))
        assert found.shape == values[i].shape
        rng = np.random.default_rng(5)
        direction = rng.uniform(-1, 1, wide[i].shape).astype(wide[i].dtype)
        if x.dtype in COMPLEX:
            direction = direction + 1j * rng.uniform(-1, 1, wide[i].shape)
        ends = []
        for step in (1e-6, -1e-6):
            moved = [*wide[:i], wide[i] + step * direction, *wide[i + 1 :]]
            ends += interpret([wide_cost], dict(zip(wide_inputs, moved, strict=True)))
        slope = (ends[0] - ends[1]) / 2e-6
        close = 1e-3 if dtype == "float32" else 1e-6
        # A complex gradient is that by the real part plus i times that by the imaginary one.
        assert np.sum((np.conj(found) * direction).real) == pytest.approx(
            slope, rel=close, abs=close
        )


@pytest.mark.parametrize("op", RECORDS, ids=lambda op: op.name)
def test_record_is_complete_and_printable(op: Op) -> None:
    assert op.doc.endswith(".")
    assert all(p.doc or p.name for p in op.params)
    assert op.category
    for example in op.examples[:1]:
        dtype = "float64" if "float64" in op.dtypes else "int32"
        _, outputs = build(op, example, draw(op, example, dtype))
        assert pp(outputs[0])
        assert tex(outputs[0]).count("{") == tex(outputs[0]).count("}")


@pytest.mark.parametrize("op", [o for o in RECORDS if o.is_elementwise], ids=lambda op: op.name)
def test_kernel_text_has_no_bare_float(op: Op) -> None:
    """A bare 1.0 would make a float32 kernel compute in float64."""
    assert not re.search(r"\d\.\d|\d\.|\de", op.scalar or "")


def test_an_incomplete_record_is_refused_when_it_is_declared() -> None:
    with pytest.raises(OpError, match=r"half_done.*doc.*grad"):
        elementwise("half_done", doc="", category="Tests", numpy=lambda x: x, scalar="{x}")
    assert "half_done" not in OPS


def test_a_name_can_be_declared_once() -> None:
    with pytest.raises(OpError, match="two ops"):
        elementwise(
            "add",
            doc="Again.",
            category="Tests",
            numpy=lambda x: x,
            scalar="{x}",
            grad=lambda g, y, x: [g],
        )
