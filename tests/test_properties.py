"""Random well-typed graphs, grown from the table of ops: every way to compute them agrees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from engine.codegen import compile_graph
from engine.codegen.numpy import interpret
from engine.errors import CompileError, EngineError
from engine.expression import OPS, Variable
from engine.grad import grad
from engine.graph import Graph
from engine.inference import infer_types
from engine.op import Op
from engine.rewrite import optimize
from engine.types import DISCRETE, FLOATS, TensorType
from tests.op_table import RECORDS, Array, weighed

LARGEST = 1e3
"""Values beyond this are left out: it is agreement that is tested, not overflow."""
SHAPES: list[tuple[int, ...]] = [(), (3,), (2, 3), (1, 3), (2, 1), (3, 2)]


def takes_anything(op: Op) -> bool:
    """Whether inputs around zero will do, and nothing but their types says what fits."""
    plain = op.domain == (-3.0, 3.0) and not any(p.type == "graph" for p in op.params)
    return plain and op.name not in UNFIT and all(e.draw is None for e in op.examples)


UNFIT = {
    "print_value",  # it prints
    "undefined_grad", "disconnected_grad", "zero_grad", "grad_clip", "grad_scale",  # on purpose
    "reshape_like",  # trusts its caller
}  # fmt: skip
GROWING = [op.name for op in RECORDS if takes_anything(op)]


@dataclass
class Grown:
    """A graph: its inputs with their values, and everything that was built on them."""

    inputs: list[Variable]
    values: list[Array]
    made: list[Variable]

    def given(self) -> dict[Variable, Array]:
        """The inputs' values by input."""
        return dict(zip(self.inputs, self.values, strict=True))

    def results(self) -> list[Variable]:
        """What nothing else reads."""
        read = {v for m in self.made if m.owner for v in m.owner.inputs}
        return [v for v in self.made if v not in read and v.owner] or self.made[-1:]


@st.composite
def graphs(draw: Any, dtypes: Sequence[str], ops: Sequence[str]) -> Grown:
    """Grow a graph op by op; what an op refuses, or what gets too large, is left out."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    grown = Grown([], [], [])
    known: list[Array] = []
    for i in range(draw(st.integers(1, 3))):
        shape = draw(st.sampled_from(SHAPES))
        dtype = draw(st.sampled_from(dtypes))
        value = rng.uniform(-3, 3, shape)
        value = (np.round(value) if dtype in DISCRETE else value).astype(dtype)
        if dtype == "uint8":
            value = np.abs(value)
        v: Variable = TensorType(dtype, [1 if n == 1 else None for n in shape])(f"x{i}")
        grown.inputs.append(v)
        grown.values.append(value)
        grown.made.append(v)
        known.append(value)
    for _ in range(draw(st.integers(1, 8))):
        op = OPS[draw(st.sampled_from(ops))]
        example = op.examples[draw(st.integers(0, len(op.examples) - 1))] if op.examples else None
        places = [draw(st.integers(0, len(known) - 1)) for _ in range(arity(op, example))]
        chosen = [grown.made[at] for at in places]
        fixed = len(op.ports) - op.variadic
        arguments = [*chosen[:fixed], *([chosen[fixed:]] if op.variadic else [])]
        try:
            outputs = op.each(*arguments, **(example.params if example else {}))
            shapes = {v: a.shape for v, a in grown.given().items()}
            infer_types(Graph(grown.inputs, outputs), shapes)  # NumPy stretches more than we do
            found = interpret(outputs, dict(zip(grown.made, known, strict=True)))
        except EngineError:
            continue
        if all(_is_small(value) for value in found):
            grown.made += outputs
            known += found
    assume(any(v.owner for v in grown.made))
    return grown


def arity(op: Op, example: Any) -> int:
    """How many inputs an op gets."""
    return max(len(example.shapes) if example else 0, len(op.ports))


def _is_small(value: Array) -> bool:
    if value.size > 200:
        return False
    with np.errstate(all="ignore"):
        return bool(np.isfinite(value).all() and (np.abs(value.astype(complex)) < LARGEST).all())


def assert_close(found: Array, expected: Array, close: float) -> None:
    """Equal up to what the order of operations changes."""
    assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
    np.testing.assert_allclose(found, expected, rtol=close, atol=close)


TOLERANCE = {"float16": 3e-2, "float32": 2e-4}
quick = settings(max_examples=60, suppress_health_check=list(HealthCheck))
ALL = ("float64", "float32", "int32", "int8", "bool", "uint8", "complex128")


def tolerance(grown: Grown) -> float:
    """As the narrowest float in the graph allows."""
    return max(TOLERANCE.get(v.dtype, 1e-9) for v in grown.made)


@given(graphs(ALL, GROWING))
@quick
def test_rewriting_keeps_values_and_types(grown: Grown) -> None:
    outputs = grown.results()
    expected = interpret(outputs, grown.given())
    graph = Graph(grown.inputs, outputs)
    film = optimize(graph)
    assert film.warnings == []
    for found, value in zip(interpret(graph.outputs, grown.given()), expected, strict=True):
        assert_close(found, value, tolerance(grown))


@given(graphs(ALL, GROWING))
@settings(quick, max_examples=25)
def test_native_code_agrees_with_numpy(grown: Grown) -> None:
    outputs = grown.results()
    expected = interpret(outputs, grown.given())
    shapes = {v: a.shape for v, a in grown.given().items()}
    try:
        native = compile_graph(Graph(grown.inputs, outputs), shapes)
    except CompileError as error:
        assume("it runs in NumPy" not in error.message)
        raise
    for v, value in grown.given().items():
        native.inputs[v][...] = value
    native.call()
    for found, value in zip(native.outputs, expected, strict=True):
        assert_close(found, value, tolerance(grown))


TIED = {"max", "min", "ptp", "max_and_argmax", "max_pool_2d_same_size",
        "pool_1d", "pool_2d", "pool_3d"}  # fmt: skip
"""Every one of equal elements gets the whole gradient, which is no derivative."""
SLOPING = [n for n in GROWING if n not in TIED and (OPS[n].grad or OPS[n].body)]


@given(graphs(("float64",), SLOPING))
@quick
def test_gradients_agree_with_differences(grown: Grown) -> None:
    outputs = [v for v in grown.results() if v.dtype in FLOATS]
    # Differences as small as these need all digits of float64.
    assume(outputs and not any(v.dtype in {"float16", "float32"} for v in grown.made))
    cost = weighed(outputs, interpret(outputs, grown.given()))
    gradients = interpret(grad(cost, grown.inputs, disconnected_inputs="ignore"), grown.given())
    rng = np.random.default_rng(5)
    for at, found in enumerate(gradients):
        direction = rng.uniform(-1, 1, found.shape)
        slopes = []
        for step in (1e-6, -1e-6):
            moved = grown.given() | {grown.inputs[at]: grown.values[at] + step * direction}
            (end,) = interpret([cost], moved)
            (start,) = interpret([cost], grown.given())
            slopes.append((end - start) / step)
        # At a kink or a jump there is no one slope.
        assume(abs(slopes[0] - slopes[1]) < 1e-3 * (1 + abs(slopes[0])))
        along = float(np.sum(found * direction))
        assert abs(along - np.mean(slopes)) < 1e-4 * (1 + abs(along))


def test_most_ops_take_part() -> None:
    assert len(GROWING) > len(RECORDS) / 3
    assert "add" in GROWING
