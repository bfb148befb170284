"""Graphs on networkx: copying, reading, replacing, and depth."""

from __future__ import annotations

from collections.abc import Callable

import networkx as nx
import numpy as np
import pytest

import engine.tensor as T
from engine import function, shared
from engine.codegen.numpy import interpret
from engine.errors import TypeMismatchError
from engine.expression import Apply, Variable, walk
from engine.graph import Graph
from engine.inference import infer_types


def test_a_graph_is_a_copy_held_in_a_multigraph() -> None:
    x = T.dvector("x")
    y = x * x
    graph = Graph([x], [y])
    (node,) = graph.applies
    assert node is not y.owner
    assert graph.network.number_of_edges(x, node) == 2
    assert nx.is_directed_acyclic_graph(graph.network)


def test_replacing_rewires_readers_and_drops_what_nobody_reads() -> None:
    x, y = T.dvectors("x", "y")
    graph = Graph([x, y], [T.exp(x) + y, T.exp(x) * 2])
    first, second = (n for n in graph.toposort() if n.op.name == "exp")
    removed, added = graph.replace(second.out, first.out)
    assert removed == [second]
    assert added == []
    total = next(n for n in graph.toposort() if n.op.name == "add")
    removed, added = graph.replace(total.out, T.log(first.out))
    assert [n.op.name for n in added] == ["log"]
    assert [n.op.name for n in graph.toposort()] == ["exp", "log", "mul"]
    assert [v.owner.op.name for v in graph.outputs if v.owner] == ["log", "mul"]


def test_a_replacement_may_contain_what_it_replaces() -> None:
    x = T.dvector("x")
    graph = Graph([x], [T.exp(x)])
    old = graph.outputs[0]
    graph.replace(old, T.log(old))
    assert [n.op.name for n in graph.toposort()] == ["exp", "log"]


def test_a_replacement_keeps_dtype_and_rank() -> None:
    x = T.dvector("x")
    graph = Graph([x], [T.exp(x)])
    with pytest.raises(TypeMismatchError, match="its type would change"):
        graph.replace(graph.outputs[0], T.sum(x))


def test_new_nodes_remember_the_canvas_nodes_they_stem_from() -> None:
    x = T.dvector("x")
    y = T.log(T.exp(x))
    for i, node in enumerate(walk([y])):
        node.origins = frozenset({f"n{i}"})
    graph = Graph([x], [y])
    graph.replace(graph.outputs[0], T.sqr(x))
    (node,) = graph.applies
    assert node.origins == {"n0", "n1"}


def test_depth_is_no_matter() -> None:
    x = T.dscalar("x")
    y = x
    for _ in range(20_000):
        y = y + 1
    graph = Graph([x], [T.grad(y, x)])
    assert len(Graph([x], [y])) == 20_000
    assert interpret([y], {x: 1.0})[0] == 20_001
    assert len(graph) < 20_010


def test_shapes_are_known_before_anything_runs() -> None:
    x, w = T.dmatrix("x"), T.dvector("w")
    out = T.sigmoid(T.dot(x, w))
    graph = Graph([x, w], [out])
    assert infer_types(graph, {x: (4, 2), w: (2,)})[graph.outputs[0]].shape == (4,)
    with pytest.raises(ValueError, match=r"dot\(x, w\).*\(4, 2\).*\(3,\)"):
        infer_types(graph, {x: (4, 2), w: (3,)})


def test_execution_order_depends_only_on_structure() -> None:
    def names() -> list[str]:
        x, y = T.dscalars("x", "y")
        return [n.op.name for n in Graph([x, y], [T.exp(x) * T.log(y) + T.sin(x)]).toposort()]

    assert names() == names() == ["exp", "log", "mul", "sin", "add"]


def test_what_is_there_is_true_but_truth_values_are_not_known_yet() -> None:
    x, y, there = T.dscalar("x"), T.iscalar("y"), T.scalar("there", dtype="bool")
    for variable in (x, T.zeros(3), T.constant(0), x - x, shared(0.0)):
        assert bool(variable)
    questions: list[Callable[[], object]] = [
        lambda: 0 < x < 1,
        lambda: x > 0 and x < 1,
        lambda: max(x, y),
        lambda: not T.eq(x, y),
        lambda: bool(there),
        lambda: bool(shared(False)),
    ]
    for ask in questions:
        with pytest.raises(TypeError, match=r"truth value(.|\n)*switch"):
            ask()


def test_variables_cannot_be_iterated_over_nor_changed() -> None:
    x = T.dvector("x")
    with pytest.raises(TypeError, match=r"scan.*|iterated"):
        sum(x)
    with pytest.raises(TypeError, match="set_subtensor"):
        x[0] = 1
    with pytest.raises(AttributeError, match="nothing"):
        _ = x.nothing


def test_indexing_reads_and_changes_parts() -> None:
    x = T.dmatrix("x")
    i = T.iscalar("i")
    value = np.arange(12.0).reshape(3, 4)
    outputs = [x[1], x[-1, ::2], x[i], x[..., 0], x[:, None, 1], T.set_subtensor(x[0], 7),
               T.inc_subtensor(x[1:, 0], 1)]  # fmt: skip
    got = function([x, i], outputs)(value, 2)
    changed, increased = value.copy(), value.copy()
    changed[0] = 7
    increased[1:, 0] += 1
    expected = [value[1], value[-1, ::2], value[2], value[..., 0], value[:, None, 1], changed,
                increased]  # fmt: skip
    for a, b in zip(got, expected, strict=True):
        assert np.array_equal(a, b)
    with pytest.raises(IndexError, match="Index 9 is outside axis 0, which has length 3"):
        function([x], x[9])(value)


def test_apply_repr_names_its_inputs() -> None:
    x = T.dscalar("x")
    node = (x + 1).owner
    assert isinstance(node, Apply)
    assert repr(node) == "add(x, 1)"


def test_arrays_on_the_left_make_expressions_too() -> None:
    x = T.dvector("x")
    for made in (np.ones(3) * x, np.float64(2) + x, np.eye(3) @ x, np.ones(3) - x):
        assert isinstance(made, Variable)
    assert (np.ones(3) * x).ndim == 1
