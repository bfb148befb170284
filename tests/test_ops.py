"""One table drives all op tests: every record is held to what it states."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import engine.tensor as T
from engine.codegen import compile_graph
from engine.codegen.numpy import interpret
from engine.document import palette, parse
from engine.errors import EngineError, NullGradientError, OpError
from engine.expression import OPS, Variable
from engine.graph import Graph
from engine.inference import infer_types
from engine.makers import elementwise
from engine.op import Example, Op
from engine.printing import pp, tex
from engine.program import Program
from engine.types import COMPLEX, DISCRETE, DTYPES
from tests.op_table import (
    RECORDS,
    Array,
    build,
    cases,
    draw,
    projected,
    smooth,
    temporary_ops,
    weighed,
)

every_op = pytest.mark.parametrize("op", RECORDS, ids=lambda op: op.name)
every_case = pytest.mark.parametrize(("op", "example", "dtype"), cases("float64"))


def assert_types_hold(op: Op, example: Example, values: Sequence[Array]) -> list[Array]:
    """Results have the dtype, rank and lengths that were inferred; gives them."""
    inputs, outputs = build(op, example, values)
    found = interpret(outputs, dict(zip(inputs, values, strict=True)))
    graph = Graph(inputs, outputs)
    shapes = {v: a.shape for v, a in zip(inputs, values, strict=True)}
    inferred = infer_types(graph, shapes)
    for out, copy, value in zip(outputs, graph.outputs, found, strict=True):
        assert (value.dtype, value.ndim) == (out.dtype, out.ndim)
        known = inferred[copy].shape
        assert all(n in (None, actual) for n, actual in zip(known, value.shape, strict=True))
        assert all(value.shape[i] == 1 for i, b in enumerate(out.broadcastable) if b)
    return found


@pytest.mark.parametrize(("op", "example", "dtype"), cases(*DTYPES))
def test_inferred_type_is_the_type_of_the_value(op: Op, example: Example, dtype: str) -> None:
    values = draw(op, example, dtype)
    if not refused(op, example, values):
        assert_types_hold(op, example, values)


def refused(op: Op, example: Example, values: Sequence[Array]) -> bool:
    """Whether the op says, in a sentence, that it does not take such inputs."""
    try:
        build(op, example, values)
    except EngineError as error:
        return error.message.endswith(".")
    return False


@every_op
def test_what_is_refused_is_refused_in_words(op: Op) -> None:
    """Dtypes that a record does not list either work or are refused with a sentence."""
    for dtype in sorted(set(DTYPES) - op.dtypes):
        for example in op.examples[:1]:
            values = draw(op, example, dtype)
            if not refused(op, example, values):
                assert_types_hold(op, example, values)


def without(length: int, example: Example) -> Example:
    """The example with every axis of this length made empty."""
    shapes = tuple(tuple(0 if n == length else n for n in shape) for shape in example.shapes)
    return replace(example, shapes=shapes)


@every_case
def test_nothing_is_a_number_of_elements_too(op: Op, example: Example, dtype: str) -> None:
    for length in {n for shape in example.shapes for n in shape if n > 1}:
        empty = without(length, example)
        values = draw(op, empty, dtype)
        try:
            assert_types_hold(op, empty, values)
        except EngineError as error:
            # A sentence of ours, and none that NumPy says.
            if error.__cause__ is not None:
                raise


@pytest.mark.parametrize("op", [o for o in RECORDS if o.is_elementwise], ids=lambda op: op.name)
def test_a_number_is_a_tensor_without_axes(op: Op) -> None:
    example = Example(((),) * len(op.ports), dtypes=op.examples[0].dtypes)
    dtype = "float64" if "float64" in op.dtypes else "int32"
    (value,) = assert_types_hold(op, example, draw(op, example, dtype))
    assert value.shape == ()


@every_case
def test_strides_do_not_matter_and_inputs_stay_as_they_are(
    op: Op, example: Example, dtype: str
) -> None:
    values = draw(op, example, dtype)
    inputs, outputs = build(op, example, values)
    dense = interpret(outputs, dict(zip(inputs, values, strict=True)))
    strided = [np.repeat(np.repeat(v, 2, axis=-1), 2, axis=0)[::2, ..., ::2] if v.ndim > 1
               else np.repeat(v, 2)[::2] if v.ndim else v for v in values]  # fmt: skip
    turned = [np.asfortranarray(v[::-1].copy()[::-1]) if v.ndim else v for v in values]
    for other in (strided, turned):
        for v in other:
            v.setflags(write=False)
        found = interpret(outputs, dict(zip(inputs, other, strict=True)))
        for a, b in zip(dense, found, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14)
        for v, w in zip(values, other, strict=True):
            assert np.array_equal(v, w, equal_nan=v.dtype.kind in "fc")


SPECIAL = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, 0.5, 2.0, 1e-300, 800.0, -800.0, 1e300]


@pytest.mark.parametrize("op", [o for o in RECORDS if o.is_elementwise], ids=lambda op: op.name)
def test_nan_and_infinity_are_data_in_every_target(op: Op) -> None:
    dtype = "float64" if "float64" in op.dtypes else "int64"
    inputs = [T.TensorType(dtype, (None,))(f"x{i}") for i in range(len(op.ports))]
    rng = np.random.default_rng(2)
    with np.errstate(all="ignore"):
        grid = np.repeat(SPECIAL if dtype == "float64" else [0.0, 1, -1, 3, 2**40], 8)
        values = [(grid if i == 0 else rng.permutation(grid)).astype(dtype)
                  for i in range(len(inputs))]  # fmt: skip
    try:
        out = op(*inputs)
    except EngineError:
        pytest.skip(f"{op.name} takes inputs of different dtypes")
    (expected,) = interpret([out], dict(zip(inputs, values, strict=True)))
    native = compile_graph(Graph(inputs, [out]), dict.fromkeys(inputs, grid.shape))
    for v, value in zip(inputs, values, strict=True):
        native.inputs[v][...] = value
    native.call()
    np.testing.assert_allclose(native.outputs[0], expected, rtol=1e-12, atol=1e-15)
    assert native.outputs[0].dtype == expected.dtype


# Gradients.


def assert_slope(
    cost: Variable, x: Variable, inputs: Sequence[Variable], values: Sequence[Array], found: Array,
    close: float,
) -> None:  # fmt: skip
    """The gradient's component in some direction is what a small step that way changes."""
    at = list(inputs).index(x)
    rng = np.random.default_rng(5)
    direction = rng.uniform(-1, 1, values[at].shape).astype(values[at].dtype)
    if x.dtype in COMPLEX:
        direction = direction + 1j * rng.uniform(-1, 1, values[at].shape)
    ends = []
    for step in (1e-6, -1e-6):
        moved = [*values[:at], values[at] + step * direction, *values[at + 1 :]]
        ends += interpret([cost], dict(zip(inputs, moved, strict=True)))
    slope = (ends[0] - ends[1]) / 2e-6
    # A complex gradient is that by the real part plus i times that by the imaginary one.
    along = np.sum((np.conj(found) * direction).real)
    assert along == pytest.approx(slope, rel=close, abs=close)


