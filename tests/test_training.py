"""Training runs: what they compute, how they are watched, stopped and adjusted."""

from __future__ import annotations

import mmap
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import engine.tensor as T
from engine.codegen.numpy import interpret
from engine.errors import EngineError, ParameterError, ShapeError, TypeMismatchError
from engine.grad import grad
from engine.ifelse import ifelse
from engine.training import Ring, Trainer, TrainingSpec

Array = np.ndarray[Any, Any]


@pytest.fixture(autouse=True, scope="module")
def kernel_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Kernels are kept in a folder of the tests' own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WIREGRAD_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def xnor(steps: int = 30_000) -> TrainingSpec:
    """Two neurons and one that learn whether two bits are equal."""
    x, truth, rate = T.matrix("x"), T.vector("truth"), T.scalar("learning_rate")
    w1, w2, w3 = (T.vector(name) for name in ("w1", "w2", "w3"))
    b1, b2 = T.scalar("b1"), T.scalar("b2")
    a1 = 1 / (1 + T.exp(-T.dot(x, w1) - b1))
    a2 = 1 / (1 + T.exp(-T.dot(x, w2) - b1))
    a3 = 1 / (1 + T.exp(-T.dot(T.stack([a1, a2], axis=1), w3) - b2))
    cost = -(truth * T.log(a3) + (1 - truth) * T.log(1 - a3)).sum()
    weights = [w1, w2, w3, b1, b2]
    start = ([0.9, 0.4], [0.1, 0.8], [0.6, 0.3], 1.0, 1.0)
    return TrainingSpec(
        inputs={
            x: np.array([[0, 0], [0, 1], [1, 0], [1, 1.0]]),
            truth: np.array([1.0, 0, 0, 1]),
            rate: np.array(0.05),
        },
        state={v: np.array(a) for v, a in zip(weights, start, strict=True)},
        updates={v: v - rate * g for v, g in zip(weights, grad(cost, weights), strict=True)},
        outputs={"prediction": a3, "cost": cost},
        cost="cost",
        steps=steps,
        names={"learning_rate": rate},
        ids={x: "x-node", **{v: f"{v.name}-node" for v in weights}},
    )


def branching(steps: int = 50) -> TrainingSpec:
    """A graph without native kernels: a length depends on a lazy choice."""
    x, target = T.scalar("x"), T.scalar("target")
    apart = x - target
    cost = T.sum(T.sqr(ifelse(apart > 0, T.stack([apart]), T.stack([apart, apart]))))
    return TrainingSpec(
        inputs={target: np.array(1.0)},
        state={x: np.array(4.0)},
        updates={x: x - 0.1 * grad(cost, x)},
        outputs={"cost": cost},
        cost="cost",
        steps=steps,
        names={"target": target},
    )


def trained(spec: TrainingSpec) -> tuple[dict[str, Array], Array]:
    """The final state and all costs."""
    trainer = Trainer(spec)
    ring = Ring.of(spec.steps)
    trainer.attach(np.zeros(1, np.int64), ring)
    assert trainer.run(spec.steps) == spec.steps
    return trainer.state(), ring.drain()[1]


def test_a_network_learns_xnor_the_same_way_twice() -> None:
    state, costs = trained(xnor())
    assert costs.shape == (30_000,)
    assert costs[-1] < 0.1 < 2 < costs[0]
    again, same_costs = trained(xnor())
    assert costs.tobytes() == same_costs.tobytes()
    assert {k: a.tobytes() for k, a in state.items()} == {k: a.tobytes() for k, a in again.items()}


def test_native_steps_are_those_of_numpy() -> None:
    spec = xnor(200)
    state, costs = trained(spec)
    values = {**spec.inputs, **spec.state}
    slow = []
    for _ in range(200):
        cost, *news = interpret([spec.outputs["cost"], *spec.updates.values()], values)
        values.update(zip(spec.updates, news, strict=True))
        slow.append(float(cost))
    np.testing.assert_allclose(costs, slow, rtol=1e-9)
    for v in spec.state:
        np.testing.assert_allclose(state[spec.ids[v]], values[v], rtol=1e-9)


@pytest.mark.parametrize("spec", [xnor(100), branching(100)])
def test_the_cost_of_a_step_is_that_before_its_updates(spec: TrainingSpec) -> None:
    trainer = Trainer(spec)
    ring = Ring.of(8)
    trainer.attach(np.zeros(1, np.int64), ring)
    assert trainer.cost is None
    before = float(trainer.outputs()["cost"])
    trainer.run(1)
    steps, costs = ring.drain()
    assert steps.tolist() == [1]
    assert costs[0] == pytest.approx(before)
    assert trainer.cost == costs[0]


def test_a_run_is_watched_and_named_by_canvas_nodes() -> None:
    trainer = Trainer(xnor(), steps=7)
    told: list[tuple[int, int]] = []
    assert not trainer.compiled
    trainer.compile(lambda done, total: told.append((done, total)))
    assert trainer.compiled
    assert told[0] == (0, 1)
    assert told[-1] == (1, 1)
    assert trainer.run(1000) == 7
    assert trainer.run(1) == 0
    assert (trainer.step, trainer.steps) == (7, 7)
    assert set(trainer.state()) == {f"{n}-node" for n in ("w1", "w2", "w3", "b1", "b2")}
    assert trainer.outputs()["prediction"].shape == (4,)


