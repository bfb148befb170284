"""Graphs as plain NetworkX graphs and back: all is kept, and what does not fit is refused."""

from __future__ import annotations

import contextlib
import doctest
import json
from collections.abc import Callable, Sequence
from typing import Any

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import engine.graph
import engine.tensor as T
from engine import Graph, OpFromGraph, checkpoint, gallery, grad, network, scan, shared
from engine.codegen.numpy import interpret
from engine.errors import EngineError, GraphError, ShapeError, TypeMismatchError
from engine.expression import Apply, Block, Constant, Variable, leaves
from engine.ifelse import ifelse
from engine.op import Example, Op
from engine.program import Program
from engine.random import RandomState
from engine.rewrite import optimize
from engine.shared import SharedVariable
from engine.tensor.shared_randomstreams import RandomStreams
from engine.types import TensorType
from tests.op_table import build, cases, draw
from tests.test_rewrite import Builder

Network = Any


def sent(network: Network) -> Network:
    """The network after a journey as JSON that every reader takes."""
    text = json.dumps(nx.node_link_data(network, edges="edges"), allow_nan=False)
    return nx.node_link_graph(json.loads(text), edges="edges")


def form(graph: Graph) -> tuple[Any, ...]:
    """What a graph computes, written without its variables."""
    given = dict.fromkeys([*graph.inputs, *graph.leaves()])
    block = Block(tuple(v for v in given if not isinstance(v, Constant)), tuple(graph.outputs))
    return block.form


def facts(graph: Graph) -> list[Any]:
    """What people see of a graph besides what it computes."""
    made = [
        (n.origins, n.line, [(v.type, v.name, v.origins) for v in n.outputs])
        for n in graph.toposort()
    ]
    return made + [(v.type, v.name, v.origins) for v in [*graph.inputs, *graph.outputs]]


def check_kept(graph: Graph) -> Graph:
    """The graph after both journeys, the same in all that it is."""
    network = graph.to_networkx()
    for back in map(Graph.from_networkx, (network, sent(network))):
        assert form(back) == form(graph)
        assert facts(back) == facts(graph)
        assert nx.utils.graphs_equal(back.to_networkx(), network)
    return back


def test_the_example_in_the_documentation_runs() -> None:
    assert doctest.testmod(engine.graph) == doctest.TestResults(failed=0, attempted=6)


# What NetworkX sees


def test_a_network_is_plain_and_its_ids_tell_what_nodes_are() -> None:
    x, w = T.dmatrix("x"), shared(np.array([1.0, -0.0]), "w")
    made = Graph([x], [T.dot(x, w) * 2]).to_networkx()
    assert list(made) == ["input_0", "shared_1", "dot_2", "constant_3", "mul_4", "output_5"]
    assert made.nodes["input_0"] == {
        "kind": "input",
        "dtype": "float64",
        "shape": [None, None],
        "broadcastable": [False, False],
        "name": "x",
        "position": 0,
    }
    assert made.nodes["shared_1"]["value"] == [1.0, -0.0]
    assert made.nodes["constant_3"]["value"] == 2
    assert made.nodes["dot_2"]["op"] == "dot"
    assert made.edges["shared_1", "dot_2", 1] == {"result": 0}
    assert nx.ancestors(made, "dot_2") == {"input_0", "shared_1"}
    assert nx.dag_longest_path(made) == ["input_0", "dot_2", "mul_4", "output_5"]


def test_ids_depend_only_on_structure() -> None:
    def made(first: str) -> Network:
        y, x = T.dvectors("y", first)
        return Graph([x, y], [T.exp(x) * T.log(y) + T.sin(x)]).to_networkx()

    assert list(made("x")) == list(made("z"))


def test_an_op_reads_a_variable_twice_by_two_edges() -> None:
    x = T.dscalar("x")
    made = Graph([x], [x * x]).to_networkx()
    assert sorted(made.in_edges("mul_1", keys=True)) == [
        ("input_0", "mul_1", 0),
        ("input_0", "mul_1", 1),
    ]
    assert form(check_kept(Graph([x], [x * x]))) == form(Graph([x], [x * x]))


# Round trips


@pytest.mark.parametrize(("op", "example", "dtype"), cases("float64"))
def test_every_op_is_kept(op: Op, example: Example, dtype: str) -> None:
    inputs, outputs = build(op, example, draw(op, example, dtype), known=True)
    graph = Graph([v for v in inputs if not isinstance(v, Constant)], outputs)
    check_kept(graph)