SMOOTH = [
    case
    for case in cases("float64", "float32", "complex128")
    if smooth(case.values[0]) and case.values[1].params.get("dtype") in (None, "float64")
]


@pytest.mark.parametrize(("op", "example", "dtype"), SMOOTH)
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
        close = 1e-3 if dtype == "float32" else 1e-6
        assert_slope(wide_cost, wide_inputs[i], wide_inputs, wide, found, close)


@pytest.mark.parametrize(
    ("op", "example", "dtype"), [case for case in SMOOTH if case.id.endswith("-0-float64")]
)
def test_gradient_of_the_gradient_agrees_too(op: Op, example: Example, dtype: str) -> None:
    values = draw(op, example, dtype)
    inputs, cost = projected(op, example, values)
    wrt = [x for x in inputs if x.dtype not in DISCRETE]
    given = dict(zip(inputs, values, strict=True))
    gradients = T.grad(cost, wrt, disconnected_inputs="ignore")
    bent = weighed(gradients, interpret(gradients, given))
    try:
        seconds = T.grad(bent, wrt, disconnected_inputs="ignore")
    except NullGradientError:
        return
    for x, found in zip(wrt, interpret(seconds, given), strict=True):
        assert_slope(bent, x, inputs, values, found, 2e-5)


# What is said of an op.


@every_op
def test_record_is_complete_and_printable(op: Op) -> None:
    assert op.doc.endswith(".")
    assert all(p.doc for p in op.params)
    assert op.category
    for example in op.examples[:1]:
        dtype = "float64" if "float64" in op.dtypes else "int32"
        _, outputs = build(op, example, draw(op, example, dtype))
        assert pp(outputs[0])
        assert tex(outputs[0]).count("{") == tex(outputs[0]).count("}")


