"""Random nodes: each draws on a stream of its own, which goes on with every call and step."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from app import weights
from engine.document import palette, parse
from engine.errors import EngineError
from engine.philox import first_state
from engine.program import Program
from engine.training import Ring, Trainer
from tests.test_program import Sketch

Array = np.ndarray[Any, Any]


def noisy(seed: int = 0, id: str = "n", **params: Any) -> Sketch:
    """A vector, normal noise of the same length, and their sum."""
    sketch = Sketch().input("x", [1.0, 2.0, 3.0], (None,)).op("s", "shape", {"x": "x"})
    sketch.op(id, "random_normal", {"size": "s"}, seed=seed, **params)
    return sketch.op("sum", "add", {"x": "x", "y": id}).output("y", "sum")


def test_noise_on_an_input_is_drawn_anew_with_every_call() -> None:
    program = noisy(std=0.1).program
    first, state = program.call()
    second, later = program.call(state=state)
    assert first["y"].shape == (3,)
    assert np.abs(first["y"] - [1, 2, 3]).max() < 0.5
    assert not np.any(first["y"] == second["y"])
    assert [s["n/state"][2] for s in (program.initial_state(), state, later)] == [0, 1, 2]
    again, _ = program.call(state=program.initial_state())
    assert np.array_equal(again["y"], first["y"])


def test_the_canvas_shows_what_the_next_call_draws() -> None:
    program = noisy().program
    shown = program.report()["nodes"]["y"]["values"]["value"]["data"]
    first, state = program.call()
    assert first["y"].tolist() == shown
    shown = program.report(state)["nodes"]["y"]["values"]["value"]["data"]
    assert program.call(state=state)[0]["y"].tolist() == shown


def test_the_numbers_depend_on_the_seeds_and_the_node_and_nothing_else() -> None:
    def value(sketch: Sketch) -> list[float]:
        drawn: list[float] = sketch.program.call()[0]["y"].tolist()
        return drawn

    first = value(noisy())
    assert value(noisy().constant("other", 1)) == first
    assert value(noisy(seed=1)) != first
    assert value(noisy(id="m")) != first
    assert value(noisy().rest(training={"seed": 1})) != first
    state = noisy(seed=3).program.initial_state(9)["n/state"]
    assert state.tolist() == first_state([9, 3, *b"n"]).tolist()


def test_two_nodes_draw_different_numbers_and_one_node_is_one_draw() -> None:
    sketch = Sketch().op("a", "random_uniform", size=[2]).op("b", "random_uniform", size=[2])
    sketch.op("zero", "sub", {"x": "a", "y": "a"}).op("d", "sub", {"x": "a", "y": "b"})
    outputs, _ = sketch.output("z", "zero").output("y", "d").program.call()
    assert outputs["z"].tolist() == [0, 0]
    assert np.all(outputs["y"])


def test_a_parameter_is_typed_in_or_wired_and_the_wire_counts() -> None:
    sketch = Sketch().op("u", "random_uniform", size=[4], low=10, high=11)
    assert np.all(sketch.output("y", "u").program.call()[0]["y"] >= 10)
    sketch = Sketch().input("mean", [[100.0], [200.0]], (None, 1)).input("wide", [1.0, 2], (None,))
    sketch.op("n", "random_normal", {"avg": "mean", "std": "wide"}, avg=5, std=7, size=[])
    found = sketch.output("y", "n").program.call()[0]["y"]
    assert found.shape == (2, 2)
    assert np.all(np.abs(found - [[100], [200]]) < 12)


def test_a_node_without_anything_is_one_number() -> None:
    node = Sketch().op("n", "random_normal").node("n")
    assert node["error"] is None
    assert node["types"]["out"]["text"] == "float64 ()"
    assert isinstance(node["values"]["out"]["data"], float)


def test_what_is_wrong_is_told_at_the_node_and_port() -> None:
    error = Sketch().op("n", "random_categorical").error("n")
    assert (error["kind"], error["port"]) == ("missing-input", "p")
    error = Sketch().op("n", "random_normal", seed=-1).error("n")
    assert (error["kind"], error["port"]) == ("parameter", "seed")
    error = Sketch().op("n", "random_normal", avg="much").error("n")
    assert (error["kind"], error["port"]) == ("parameter", "avg")
    error = Sketch().op("n", "random_uniform", low=2, high=1).error("n")
    assert (error["kind"], error["port"]) == ("parameter", "high")
    error = Sketch().op("n", "random_uniform", size=[1 << 14, 1 << 14]).error("n")
    assert "2 GB" in error["message"]
    error = (
        Sketch().input("v", [2.0, 3.0], (None,)).op("n", "random_normal", {"size": "v"}).error("n")
    )
    assert "how many axes" in error["message"]
    error = Sketch().input("k", 1, (), "uint64").op("n", "random_normal", {"rng": "k"}).error("n")
    assert "no port 'rng'" in error["message"]


def test_a_card_has_optional_ports_and_a_seed_and_shows_no_state() -> None:
    (card,) = [c for c in palette()["cards"] if c["op"] == "random_normal"]
    assert [(p["name"], p["optional"]) for p in card["inputs"]] == [
        ("avg", True),
        ("std", True),
        ("size", True),
    ]
    assert card["preset"] == {"avg": 0.0, "std": 1.0, "size": [], "dtype": "floatX", "seed": 0}
    assert "Random" in palette()["categories"]
    (card,) = [c for c in palette()["cards"] if c["op"] == "random_multinomial"]
    assert [(p["name"], p["optional"]) for p in card["inputs"]] == [
        ("n", True),
        ("p", False),
        ("size", True),
    ]


@pytest.mark.parametrize("card", [c for c in palette()["cards"] if c["category"] == "Random"
                                  and not c["hidden"]], ids=lambda c: c["op"])  # fmt: skip
def test_a_card_from_the_palette_works_as_it_comes(card: dict[str, Any]) -> None:
    sketch = Sketch().input("p", [0.25, 0.75], (None,)).input("cov", [[2, 1], [1, 2]], (2, 2))
    needed = [p["name"] for p in card["inputs"] if not p["optional"]]
    wires = {name: "cov" if name == "cov" else "p" for name in needed}
    sketch.op("n", card["op"], wires, **card["preset"]).output("y", "n")
    document = parse(sketch.record)
    assert parse(document.text()) == document
    report = Program(document).report()["nodes"]["n"]
    assert report["error"] is None
    first, state = Program(document).call()
    again, _ = Program(parse(document.text())).call()
    assert np.array_equal(first["y"], again["y"])
    assert list(state) == ["n/state"]


def test_wires_into_optional_ports_are_checked_as_they_are_drawn() -> None:
    sketch = (
        noisy().input("z", {"re": 0, "im": 1}, (), "complex128").input("m", [[1.0]], (None, None))
    )
    program = sketch.program
    verdicts = program.wire_check(source=("x", "out"))["n"]
    assert (verdicts["avg"], verdicts["std"]) == (None, None)
    assert "how many axes" in str(verdicts["size"])
    assert program.wire_check(source=("s", "out"))["n"]["size"] is None
    assert "complex128" in str(program.wire_check(source=("z", "out"))["n"]["avg"])
    assert "too small" in str(program.wire_check(source=("m", "out"))["n"]["avg"])
    assert set(program.wire_check(target=("n", "avg"))) >= {"x", "s", "z"}


# Training.


def trained(seed: int = 0) -> Sketch:
    """A line through points, of which each step sees about half."""
    x = [[float(i), 1.0] for i in range(6)]
    sketch = Sketch().input("x", x, (None, 2)).input("t", [2.0 * i + 1 for i in range(6)], (None,))
    sketch.shared("w", [0.0, 0.0]).input("rate", 0.01)
    sketch.op("y", "dot", {"x": "x", "y": "w"}).op("e", "sub", {"x": "y", "y": "t"})
    sketch.op("q", "sqr", {"x": "e"}).op("len", "shape", {"x": "q"})
    sketch.op("mask", "random_bernoulli", {"size": "len"}, dtype="float64", seed=seed)
    sketch.op("kept", "mul", {"x": "mask", "y": "q"}).op("c", "mean", {"x": "kept"})
    sketch.output("cost", "c").op("other", "random_normal", size=[1000]).output("unused", "other")
    sketch.put("learn", "optimiser", {"cost": "c", "learning_rate": "rate", "parameters.0": "w"})
    functions = {"main": {"inputs": [], "outputs": ["cost"], "updates": ["learn"]}}
    return sketch.rest(functions=functions, training={"cost": "cost", "steps": 200})


def run(trainer: Trainer) -> Array:
    """The costs of all steps."""
    ring = Ring.of(1000)
    trainer.attach(np.zeros(1, np.int64), ring)
    trainer.run(1000)
    return ring.drain()[1]


def test_each_training_step_draws_anew_in_native_code_and_the_seed_decides() -> None:
    program = trained().program
    one, two = Trainer(program), Trainer(program)
    costs = run(one)
    assert one.tier == 1
    assert len(costs) == 200
    assert np.array_equal(costs, run(two))
    assert costs[-10:].mean() < 0.1 * costs[0]
    assert len(set(costs[:50])) > 45
    assert not np.array_equal(costs, run(Trainer(program, seed=5)))
    assert not np.array_equal(costs, run(Trainer(trained(seed=1).program)))
    state = one.state()
    assert set(state) == {"w", "mask/state"}
    assert state["mask/state"].tolist() == [*program.initial_state()["mask/state"][:2], 200]


def test_native_steps_draw_what_calls_in_numpy_draw() -> None:
    program = trained().program
    native = run(Trainer(program, steps=5))
    state = program.initial_state()
    for cost in native:
        outputs, state = program.call(state=state)
        assert outputs["cost"] == pytest.approx(cost, rel=1e-12)


def test_a_stream_is_kept_with_the_weights_and_goes_on_from_there() -> None:
    program = trained().program
    whole = run(Trainer(program, steps=20))
    first = Trainer(program, steps=10)
    run(first)
    kept = weights.unpack(weights.pack(first.state()))
    assert kept["mask/state"].dtype == np.uint64
    state = program.fitted_state(kept)
    rest = []
    for _ in range(10):
        outputs, state = program.call(state=state)
        rest.append(float(outputs["cost"]))
    assert rest == pytest.approx(whole[10:], rel=1e-12)
    misfit = program.fitted_state({"mask/state": np.zeros(2)})
    assert np.array_equal(misfit["mask/state"], program.initial_state()["mask/state"])


def test_only_what_a_function_draws_goes_on() -> None:
    program = trained().program
    _, state = program.call("main")
    initial = program.initial_state()
    assert state["mask/state"][2] == 1
    assert np.array_equal(state["other/state"], initial["other/state"])


def test_gradients_reach_through_a_random_node() -> None:
    sketch = Sketch().shared("m", 3.0).op("n", "random_normal", {"avg": "m"}, size=[4])
    sketch.op("c", "sum", {"x": "n"}).put("g", "gradient", {"cost": "c", "wrt": "m"})
    assert sketch.node("g")["values"]["out"]["data"] == 4
    sketch = Sketch().shared("p", 0.5).op("n", "random_bernoulli", {"p": "p"}, size=[4])
    sketch.op("f", "cast", {"x": "n"}, dtype="float64").op("c", "sum", {"x": "f"})
    error = sketch.put("g", "gradient", {"cost": "c", "wrt": "p"}).error("g")
    assert error["kind"] == "disconnected"


def test_an_error_of_a_draw_ends_a_run_and_is_told() -> None:
    sketch = trained()
    sketch.record["nodes"]["mask"] |= {"op": "random_poisson", "params": {"lam": -1.0}}
    with pytest.raises(EngineError, match="lam < 0") as caught:
        run(Trainer(sketch.program))
    assert caught.value.node == "mask"