@given(
    st.integers(0, 10**9),
    st.sampled_from([["float64", "int8"], ["float32", "uint8"], ["int64"], ["complex128"]]),
    st.booleans(),
)
def test_any_graph_is_kept(seed: int, dtypes: list[str], rewritten: bool) -> None:
    builder = Builder(seed, dtypes)
    for _ in range(25):
        builder.grow()
    for i, v in enumerate(builder.pool):
        if v.owner is not None and i % 3:
            v.name = f"v{i}"
            v.owner.origins = frozenset({f"n{i}", "é"})
    graph = Graph(builder.inputs, builder.pool[-3:])
    if rewritten:
        optimize(graph)
    back = check_kept(graph)
    values = {v: builder.value_of(v) for v in builder.inputs}
    renamed = {b: values[a] for a, b in zip(graph.inputs, back.inputs, strict=True)}
    for a, b in zip(
        interpret(graph.outputs, values), interpret(back.outputs, renamed), strict=True
    ):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("rewritten", [False, True], ids=["as drawn", "rewritten"])
@pytest.mark.parametrize("name", gallery.names())
def test_every_graph_of_the_gallery_is_kept(name: str, rewritten: bool) -> None:
    program = Program(gallery.load(name))
    outputs = list(program.outputs_by_name.values())
    if program.report()["trainable"]:
        outputs += program.training.updates.values()
    graph = Graph([v for v in leaves(outputs) if not isinstance(v, Constant)], outputs)
    if rewritten:
        optimize(graph)
    check_kept(graph)


SPECIAL = [np.nan, -np.nan, np.inf, -np.inf, -0.0, 5e-324, 0.1]


@pytest.mark.parametrize(
    "value",
    [
        *(np.array(SPECIAL, dtype) for dtype in ("float64", "float32")),
        np.array([1 + np.inf * 1j, complex(np.nan, -0.0)]),
        np.array([2**64 - 1, 0], "uint64"),
        np.array(-(2**63)),
        np.array([True, False]),
        np.zeros((0, 3), "int8"),
        np.arange(5000, dtype="int16").reshape(50, 100),
        np.asfortranarray(np.arange(4000.0).reshape(50, 80)),
        np.array(0.1, "float16"),
        np.frombuffer(b"\x01\x00\xf8\x7f\x00\x00\xf8\xff", "float32"),  # NaNs of their own
    ],
    ids=lambda v: f"{v.dtype} {v.shape}",
)
def test_values_are_kept_to_the_bit(value: np.ndarray[Any, Any]) -> None:
    graph = Graph([], [shared(value, "w"), Constant(value)])
    kept, constant = Graph.from_networkx(sent(graph.to_networkx())).outputs
    assert isinstance(kept, SharedVariable)
    assert isinstance(constant, Constant)
    for found in (kept.get_value(), constant.data):
        assert (found.dtype, found.shape) == (value.dtype, value.shape)
        assert found.tobytes() == value.tobytes()


def with_loop() -> tuple[list[Variable], list[Variable]]:
    x, w = T.dmatrix("x"), T.dvector("w")
    trace, _ = scan(lambda row, h, w: T.tanh(row + h * w), x, T.zeros_like(w), [w])
    assert isinstance(trace, Variable)
    cost = trace[-1].sum()
    return [x, w], [cost, *grad(cost, [x, w])]


def with_nested_loops() -> tuple[list[Variable], list[Variable]]:
    x = T.dmatrix("x")
    sums, _ = scan(
        lambda row: scan(lambda e, s: e + s, row, T.constant(0.0, dtype="float64"))[0][-1], x
    )
    return [x], [sums]


def with_branches() -> tuple[list[Variable], list[Variable]]:
    x, c = T.dvector("x"), T.bscalar("c")
    return [x, c], [ifelse(c, T.exp(x), x[::-1]), grad(ifelse(c, x[0], x[1] * 2), x)]


def with_own_ops() -> tuple[list[Variable], list[Variable]]:
    x, y = T.dscalars("x", "y")
    inner = OpFromGraph([x, y], [T.sqrt(x**2 + y**2), x * y], name="polar")
    own = OpFromGraph([x], [x**2], grad_overrides=lambda i, g: [g[0] * 7], name="own")
    far, area = inner(x, y)
    kept = checkpoint(lambda v: T.exp(T.sin(v)), own(far))
    return [x, y], [kept, area, grad(kept, x)]