def test_a_paused_run_goes_on_as_if_it_had_not_been() -> None:
    whole, costs = trained(xnor(5000))
    trainer = Trainer(xnor(5000))
    control, ring = np.zeros(1, np.int64), Ring.of(700)
    trainer.attach(control, ring)
    pieces = []
    for most in (1, 2, 600, 5000, 5000, 333) * 10:
        control[0] = most == 2
        done = trainer.run(most)
        assert done <= (0 if control[0] else min(most, ring.capacity))
        steps, values = ring.drain()
        assert steps.tolist() == list(range(trainer.step - done + 1, trainer.step + 1))
        pieces.append(values)
    assert trainer.step == 5000
    assert np.concatenate(pieces).tobytes() == costs.tobytes()
    assert all(a.tobytes() == whole[k].tobytes() for k, a in trainer.state().items())


def test_a_long_run_stops_when_it_is_told_to() -> None:
    trainer = Trainer(xnor(10**15))
    control = np.zeros(1, np.int64)
    trainer.attach(control, None)
    trainer.compile()
    thread = threading.Thread(target=trainer.run, args=(10**15,))
    thread.start()
    control[0] = 1
    thread.join(60)
    assert not thread.is_alive()
    assert trainer.step < 10**15


READER = """
import mmap, sys
from engine.training import Ring
with open(sys.argv[1], "r+b") as file:
    ring = Ring(mmap.mmap(file.fileno(), 0), 64)
total, last = 0.0, 0
while last < 3000:
    steps, values = ring.drain()
    assert steps.tolist() == list(range(last + 1, last + 1 + len(steps)))
    last += len(steps)
    total += float(values.sum())
print(repr(total))
"""


def test_another_process_drains_the_ring(tmp_path: Path) -> None:
    path = tmp_path / "ring"
    path.write_bytes(bytes(Ring.bytes_needed(64)))
    trainer = Trainer(xnor(3000))
    with path.open("r+b") as file:
        trainer.attach(np.zeros(1, np.int64), Ring(mmap.mmap(file.fileno(), 0), 64))
    trainer.compile()
    reader = subprocess.Popen(
        [sys.executable, "-c", READER, str(path)],
        cwd=Path(__file__).parents[1],
        stdout=subprocess.PIPE,
        text=True,
    )
    while trainer.step < trainer.steps and reader.poll() is None:
        trainer.run(trainer.steps)
    text, _ = reader.communicate(timeout=60)
    _, costs = trained(xnor(3000))
    assert float(text) == pytest.approx(costs.sum())


def test_a_full_ring_loses_nothing() -> None:
    ring = Ring.of(3)
    assert [ring.append(k, k / 2) for k in (1, 2, 3, 4)] == [True, True, True, False]
    assert len(ring) == 3
    assert [a.tolist() for a in ring.drain()] == [[1, 2, 3], [0.5, 1, 1.5]]
    assert ring.append(5, 2.5)
    assert [a.tolist() for a in ring.drain()] == [[5], [2.5]]
    assert [len(a) for a in ring.drain()] == [0, 0]


def test_a_ring_needs_its_memory() -> None:
    with pytest.raises(ParameterError, match="5 points"):
        Ring(bytearray(Ring.bytes_needed(4)), 5)
    with pytest.raises(ParameterError, match="one point"):
        Ring.of(0)


@pytest.mark.parametrize("spec", [xnor(), branching()])
def test_an_input_can_be_set_before_and_between_steps(spec: TrainingSpec) -> None:
    (name,) = spec.names
    trainer = Trainer(spec, overrides={name: 0})
    before = trainer.state()
    if name == "learning_rate":
        trainer.run(10)
        assert all((a == before[k]).all() for k, a in trainer.state().items())
    trainer.set(name, 2.5)
    trainer.run(1)
    assert any((a != before[k]).any() for k, a in trainer.state().items())
    with pytest.raises(ParameterError, match="no input 'speed'"):
        trainer.set("speed", 1)
    with pytest.raises(ShapeError, match="shape"):
        trainer.set(name, [1.0, 2.0])
    with pytest.raises(TypeMismatchError, match="cannot be"):
        trainer.set(name, "fast")


def test_a_graph_without_kernels_trains_in_numpy() -> None:
    trainer = Trainer(branching(200))
    ring = Ring.of(150)
    control = np.zeros(1, np.int64)
    trainer.attach(control, ring)
    assert trainer.run(200) == 150
    assert trainer.tier == 0
    assert "shape" in str(trainer.reason)
    steps, values = ring.drain()
    assert steps.tolist() == list(range(1, 151))
    assert values[0] == 9.0
    assert trainer.run(200) == 50
    control[0] = 1
    assert trainer.run(1) == 0
    assert abs(float(trainer.state()["x"]) - 1) < 0.11


def test_only_the_processor_is_there_to_train_on() -> None:
    with pytest.raises(EngineError, match="no device 'abacus'"):
        Trainer(xnor(), device="abacus")
