"""Where things come from: every optimised apply and every line of a kernel, back to the canvas."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import engine.tensor as T
from engine import Graph, function, gallery, grad, scan, shared
from engine.codegen import compile_graph
from engine.codegen.cpu.emit import Source, emit
from engine.codegen.fuse import Kernel, fuse, settle
from engine.codegen.native import Native
from engine.codegen.plan import Plan
from engine.document import parse
from engine.expression import Block, Constant, Variable, leaves, walk
from engine.inference import infer_types
from engine.op import Example, Op
from engine.program import Program
from engine.rewrite import optimize
from engine.shared import SharedVariable
from tests.op_table import Array, build, cases, draw, projected, smooth
from tests.test_program import Sketch
from tests.test_rewrite import Builder


def marked(outputs: Sequence[Variable]) -> None:
    """Give every apply and leaf of an expression an id of its own."""
    for i, node in enumerate(walk(outputs)):
        node.origins = frozenset({f"n{i}"})
        for v in node.outputs:
            v.origins = node.origins
    for i, v in enumerate(leaves(outputs)):
        v.origins = frozenset({f"leaf{i}"})


def sources(graph: Graph, shapes: dict[Variable, tuple[int, ...]]) -> list[Source]:
    """The texts of the kernels of a graph, which are not compiled."""
    types = infer_types(graph, shapes)
    for v in graph.inputs:
        types.setdefault(v, v.type.of_shape(shapes[v]))
    steps = fuse(Plan(graph, types, {}, None).tasks)
    needed = settle(steps)
    return [emit(step, needed) for step in steps if isinstance(step, Kernel)]


def check_lines(graph: Graph, shapes: dict[Variable, tuple[int, ...]]) -> None:
    """Every apply and every line of every kernel has an origin."""
    assert all(node.origins for node in graph.applies)
    for source in sources(graph, shapes):
        assert len(source.lines) == source.text.count("\n")
        for text, primitives in zip(source.text.splitlines(), source.lines, strict=True):
            assert primitives, text
            assert all(p.origins for p in primitives), text


@pytest.mark.parametrize(("op", "example", "dtype"), cases("float64"))
def test_lines_of_every_op_and_its_gradient_have_an_origin(
    op: Op, example: Example, dtype: str
) -> None:
    values = draw(op, example, dtype)
    inputs, outputs = build(op, example, values, known=True)
    given = [v for v in inputs if not isinstance(v, Constant)]
    check(given, outputs, inputs, values)
    if smooth(op) and example.params == op.examples[0].params:
        inputs, cost = projected(op, example, values)
        slopes = grad(cost, inputs, disconnected_inputs="ignore", null_gradients="return")
        known = [g for g in slopes if not g.name]
        check(inputs, [cost, *known], inputs, values)


def check(
    given: Sequence[Variable],
    outputs: Sequence[Variable],
    inputs: Sequence[Variable],
    values: Sequence[Array],
) -> None:
    marked(outputs)
    graph = Graph(given, outputs)
    shapes = {v: value.shape for v, value in zip(inputs, values, strict=True) if v in given}
    optimize(graph)
    try:
        types = infer_types(graph, shapes)
    except ValueError:  # an example whose shapes are not those of a run
        return
    if all(None not in t.shape for t in types.values()):
        check_lines(graph, shapes)


@given(st.integers(0, 10**9), st.sampled_from([["float64"], ["float32", "int8"]]))
def test_what_rewriting_leaves_has_an_origin(seed: int, dtypes: list[str]) -> None:
    builder = Builder(seed, dtypes)
    for _ in range(25):
        builder.grow()
    outputs = builder.pool[-3:]
    marked(outputs)
    graph = Graph(builder.inputs, outputs)
    optimize(graph)
    assert all(graph.origins)
    try:
        check_lines(graph, {v: builder.value_of(v).shape for v in builder.inputs})
    except ValueError:  # shapes that do not fit together
        return


# The gallery


def compiled(program: Program) -> list[tuple[Graph, Native]]:
    """Every function of a program, rewritten and compiled; the trained one as its training step."""
    made = []
    outputs = list(program.outputs_by_name.values())
    updates: dict[Variable, Variable] = {}
    if program.report()["trainable"]:
        updates = program.training.updates
    for wanted, changed in ((outputs, {}), ([*outputs, *updates.values()], updates)):
        given = [v for v in leaves(wanted) if not isinstance(v, Constant)]
        graph = Graph(given, wanted)
        optimize(graph)
        values = program._given(program.initial_state())
        shapes = {v: value.shape for v, value in values.items() if v in given}
        numbers = {leaf: len(outputs) + i for i, leaf in enumerate(changed)}
        made.append((graph, compile_graph(graph, shapes, updates=numbers)))
    return made


@pytest.mark.parametrize("name", gallery.names())
def test_every_apply_and_line_of_the_gallery_leads_to_the_canvas(name: str) -> None:
    document = gallery.load(name)
    nodes = set(document.nodes)
    for graph, native in compiled(Program(document)):
        for node in graph.applies:
            assert node.origins
            assert node.origins <= nodes
        for kernel in native.kernels:
            assert kernel.origins
            assert [line.text for line in kernel.lines] == kernel.source.splitlines()
            for line in kernel.lines:
                assert line.origins, line.text
                assert line.origins <= kernel.origins <= nodes
                assert set(line.ops) <= set(kernel.ops)


@pytest.mark.parametrize("name", ["xnor", "accumulator"])
def test_no_id_of_a_node_gets_into_a_kernel(name: str) -> None:
    text = gallery.load(name).text()
    new = {id: f"marker-{i:03}" for i, id in enumerate(gallery.load(name).nodes)}
    plain, renamed = (
        [k for _, native in compiled(Program(parse(t))) for k in native.kernels]
        for t in (text, _renamed(text, new))
    )
    assert [k.source for k in plain] == [k.source for k in renamed]
    assert [k.name for k in plain] == [k.name for k in renamed]
    origins = {o for k in renamed for line in k.lines for o in line.origins}
    assert origins
    assert origins <= set(new.values())


def _renamed(text: str, new: dict[str, str]) -> str:
    """A document whose nodes have other ids."""
    record = json.loads(text)
    for part in ("nodes", "layout"):
        record[part] = {new[id]: value for id, value in record[part].items()}
    for edge in record["edges"]:
        for end in edge.values():
            end[0] = new[end[0]]
    for members in record["functions"].values():
        members.update({role: [new[id] for id in ids] for role, ids in members.items()})
    if record.get("training", {}).get("cost"):
        record["training"]["cost"] = new[record["training"]["cost"]]
    return json.dumps(record)


# Through what is hard


def test_a_line_tells_what_it_is_for() -> None:
    x, w = T.dvectors("x", "w")
    product, total = x * w, None
    total = T.sum(product)
    for v, id in ((product, "mul"), (total, "sum")):
        assert v.owner is not None
        v.owner.origins = frozenset({id})
    (kernel,) = compile_graph(Graph([x, w], [total, T.exp(x)]), {x: (3,), w: (3,)}).kernels
    by_text = {line.text.strip(): line for line in kernel.lines}
    assert by_text["def kernel("].origins == {"mul", "sum"}
    (loop,) = (line for text, line in by_text.items() if text.startswith("for "))
    assert loop.ops == ("mul", "sum", "exp")
    (exp,) = (line for text, line in by_text.items() if "exp(" in text)
    assert (exp.ops, exp.origins) == (("exp",), frozenset())
    (times,) = (line for text, line in by_text.items() if " * " in text)
    assert (times.ops, times.origins) == (("mul",), {"mul"})
    loads = [line for text, line in by_text.items() if text.startswith("v") and "= p" in text]
    assert ("mul", "exp") in [line.ops for line in loads]  # x is loaded once, for both


def test_an_output_that_becomes_a_constant_keeps_its_origin() -> None:
    sketch = Sketch().constant("a", 2.0).constant("b", 3.0).op("s", "add", {"x": "a", "y": "b"})
    program = sketch.output("y", "s").program
    graph = Graph([], list(program.outputs_by_name.values()))
    optimize(graph)
    assert isinstance(graph.outputs[0], Constant)
    assert graph.origins == [frozenset({"s"})]
    kernels = compile_graph(graph, {}).kernels
    assert all(line.origins == {"s"} for kernel in kernels for line in kernel.lines)


def test_an_update_by_a_leaf_keeps_its_origin() -> None:
    x, w = T.dvector("x"), T.dvector("w")
    x.origins = frozenset({"x"})
    kernels = compile_graph(Graph([x, w], [w, x]), {x: (2,), w: (2,)}, updates={w: 1}).kernels
    assert any(line.origins == {"x"} for kernel in kernels for line in kernel.lines)


def test_what_contains_what_it_replaces_has_its_origin() -> None:
    x = T.dvector("x")
    y = T.exp(x)
    assert y.owner is not None
    y.owner.origins = frozenset({"e"})
    graph = Graph([x], [y])
    graph.replace(graph.outputs[0], T.log(graph.outputs[0]))
    assert [node.origins for node in graph.toposort()] == [{"e"}, {"e"}]


def test_the_body_of_a_loop_keeps_its_origins() -> None:
    x = T.dmatrix("x")

    def step(row: Variable, last: Variable) -> Variable:
        y = T.log(1 + T.exp(row - last)) + 0
        marked([y])
        return y

    rows, _ = scan(step, x, x[0])
    assert isinstance(rows, Variable)
    marked([rows])
    graph = Graph([x], [rows])
    optimize(graph)
    blocks = [p for n in graph.applies for p in n.params.values() if isinstance(p, Block)]
    inner = [node for block in blocks for node in block.applies()]
    assert [node.op.name for node in inner] == ["sub", "softplus"]
    assert all(node.origins for node in inner)


def test_what_leaves_a_loop_keeps_its_origins() -> None:
    x, b, h = T.dmatrix("x"), T.dvector("b"), T.dvector("h")

    def step(row: Variable, last: Variable) -> list[Variable]:
        y = T.tanh(last * b + T.exp(row) + b)
        results = [y, T.sin(y)]
        marked(results)
        return results

    rows, _ = scan(step, x, [h, None])
    graph = Graph([x, b, h], rows)
    optimize(graph)
    moved = [node for node in graph.toposort() if node.op.name in {"exp", "add", "sin"}]
    assert [node.op.name for node in moved] == ["exp", "add", "sin"]
    assert all(node.origins for node in moved)


def test_functions_tell_their_kernels() -> None:
    x, w = T.dvector("x"), shared(np.ones(3), "w")
    y = T.tanh(x * w)
    marked([y])
    assert isinstance(w, SharedVariable)
    compute = function([x], y, mode="NUMBA")
    compute(np.ones(3))
    (kernel,) = compute.kernels
    assert {o for line in kernel.lines for o in line.origins} == {"n0", "n1"}
