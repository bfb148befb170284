"""The film of a rewriting: costs, formulas, what is inside of loops, graphs of frames, and JSON."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

import engine.tensor as T
from engine import config, gallery, grad, scan
from engine.codegen.numpy import interpret
from engine.errors import DocumentError, ParameterError, RewriteError
from engine.expression import Variable
from engine.graph import Graph
from engine.program import Program
from engine.rewrite import RULES, Film, Frozen, Place, accounts, optimize, page, pages
from engine.rewrite.cost import TYPICAL, cost, total
from engine.rewrite.paging import ROOM, plain
from engine.training import Trainer
from engine.types import TensorType

Array = np.ndarray[Any, Any]


def filmed(inputs: list[Variable], *outputs: Variable, **options: Any) -> Film:
    return optimize(Graph(inputs, outputs), **options)


def logistic() -> tuple[list[Variable], Variable]:
    x, y = T.dvectors("x", "y")
    return [x, y], T.log(1 / (1 + T.exp(-(x + 0)))) * y / y


def loop() -> tuple[list[Variable], list[Variable]]:
    x, w = T.dmatrices("x", "w")
    first = T.zeros((3,))
    first.name = "first"
    rows, _ = scan(
        lambda row, last, w: T.tanh(T.dot(row, w) + last * 1 + 0) * T.exp(w.sum()),
        sequences=x,
        outputs_info=first,
        non_sequences=w,
    )
    return [x, w], [rows[-1].sum(), grad(rows[-1].sum(), w)]


def drawn(inputs: list[Variable]) -> dict[Variable, Array]:
    rng = np.random.default_rng(8)
    return {v: np.asarray(rng.uniform(0.1, 0.9, (3,) * v.ndim)).astype(v.dtype) for v in inputs}


# Frames


def gallery_functions() -> list[tuple[str, str]]:
    names = gallery.names()
    return [(n, f) for n in names for f in Program(gallery.load(n)).functions]


@pytest.mark.parametrize(("name", "function"), gallery_functions())
def test_every_frame_of_the_gallery_can_be_run(name: str, function: str) -> None:
    program = Program(gallery.load(name))
    graph = program.graph(function)
    values = {v: a for v, a in program._given(program.initial_state()).items() if v in graph.inputs}
    expected = interpret(graph.outputs, values)
    film = optimize(graph)
    for position in range(len(film) + 1):
        shown = film.graph(position)
        assert len(shown) == len(film.frame(position).nodes)
        for value, right in zip(interpret(shown.outputs, values), expected, strict=True):
            np.testing.assert_allclose(value, right, rtol=1e-9, atol=1e-12)


def test_the_film_of_a_training_is_that_of_its_function() -> None:
    program = Program(gallery.load("xnor"))
    spec = program.training
    wanted = [*spec.outputs.values(), *spec.updates.values()]
    trained = optimize(Graph([*spec.inputs, *spec.state], wanted))
    assert optimize(program.graph()).explain() == trained.explain()


def test_a_frame_deep_down_needs_no_stack() -> None:
    x = T.dvector("x")
    y = x
    for _ in range(5_000):
        y = T.tanh(y)
    film = filmed([x], y + 0)
    assert len(film.graph(0)) == 5_001
    assert len(film.graph(1)) == 5_000


def test_frames_are_wound_forwards_and_backwards() -> None:
    inputs, output = logistic()
    film = filmed(inputs, output)
    forward = [film.frame(i) for i in range(len(film) + 1)]
    assert [film.frame(i) for i in reversed(range(len(film) + 1))] == forward[::-1]
    for position in (len(film) + 1, -1):
        with pytest.raises(IndexError, match=f"0 to {len(film)}"):
            film.frame(position)


# What a step says


def test_steps_say_what_they_may_hide() -> None:
    inputs, output = logistic()
    film = filmed(inputs, output)
    assert {step.rule: step.tags for step in film} == {
        step.rule: RULES[step.rule].tags for step in film
    }
    assert "may hide a NaN" in film.explain()
    assert "may hide" not in filmed(inputs, output, strict=True).explain()


def test_steps_have_formulas_in_the_names_of_the_user() -> None:
    x, y = T.dvectors("x", "theta1")
    (step,) = filmed([x, y], T.sqrt(x + y) + 0)
    assert (step.before, step.after) == ("sqrt(x + theta1) + 0", "sqrt(x + theta1)")
    assert step.after_tex == r"\sqrt{x + \theta_{1}}"
    assert step.before_tex == step.after_tex + " + 0"


def test_what_is_not_shown_is_called_by_its_name() -> None:
    x = T.dvector("x")
    hidden = T.tanh(T.exp(T.sin(x))) * 2
    hidden.name = "hidden"
    z = T.sin(hidden) * T.cos(hidden) + T.sin(T.sqr(hidden)) + T.tan(T.sqr(T.sqr(hidden)))
    film = filmed([x], T.sqrt(T.abs(z)) + 0)
    step = next(step for step in film if step.rule == "add_zero")
    assert step.after == "sqrt(abs(sin(hidden) * … + sin(…) + tan(sqr(…))))"
    assert r"\mathrm{hidden}" in step.after_tex
    assert r"\ldots" in step.after_tex


# Costs


def test_a_cost_is_counted_in_elementary_operations() -> None:
    x, y = TensorType("float64", (5, 4))("x"), TensorType("float64", (4, 3))("y")
    v = T.dvector("v")
    costs = {
        T.exp(x): (1 + 1 + 8) * 20,
        x + x: (1 + 1 + 1) * 20,
        v * v: 3 * TYPICAL,
        x.sum(axis=0): 4 * 20,
        T.dot(x, y): 2 * 5 * 4 * 3,
        x.T: 1,
        x.shape: 2,
        T.outer(v, v): 2 * TYPICAL**2,
    }
    for expression, expected in costs.items():
        assert expression.owner is not None
        assert cost(expression.owner) == expected, expression.owner


@pytest.mark.parametrize("make", [logistic, loop])
def test_the_cost_of_a_frame_is_that_of_its_nodes(make: Any) -> None:
    inputs, outputs = make()
    for _, film in filmed(inputs, *(outputs if isinstance(outputs, list) else [outputs])).films():
        assert film.cost(0) == total(film.graph(0).applies)
        for position in range(len(film) + 1):
            nodes = film.frame(position).nodes
            assert film.cost(position) == sum(map(film.cost_of, nodes))
        for step in film:
            assert step.cost_before == film.cost(step.position)
            assert step.cost_after == film.cost(step.position + 1)


def test_accounts_add_up() -> None:
    inputs, outputs = loop()
    film = filmed(inputs, *outputs)
    told = accounts(film)
    assert sum(a.steps for a in told) == film.total > len(film)
    assert sum(a.cost for a in told) == film.cost(len(film)) - film.cost(0)
    assert sum(a.nodes for a in told) == film[-1].nodes_after - film[0].nodes_before


# Not kept


def test_a_film_that_is_not_kept_counts_and_warns() -> None:
    inputs, outputs = loop()
    kept = filmed(inputs, *outputs)
    graph = Graph(inputs, outputs)
    film = optimize(graph, film=False)
    assert (len(film), film.taken, film.total) == (0, len(kept), kept.total)
    assert len(graph) == len(kept.graph(len(kept)))
    assert f"{film.total} steps; the film was not kept." in film.explain()
    for ask in (film.frame, film.graph, film.cost):
        with pytest.raises(RewriteError, match="not kept"):
            ask(0)
    with pytest.raises(RewriteError, match="not kept"):
        page(film)


def test_a_setting_makes_rewrites_strict(monkeypatch: pytest.MonkeyPatch) -> None:
    inputs, output = logistic()
    assert any("erases_nan" in step.tags for step in filmed(inputs, output))
    monkeypatch.setattr(config, "strict_rewrites", True)
    assert not any(step.tags & {"erases_nan", "hides_error"} for step in filmed(inputs, output))
    assert any("erases_nan" in step.tags for step in filmed(inputs, output, strict=False))


def test_a_document_can_want_strict_rewrites() -> None:
    for strict in (True, False):
        content = gallery.load("xnor").edit([{"path": ["training", "strict"], "value": strict}])
        program = Program(content)
        assert program.strict is program.training.strict is strict
        trainer = Trainer(program)
        trainer.compile()
        assert trainer.film is not None
        film = optimize(program.graph(), strict=strict)
        assert (trainer.film.total, len(trainer.film)) == (film.total, 0)
        assert any(step.tags & {"erases_nan", "hides_error"} for step in film) is not strict
    assert Program(gallery.load("xnor")).strict is None
    with pytest.raises(DocumentError):
        gallery.load("xnor").edit([{"path": ["training", "strict"], "value": 1}])


# Inside of loops


def test_what_is_done_inside_of_a_loop_is_on_the_film() -> None:
    inputs, outputs = loop()
    film = filmed(inputs, *outputs, check=True)
    inside = dict(film.films())
    assert inside.pop(()) is film
    assert inside
    assert film.total == len(film) + sum(map(len, inside.values()))
    for path, part in inside.items():
        (position,) = path
        assert film[position].rule == "rewrite_body"
        assert film[position].inside is part
        assert {"multiply_by_one", "add_zero"} <= {step.rule for step in part}
        values = drawn(part.inputs)
        frames = [interpret(part.graph(i).outputs, values) for i in range(len(part) + 1)]
        for found in frames:
            for value, right in zip(found, frames[0], strict=True):
                np.testing.assert_allclose(value, right, rtol=1e-12)
        number = f"{position + 1}."
        assert f"    {number}1.  " in film.explain()


def test_a_loop_inside_of_a_loop_has_a_film_of_its_own() -> None:
    x = T.dmatrix("x")

    def total(row: Variable) -> Variable:
        sums, _ = scan(
            lambda e, s: T.tanh(s + e + 0),
            sequences=row,
            outputs_info=T.constant(0.0, dtype="float64"),
        )
        return sums[-1] * 1

    rows, _ = scan(total, sequences=x)
    film = filmed([x], rows, check=True)
    deep = [path for path, _ in film.films() if len(path) == 2]
    assert deep
    assert "add_zero" in {step["rule"] for step in page(film, path=deep[0])["steps"]}
    check_replay(film)


# JSON


def as_json(value: Any) -> Any:
    """What comes out of JSON at the other end."""
    return json.loads(json.dumps(value, allow_nan=False))


def replayed(told: dict[str, Any]) -> list[dict[str, Any]]:
    """Every frame of a page, made as a browser would."""
    nodes = {node["id"]: node for node in told["frame"]["nodes"]}
    outputs = list(told["frame"]["outputs"])
    frames = [{"nodes": dict(nodes), "outputs": list(outputs)}]
    for step in told["steps"]:
        nodes.update((node["id"], node) for node in step["added"])
        for wire in step["wires"]:
            if wire["reader"] is None:
                outputs[wire["port"]] = wire["source"]
                continue
            node = nodes[wire["reader"]]
            inputs = list(node["inputs"])
            inputs[wire["port"]] = wire["source"]
            nodes[node["id"]] = {**node, "inputs": inputs}
        for id in step["removed"]:
            del nodes[id]
        frames.append({"nodes": dict(nodes), "outputs": list(outputs)})
    return frames


def source(film: Film, s: Place | Variable) -> dict[str, int]:
    if isinstance(s, Place):
        return {"node": s.node, "result": s.index}
    return {"leaf": film.leaf_id(s)}


def node_record(film: Film, node: Frozen) -> dict[str, Any]:
    return {
        "id": node.id,
        "op": node.op.name,
        "inputs": [source(film, s) for s in node.inputs],
        "types": [{"dtype": t.dtype, "shape": list(t.shape), "text": str(t)} for t in node.types],
        "names": list(node.names),
        "origins": sorted(node.origins),
    }


def check_replay(film: Film) -> None:
    told = as_json(pages(film))
    parts = list(film.films())
    assert [tuple(part["path"]) for part in told] == [path for path, _ in parts]
    for record, (_, part) in zip(told, parts, strict=True):
        assert (record["length"], record["total"]) == (len(part), part.total)
        assert record["next"] is None
        ids = {leaf["id"] for leaf in record["leaves"]}
        for position, frame in enumerate(replayed(record)):
            right = part.frame(position)
            assert frame["outputs"] == [source(part, s) for s in right.outputs]
            assert frame["nodes"].keys() == right.nodes.keys()
            for id, node in right.nodes.items():
                assert node_record(part, node).items() <= frame["nodes"][id].items()
                assert {s["leaf"] for s in frame["nodes"][id]["inputs"] if "leaf" in s} <= ids
        for text, step in zip(record["steps"], part, strict=True):
            assert (text["before"], text["after"]) == (step.before, step.after)
            assert (text["before_tex"], text["after_tex"]) == (step.before_tex, step.after_tex)
            assert text["inside"] == (step.inside.total if step.inside else 0)


@pytest.mark.parametrize(("name", "function"), gallery_functions())
def test_replayed_json_of_the_gallery_gives_the_frames(name: str, function: str) -> None:
    check_replay(optimize(Program(gallery.load(name)).graph(function)))


def test_replayed_json_of_a_loop_gives_the_frames() -> None:
    inputs, outputs = loop()
    check_replay(filmed(inputs, *outputs))


def test_pages_together_are_the_film() -> None:
    inputs, outputs = loop()
    film = filmed(inputs, *outputs)
    (whole, *_) = pages(film)
    steps: list[Any] = []
    start: int | None = 0
    while start is not None:
        part = as_json(page(film, start, 5))
        frames = replayed(part)
        assert frames[0]["nodes"].keys() == film.frame(start).nodes.keys()
        assert len(part["steps"]) <= 5
        steps += part["steps"]
        start = part["next"]
    assert steps == as_json(whole["steps"])
    assert page(film, 3, 2, frame=False)["frame"] is None
    assert page(film, len(film), 2)["steps"] == []
    path = next(path for path, _ in film.films() if path)
    inside = page(film, path=path)
    assert inside["path"] == list(path)
    assert inside["length"] == film[path[0]].inside.total  # type: ignore[union-attr]


def test_pages_that_are_not_there_are_refused() -> None:
    inputs, output = logistic()
    film = filmed(inputs, output)
    wrong: list[dict[str, Any]] = [
        {"start": -1}, {"start": len(film) + 1}, {"count": -1}, {"path": [0]}, {"path": [10**9]},
    ]  # fmt: skip
    for options in wrong:
        with pytest.raises(ParameterError):
            page(film, **options)


def test_a_page_of_very_large_steps_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    inputs, output = logistic()
    film = filmed(inputs, output)
    assert page(film)["next"] is None
    assert ROOM > 1000
    monkeypatch.setattr("engine.rewrite.paging.ROOM", 3)
    parts = [page(film, 0)]
    while parts[-1]["next"] is not None:
        parts.append(page(film, parts[-1]["next"]))
    assert len(parts) > 2
    assert sum(len(part["steps"]) for part in parts) == len(film)


def test_json_holds_no_number_that_json_has_not() -> None:
    x = T.dvector("x")
    odd = T.constant(np.array([np.nan, np.inf, -np.inf, -0.0, 1.5]))
    big = T.constant(2**60)
    film = filmed([x], x[:5] * odd + (big + 0) + T.zeros((40,))[:5])
    told = as_json(pages(film))
    data = [leaf["data"] for leaf in told[0]["leaves"]]
    assert ["NaN", "Infinity", "-Infinity", -0.0, 1.5] in data
    assert str(2**60) in data
    assert plain((np.int8(3), np.bool_(True), np.float32("nan"))) == [3, True, "NaN"]
    assert plain({"a": (1, 2.5, None, True, "t", 1j, object)}) == {
        "a": [1, 2.5, None, True, "t", {"re": 0.0, "im": 1.0}, "type"]
    }
