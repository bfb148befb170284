"""The gallery: every graph opens without a complaint, is laid out readably, and is right."""

from __future__ import annotations

import itertools
import os
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from engine import gallery
from engine.document import parse
from engine.errors import DocumentError
from engine.program import Program
from engine.rewrite import optimize

TRUTH = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], dtype="float64")


def test_every_file_has_its_place_in_the_order():
    found = {f.name for f in files("engine.gallery").iterdir() if f.name.endswith(".json")}
    assert {f"{name}.json" for name in gallery.names()} == found
    assert gallery.names()[0] == "multiply"
    assert gallery.names()[-1] == "xnor"


@pytest.mark.parametrize("name", ["", "nothing", "../pyproject", "xnor.json", "multiply\n"])
def test_no_other_name_reaches_a_file(name):
    with pytest.raises(DocumentError, match="no graph called"):
        gallery.load(name)


@pytest.mark.parametrize("name", gallery.names())
def test_a_graph_is_described_canonical_and_bears_the_name_of_its_file(name):
    graph = gallery.load(name)
    text = files("engine.gallery").joinpath(f"{name}.json").read_text("utf-8")
    assert graph.text() == text
    assert graph.name == name
    assert graph.title
    assert graph.summary.endswith(".")


@pytest.mark.parametrize("name", gallery.names())
def test_nodes_do_not_cover_each_other(name):
    graph = gallery.load(name)
    layout = graph.data["layout"]
    assert set(layout) == set(graph.nodes)
    for (a, (ax, ay)), (b, (bx, by)) in itertools.combinations(layout.items(), 2):
        assert abs(ax - bx) >= 190 or abs(ay - by) >= 130, f"{a} and {b}"


@pytest.mark.parametrize("name", gallery.names())
def test_films_are_as_they_were(name):
    """A changed film is read as a diff; UPDATE_GOLDEN=1 writes it anew."""
    program = Program(gallery.load(name))
    films = {f: optimize(program.graph(f), check=True).explain() for f in program.functions}
    text = "\n\n".join(f"{function}\n\n{film}" for function, film in films.items()) + "\n"
    path = Path(__file__).parent / "golden/films/gallery" / f"{name}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == text


@pytest.mark.parametrize("name", gallery.names())
def test_a_graph_has_values_everywhere_and_nothing_to_complain_about(name):
    report = Program(gallery.load(name)).report()
    for node, record in report["nodes"].items():
        assert record["error"] is None, node
        assert record["warnings"] == [], node
        assert record["values"], node
    assert all(f["ready"] for f in report["functions"].values())
    assert report["trainable"] == (name in ("and-trained", "xnor"))


def test_multiply():
    outputs, _ = Program(gallery.load("multiply")).call()
    assert outputs == {"product": 4.5}


def test_several_outputs():
    outputs, _ = Program(gallery.load("several-outputs")).call()
    assert outputs == {"square": 9, "cube": 27}


def test_the_accumulator_gives_the_square_before_it_adds():
    graph = gallery.load("accumulator")
    state = Program(graph).initial_state()
    squares = []
    for x in (3, 5, 6):
        edited = graph.edit([{"path": ["nodes", "x", "params", "value"], "value": x}])
        outputs, state = Program(edited).call(None, state)
        squares.append(int(outputs["square"]))
    assert squares == [0, 9, 64]
    assert state["total"] == 14
    assert state["total"].dtype == "int64"


def test_the_slope_of_the_cube():
    outputs, _ = Program(gallery.load("cube-gradient")).call()
    assert outputs == {"cube": 64, "slope": 48}


def test_the_fixed_neuron_fires_for_both_inputs_only():
    graph = gallery.load("and-fixed")
    fired = []
    for row in TRUTH.tolist():
        edited = graph.edit([{"path": ["nodes", "x", "params", "value"], "value": row}])
        outputs, _ = Program(edited).call()
        fired.append(int(outputs["fires"]))
    assert fired == [0, 0, 0, 1]


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def cross_entropy(truth, predicted):
    return -np.sum(truth * np.log(predicted) + (1 - truth) * np.log(1 - predicted))


def costs_of(name: str, steps: int) -> list[float]:
    program = Program(gallery.load(name))
    state = program.initial_state()
    costs = []
    for _ in range(steps):
        outputs, state = program.call("train", state)
        costs.append(float(outputs["cost"]))
    return costs


def test_the_trained_neuron_learns_as_a_numpy_loop_does():
    w, b, truth = np.array([0.2, 0.7]), 1.0, np.array([0, 0, 0, 1])
    costs = []
    for _ in range(100):
        a = sigmoid(TRUTH @ w + b)
        costs.append(cross_entropy(truth, a))
        slope = a - truth
        w, b = w - 0.01 * TRUTH.T @ slope, b - 0.01 * slope.sum()
    np.testing.assert_allclose(costs_of("and-trained", 100), costs, rtol=0, atol=1e-10)


def test_the_network_learns_as_a_numpy_loop_does():
    w1, w2, w3 = np.array([0.9, 0.4]), np.array([0.1, 0.8]), np.array([0.6, 0.3])
    b1, b2, truth, rate = 1.0, 1.0, np.array([1, 0, 0, 1]), 0.05
    costs = []
    for _ in range(100):
        a1, a2 = sigmoid(TRUTH @ w1 + b1), sigmoid(TRUTH @ w2 + b1)
        hidden = np.stack([a1, a2], axis=1)
        a3 = sigmoid(hidden @ w3 + b2)
        costs.append(cross_entropy(truth, a3))
        d3 = a3 - truth
        d1, d2 = d3 * w3[0] * a1 * (1 - a1), d3 * w3[1] * a2 * (1 - a2)
        w1, w2 = w1 - rate * TRUTH.T @ d1, w2 - rate * TRUTH.T @ d2
        w3, b2 = w3 - rate * hidden.T @ d3, b2 - rate * d3.sum()
        b1 = b1 - rate * (d1 + d2).sum()
    np.testing.assert_allclose(costs_of("xnor", 100), costs, rtol=0, atol=1e-10)


def test_predicting_trains_nothing():
    program = Program(gallery.load("xnor"))
    state = program.initial_state()
    outputs, after = program.call("predict", state)
    assert list(outputs) == ["predictions"]
    assert all(np.array_equal(after[key], state[key]) for key in state)


def test_a_graph_comes_back_from_an_edit_and_its_undoing():
    graph = gallery.load("xnor")
    edited = graph.edit([{"path": ["nodes", "rate", "params", "value"], "value": 0.1}])
    undone = edited.edit([{"path": ["nodes", "rate", "params", "value"], "value": 0.05}])
    assert edited != graph
    assert undone.text() == graph.text() == parse(graph.text()).text()