@pytest.mark.parametrize("op", [o for o in RECORDS if o.scalar], ids=lambda op: op.name)
def test_kernel_text_has_no_bare_float(op: Op) -> None:
    """A bare 1.0 would make a float32 kernel compute in float64."""
    assert not re.search(r"\d\.\d|\d\.|\de", op.scalar or "")


def node_of(op: Op, example: Example, values: Sequence[Array]) -> dict[str, Any]:
    """A document with the op, an input wired to each port, and an output for each result."""
    names = [p.name for p in op.ports if not p.variadic][: len(values)]
    ports = [*names, *(f"{op.ports[-1].name}.{i}" for i in range(len(values) - len(names)))]
    card = next(c for c in palette()["cards"] if c["id"] == op.name)
    nodes: dict[str, Any] = {"op": {"kind": "op", "op": op.name, "params": dict(card["preset"])}}
    edges = []
    for i, (port, value) in enumerate(zip(ports, values, strict=True)):
        lengths = [1 if n == 1 else None for n in value.shape]
        params = {"dtype": value.dtype.name, "shape": lengths, "value": value.tolist()}
        nodes[f"in{i}"] = {"kind": "input", "name": f"x{i}", "params": params}
        edges.append({"from": [f"in{i}", "out"], "to": ["op", port]})
    for result in op.results:
        nodes[f"to-{result}"] = {"kind": "output", "name": result}
        edges.append({"from": ["op", result], "to": [f"to-{result}", "value"]})
    return {"format": "wiregrad", "version": 1, "nodes": nodes, "edges": edges}


def on_canvas(op: Op) -> bool:
    """Whether the op, put on the canvas, takes all its inputs by wires."""
    return bool(op.examples) and not op.draws and not any(p.type == "graph" for p in op.params)


@pytest.mark.parametrize("op", [o for o in RECORDS if on_canvas(o)], ids=lambda op: op.name)
def test_a_node_goes_through_json_and_computes_the_same(op: Op) -> None:
    dtype = "float64" if "float64" in op.dtypes else "int32"
    preset = {p.name: p.default for p in op.params}
    for example in op.examples:
        if {**preset, **example.params} != preset:
            continue
        values = draw(op, example, dtype)
        document = parse(node_of(op, example, values))
        again = parse(document.text())
        assert again == document
        inputs, outputs = build(op, example, values)
        expected = interpret(outputs, dict(zip(inputs, values, strict=True)))
        found, _ = Program(again).call()
        for name, value in zip(op.results, expected, strict=True):
            np.testing.assert_allclose(found[name], value, rtol=1e-12)


@every_op
def test_there_is_one_card_with_the_ports_of_the_op(op: Op) -> None:
    (card,) = [c for c in palette()["cards"] if c["op"] == op.name]
    wired = op.ports[1:] if op.draws else op.ports
    assert [p["name"] for p in card["inputs"]] == [p.name for p in wired]
    assert [p["name"] for p in card["outputs"]] == list(op.results)
    assert card["doc"] == op.doc


def test_an_op_declared_on_the_fly_is_known_everywhere() -> None:
    with temporary_ops():
        op = elementwise(
            "soft_cube",
            doc="A cube that is gentle at the origin.",
            category="Tests",
            numpy=lambda x: x * x * x / (1 + x * x),
            scalar="{x} * {x} * {x} / (T(1) + {x} * {x})",
            grad=lambda g, y, x: [g * (3 * x * x + x**4) / T.sqr(1 + x * x)],
        )
        for example in op.examples:
            test_inferred_type_is_the_type_of_the_value(op, example, "float32")
            test_gradient_agrees_with_finite_differences(op, example, "float64")
            test_gradient_of_the_gradient_agrees_too(op, example, "float64")
        test_nan_and_infinity_are_data_in_every_target(op)
        test_there_is_one_card_with_the_ports_of_the_op(op)
        test_a_node_goes_through_json_and_computes_the_same(op)
        x = T.vector("x")
        assert pp(x.soft_cube()) == "soft_cube(x)"
        assert T.soft_cube is op
        assert "A cube that is gentle" in (T.soft_cube.__doc__ or "")
        native = compile_graph(Graph([x], [T.soft_cube(x)]), {x: (3,)})
        assert [k.ops for k in native.kernels] == [("soft_cube",)]
    assert "soft_cube" not in OPS
    assert not any(c["op"] == "soft_cube" for c in palette()["cards"])


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