def with_several_results() -> tuple[list[Variable], list[Variable]]:
    x = T.dmatrix("x")
    u, s, v = T.nlinalg.svd(x)
    s.name = "singular values"
    return [x], [v, s, u, s]


def with_indices() -> tuple[list[Variable], list[Variable]]:
    x, i = T.dtensor3("x"), T.ivector("i")
    return [x, i], [x[1:, None, ..., -1], x[i, ::-2], T.set_subtensor(x[i[0] : 3, 0], 7.0), x[0, 1]]


def with_unread_inputs() -> tuple[list[Variable], list[Variable]]:
    x, y = T.dscalars("x", "y")
    return [y, x], [x, x + 1, x, T.constant(np.inf)]


MAKERS = [
    with_loop,
    with_nested_loops,
    with_branches,
    with_own_ops,
    with_several_results,
    with_indices,
    with_unread_inputs,
]


@pytest.mark.parametrize("rewritten", [False, True], ids=["as built", "rewritten"])
@pytest.mark.parametrize("make", MAKERS, ids=lambda make: make.__name__)
def test_graphs_in_graphs_are_kept(make: Callable[[], Any], rewritten: bool) -> None:
    graph = Graph(*make())
    if rewritten:
        optimize(graph)
    check_kept(graph)


def test_shared_variables_and_random_states_come_with_their_values() -> None:
    streams = RandomStreams(seed=3)
    noise = streams.normal((2,))
    w = shared(np.ones(2, "float32"), "w", strict=True, allow_downcast=False)
    graph = Graph([], [noise * w])
    back = check_kept(graph)
    kinds = {type(v): v for v in back.leaves() if isinstance(v, SharedVariable)}
    assert set(kinds) == {SharedVariable, RandomState}
    assert (kinds[SharedVariable].strict, kinds[SharedVariable].allow_downcast) == (True, False)
    values = [
        {v: v.get_value() for v in g.leaves() if isinstance(v, SharedVariable)}
        for g in (graph, back)
    ]
    first, second = (interpret(g.outputs, v)[0] for g, v in zip((graph, back), values, strict=True))
    np.testing.assert_array_equal(first, second)
    kinds[SharedVariable].set_value(np.zeros(2, "float32"))
    assert w.get_value().tolist() == [1, 1]


def test_variables_themselves_can_be_kept() -> None:
    x, w = T.dscalar("x"), shared(2.0, "w")
    built = x + 1  # computed, and all the same an input
    graph = Graph([built, w], [built * w])
    made = graph.to_networkx(with_variables=True)
    assert "value" not in made.nodes["shared_1"]
    back = Graph.from_networkx(made)
    assert back.inputs == [built, w]
    assert [n.op.name for n in back.toposort()] == ["mul"]


def test_networks_written_by_hand_need_say_little() -> None:
    made: Network = nx.MultiDiGraph(purpose="a test")
    made.add_node(7, kind="input", position=0, dtype="float32", shape=(None, 1), color="red")
    made.add_node("two", kind="constant", dtype="int8", shape=(), value=2)
    made.add_node(("a", 1), kind="op", op="pow", pos=(0.5, 1.0))
    made.add_node("out", kind="output", position=0)
    made.add_node("unread", kind="op", op="exp")
    made.add_edge(7, ("a", 1), key=0, weight=3)
    made.add_edge("two", ("a", 1), key=1)
    made.add_edge(("a", 1), "out", key=0)
    made.add_edge(("a", 1), "unread", key=0)
    graph = Graph.from_networkx(made)
    assert [n.op.name for n in graph.toposort()] == ["pow"]
    assert graph.outputs[0].type == TensorType("float32", (None, 1))


# What is refused


def plain() -> Network:
    """input_0 (a vector), constant_1, mul_2, sum_3, output_4."""
    x = T.dvector("x")
    return Graph([x], [T.sum(x * 2.5)]).to_networkx()


def changed(node: str, **attributes: Any) -> Callable[[Network], None]:
    return lambda g: g.nodes[node].update(attributes)


def rewired(*edges: Any) -> Callable[[Network], None]:
    def change(g: Network) -> None:
        for source, target, key, *result in edges:
            g.add_edge(source, target, key=key, **({"result": result[0]} if result else {}))

    return change


