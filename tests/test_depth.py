"""Depth is the user's, not the stack's: 50,000 ops in a row, and nothing recurses."""

from __future__ import annotations

import copy
import importlib
import json
from typing import Any

import networkx as nx
import numpy as np
import pytest

import engine.tensor as T
from engine import Graph, OpFromGraph, checkpoint, clone, debugprint, function, grad, pp, scan, tex
from engine.codegen import compile_graph
from engine.document import parse
from engine.expression import Block, Variable, walk
from engine.ifelse import ifelse
from engine.printing import svg
from engine.printing.tree import INDENTED
from engine.program import Program
from engine.rewrite import optimize
from tests.test_program import Sketch

pickle: Any = importlib.import_module("pickle")

DEPTH = 50_000


def chain(x: Variable, length: int = DEPTH) -> Variable:
    y = x
    for _ in range(length):
        y = T.sin(y)
    return y


X = T.dvector("x")
POINT = np.array([0.5, 0.0])


@pytest.fixture(scope="module")
def y() -> Variable:
    return chain(X)


@pytest.fixture(scope="module")
def value() -> np.ndarray[Any, Any]:
    value = POINT
    for _ in range(DEPTH):
        value = np.sin(value)
    return value


def test_it_is_built_and_walked(y: Variable) -> None:
    assert len(walk([y])) == DEPTH
    graph = Graph([X], [y])
    assert len(graph.toposort()) == len(graph) == DEPTH
    assert len(graph.leaves()) == 1


def test_it_is_printed(y: Variable) -> None:
    for text in (pp(y), tex(y)):
        assert "..." in text or "…" in text or "dots" in text
        assert len(text) < 10_000
    bounded = debugprint(y, depth=30, file="str")
    assert bounded is not None
    assert len(bounded.splitlines()) == 30
    whole = debugprint(y, file="str")
    assert whole is not None
    lines = whole.splitlines()
    assert len(lines) == DEPTH + 1
    assert lines[INDENTED].startswith(" |" * INDENTED + "sin")
    assert f" |…{INDENTED + 1}|sin" in lines[INDENTED + 1]
    assert f"…{DEPTH}|x " in lines[-1]


def test_it_is_drawn(y: Variable) -> None:
    assert svg(y).count("sin") >= DEPTH


def test_it_goes_to_networkx_and_back(y: Variable) -> None:
    network = Graph([X], [y]).to_networkx()
    assert len(nx.dag_longest_path(network)) == DEPTH + 2
    text = json.dumps(nx.node_link_data(network, edges="edges"))
    back = Graph.from_networkx(nx.node_link_graph(json.loads(text), edges="edges"))
    assert len(back) == DEPTH


@pytest.mark.slow
def test_it_is_copied(y: Variable) -> None:
    for twin in (copy.deepcopy(y), pickle.loads(pickle.dumps(y)), clone(y, {X: T.exp(X)})):
        assert len(walk([twin])) >= DEPTH
    graph = pickle.loads(pickle.dumps(Graph([X], [y])))
    assert len(graph) == DEPTH
    block = Block(tuple(graph.inputs), tuple(graph.outputs))
    assert block == Block((X,), (y,))


def test_it_is_differentiated(y: Variable) -> None:
    slope = grad(y.sum(), X)
    assert len(walk([slope])) > 2 * DEPTH


@pytest.mark.slow
def test_it_is_rewritten() -> None:
    x = T.dvector("x")
    y = x
    for _ in range(DEPTH // 2):
        y = T.neg(T.neg(y))
    graph = Graph([x], [y])
    film = optimize(graph)
    assert film.warnings == []
    assert len(graph) == 0
    assert film[-1].before
    assert len(film.frame(len(film)).nodes) == 0


@pytest.mark.slow
def test_functions_run_it(y: Variable, value: np.ndarray[Any, Any]) -> None:
    compute = function([X], y)
    for one in (compute, compute.copy(), pickle.loads(pickle.dumps(compute))):
        np.testing.assert_allclose(one(POINT), value)
    np.testing.assert_allclose(y.eval({X: POINT}), value)


@pytest.mark.slow
def test_its_gradient_is_computed(y: Variable) -> None:
    (slope,) = function([X], [grad(y.sum(), X)])(POINT)
    assert slope[1] == 1
    assert 0 < slope[0] < 1e-5


@pytest.mark.slow
def test_it_is_compiled(y: Variable, value: np.ndarray[Any, Any]) -> None:
    native = compile_graph(Graph([X], [y]), {X: (2,)})
    (given,) = native.inputs.values()
    given[...] = POINT
    native.call()
    np.testing.assert_allclose(native.outputs[0], value, rtol=1e-9)


@pytest.mark.slow
def test_it_lies_inside_of_ops(value: np.ndarray[Any, Any]) -> None:
    outer = OpFromGraph([X], [chain(X)])(X)
    np.testing.assert_allclose(function([X], outer)(POINT), value)
    assert len(Graph.from_networkx(Graph([X], [outer]).to_networkx())) == 1
    rows = scan(chain, X)[0]
    assert isinstance(rows, Variable)
    np.testing.assert_allclose(function([X], rows)(POINT), value)
    assert grad(checkpoint(chain, X).sum(), X).type == X.type
    assert grad(outer.sum(), X).type == X.type


@pytest.mark.slow
def test_branches_lie_in_branches() -> None:
    c = T.lscalar("c")
    y: Variable = X
    for _ in range(5_000):
        y = ifelse(c, T.sin(y), y)
    taken, slope = function([X, c], [y, grad(y.sum(), X)])(POINT, 0)
    np.testing.assert_array_equal(taken, POINT)
    np.testing.assert_array_equal(slope, [1, 1])


def test_the_deepest_document_is_loaded() -> None:
    sketch = Sketch().input("n0", 0.5)
    for i in range(9_998):
        sketch.op(f"n{i + 1}", "sin", {"x": f"n{i}"})
    document = parse(json.dumps(sketch.output("y", "n9998").record))
    assert parse(document.text()).text() == document.text()
    outputs, _ = Program(document).call()
    assert 0 < outputs["y"] < 0.02