REFUSED: dict[str, tuple[Callable[[Network], Any], str, str | None, str]] = {
    "unknown op": (changed("mul_2", op="tnah"), "mul_2", "op", "tnah"),
    "no op": (lambda g: g.nodes["mul_2"].pop("op"), "mul_2", "op", "has no op"),
    "op no text": (changed("mul_2", op=["mul"]), "mul_2", "op", "cannot be"),
    "kind": (changed("mul_2", kind="node"), "mul_2", "kind", "cannot be 'node'"),
    "no kind": (lambda g: g.add_node("n"), "n", "kind", "has no kind"),
    "unwired": (lambda g: g.remove_edge("input_0", "mul_2"), "mul_2", "x", "Nothing leads"),
    "unwired output": (lambda g: g.remove_edge("sum_3", "output_4"), "output_4", "value", "leads"),
    "too many": (rewired(("input_0", "sum_3", 1)), "sum_3", "1", "has no port 1"),
    "into a leaf": (rewired(("input_0", "constant_1", 0)), "constant_1", "0", "has no port"),
    "two in one": (rewired(("input_0", "mul_2", 1)), "mul_2", "y", "Two wires"),
    "named port": (rewired(("input_0", "mul_2", "x")), "mul_2", "x", "has no port 'x'"),
    "negative port": (rewired(("input_0", "mul_2", -1)), "mul_2", "-1", "has no port"),
    "true is no port": (rewired(("input_0", "sum_3", True)), "sum_3", None, "no port|Two wires"),
    "no such result": (rewired(("mul_2", "sum_3", 0, 1)), "sum_3", "x", "no result 1"),
    "from an output": (
        lambda g: (g.remove_edge("mul_2", "sum_3"), g.add_node("o", kind="output", position=1),
                   g.add_edge("input_0", "o", key=0), g.add_edge("o", "sum_3", key=0)),
        "sum_3", "x", "o has no result",
    ),
    "cycle": (rewired(("sum_3", "mul_2", 0)), "sum_3", None, "cycle"),
    "itself": (rewired(("mul_2", "mul_2", 0)), "mul_2", None, "cycle"),
    "dtype": (changed("mul_2", dtype="float32"), "mul_2", None, "float64"),
    "no dtype": (changed("input_0", dtype="object"), "input_0", "dtype", "object"),
    "rank": (changed("sum_3", shape=[None], broadcastable=[False]), "sum_3", None, "not float64"),
    "shape": (changed("input_0", shape=[-1]), "input_0", "shape", "cannot be"),
    "shape of text": (changed("input_0", shape="3"), "input_0", "shape", "cannot be"),
    "stretching": (changed("input_0", broadcastable=[1]), "input_0", "broadcastable", "cannot be"),
    "pattern of a result": (changed("mul_2", broadcastable=[True]), "mul_2", None, "stretches"),
    "pattern of a constant": (
        changed("constant_1", shape=[1], broadcastable=[False], value=[2.5]),
        "constant_1", "broadcastable", "cannot be",
    ),
    "does not fit": (changed("sum_3", op="dot"), "sum_3", "y", "Nothing leads"),
    "parameter": (changed("sum_3", params={"axes": 1}), "sum_3", "axes", "no parameter"),
    "parameter's type": (changed("sum_3", params={"keepdims": 1}), "sum_3", "keepdims", "be 1"),
    "parameter's value": (changed("sum_3", params={"axis": 4}), "sum_3", None, "no axis 4"),
    "an object": (changed("sum_3", params={"axis": object()}), "sum_3", "axis", "object"),
    "no parameters": (changed("sum_3", params=[]), "sum_3", "params", "cannot be"),
    "value": (changed("constant_1", value="2.5"), "constant_1", "value", "cannot be"),
    "value of text": (changed("constant_1", value=["a"]), "constant_1", None, "array of numbers"),
    "an object's value": (changed("constant_1", value=print), "constant_1", "value", "cannot be"),
    "rank of a value": (changed("constant_1", value=[2.5]), "constant_1", None, "dimension"),
    "lossy value": (changed("constant_1", dtype="int8"), "constant_1", None, "without loss"),
    "base64": (
        changed("constant_1", value={"base64": "AAAA", "shape": []}), "constant_1", "value", "be",
    ),
    "no base64": (
        changed("constant_1", value={"base64": "!", "shape": []}), "constant_1", "value", "be",
    ),
    "position": (changed("output_4", position=1), "output_4", None, "no output at position 0"),
    "no position": (lambda g: g.nodes["input_0"].pop("position"), "input_0", "position", "has no"),
    "same position": (
        lambda g: (g.add_node("o", kind="output", position=0), g.add_edge("sum_3", "o", key=0)),
        "o", "position", "two at position 0",
    ),
    "name": (changed("mul_2", name=3), "mul_2", "name", "cannot be 3"),
    "origins": (changed("mul_2", origins="n1"), "mul_2", "origins", "cannot be 'n1'"),
    "line": (changed("mul_2", line="net.py"), "mul_2", "line", "cannot be"),
    "results": (changed("mul_2", results=[]), "mul_2", "results", r"cannot be \[\]"),
    "variable": (changed("input_0", variable=T.dmatrix()), "input_0", "variable", "cannot be"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_expression_is_refused(case: str) -> None:
    change, node, port, text = REFUSED[case]
    made = plain()
    change(made)
    with pytest.raises(EngineError, match=text) as caught:
        Graph.from_networkx(made)
    error = caught.value
    if "position 0" not in text or case == "same position":
        assert error.node == node
    if port is not None:
        assert error.port == port
    assert error.expected or error.hint
    assert error.got


def test_shapes_that_clash_are_refused() -> None:
    made = Graph([], [T.constant([1.0, 2.0]) + T.constant([3.0, 4.0])]).to_networkx()
    made.nodes["constant_1"].update(shape=[3], value=[1.0, 2.0, 3.0])
    with pytest.raises(ShapeError, match=r"add_2: .*2 against 3|3 against 2") as caught:
        Graph.from_networkx(made)
    assert caught.value.node == "add_2"


@pytest.mark.parametrize("other", [nx.DiGraph(), nx.MultiGraph(), {}, None], ids=repr)
def test_other_things_are_no_networks(other: Any) -> None:
    with pytest.raises(GraphError, match="directed and may be parallel"):
        Graph.from_networkx(other)


def test_an_error_in_a_body_names_both_nodes() -> None:
    made = Graph(*with_loop()).to_networkx()
    id = next(n for n, op in made.nodes(data="op") if op == "scan")
    body = made.nodes[id]["params"]["block"]["graph"]
    next(n for n in body["nodes"] if n.get("op") == "tanh")["op"] = "tnah"
    with pytest.raises(GraphError, match=rf"{id}: In its graph: tanh_\d+: .*tnah"):
        Graph.from_networkx(made)
    body["nodes"] = 3
    with pytest.raises(GraphError, match="inside a node cannot be read"):
        Graph.from_networkx(made)


def test_graphs_lie_in_one_another_only_so_deep() -> None:
    x = T.dscalar("x")
    y = T.exp(x)
    for _ in range(network.NESTED + 1):
        y = OpFromGraph([x], [y])(x)
    with pytest.raises(GraphError, match="lie in one another"):
        Graph([x], [y]).to_networkx()


@given(st.data())
def test_no_attribute_leads_to_anything_but_a_designed_error(data: st.DataObject) -> None:
    made = sent(Graph(*data.draw(st.sampled_from(MAKERS))()).to_networkx())
    anything: st.SearchStrategy[Any] = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
        max_leaves=4,
    )
    node = data.draw(st.sampled_from(list(made)))
    attributes = made.nodes[node]
    attribute = data.draw(st.sampled_from(sorted(attributes)))
    value = data.draw(anything)
    params = attributes.get("params")
    if attribute == "params" and params:
        params[data.draw(st.sampled_from(sorted(params)))] = value
    else:
        attributes[attribute] = value
    with contextlib.suppress(EngineError):
        Graph.from_networkx(made)


def test_a_network_as_deep_as_a_graph_can_be() -> None:
    x = T.dscalar("x")
    y = x
    for _ in range(20_000):
        y = T.tanh(y)
    graph = Graph([x], [y])
    back = Graph.from_networkx(sent(graph.to_networkx()))
    assert len(back) == 20_000
    assert sequence(back.toposort()) == sequence(graph.toposort())


def sequence(applies: Sequence[Apply]) -> list[str]:
    return [node.op.name for node in applies]


def test_types_that_do_not_fit_are_type_errors() -> None:
    made = plain()
    made.nodes["mul_2"]["dtype"] = "float32"
    with pytest.raises(TypeMismatchError, match=r"mul_2: .*float64 .*float32"):
        Graph.from_networkx(made)
