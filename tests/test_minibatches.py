"""Minibatches: which rows each step sees, in NumPy and in native code."""

from __future__ import annotations

import ctypes
from collections import Counter
from collections.abc import Iterator
from itertools import permutations
from typing import Any

import numpy as np
import pytest

import engine.tensor as T
from engine.codegen.cpu import gather
from engine.codegen.minibatches import Batches
from engine.errors import EngineError, ParameterError, ShapeError, TypeMismatchError
from engine.grad import grad
from engine.ifelse import ifelse
from engine.training import Minibatch, Ring, Trainer, TrainingSpec

Array = np.ndarray[Any, Any]

X = T.dmatrix("x")


@pytest.fixture(autouse=True, scope="module")
def kernel_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Kernels are kept in a folder of the tests' own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WIREGRAD_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def batches(count: int, size: int, seed: int | None = 0) -> Batches:
    """Batches of `count` rows; without a seed in order."""
    data = {X: np.arange(3.0 * count).reshape(count, 3)}
    return Batches(data, size, None) if seed is None else Batches.shuffled(data, size, seed)


def stream(chosen: Batches, epochs: int) -> Array:
    """The rows of some epochs, a line for each."""
    steps = -(-epochs * chosen.count // chosen.size)
    rows = np.concatenate([chosen.rows(step) for step in range(1, steps + 1)])
    return rows[: epochs * chosen.count].reshape(epochs, chosen.count)


SIZES = [
    (1, 1),
    (2, 1),
    (2, 2),
    (3, 2),
    (4, 4),
    (7, 3),
    (10, 10),
    (100, 32),
    (257, 64),
    (5000, 128),
]


@pytest.mark.parametrize("seed", [None, 0, 1])
@pytest.mark.parametrize(("count", "size"), SIZES)
def test_each_epoch_sees_each_row_once(count: int, size: int, seed: int | None) -> None:
    for epoch in stream(batches(count, size, seed), 5):
        assert sorted(epoch.tolist()) == list(range(count))


def test_each_epoch_and_seed_has_an_order_of_its_own() -> None:
    first, second = stream(batches(100, 7, seed=1), 2)
    (other,) = stream(batches(100, 7, seed=2), 1)
    (same,) = stream(batches(100, 100, seed=1), 1)
    assert first.tolist() == same.tolist()
    for order in (first, second, other):
        assert order.tolist() != list(range(100))
    assert (first == second).sum() < 8
    assert (first == other).sum() < 8
    assert stream(batches(5, 2, seed=None), 2).tolist() == [list(range(5))] * 2


def test_the_order_is_the_same_everywhere() -> None:
    assert batches(10, 10, seed=3).rows(1).tolist() == [4, 2, 5, 3, 7, 8, 6, 9, 1, 0]
    assert batches(10**6, 4, seed=3).rows(10**9).tolist() == [38023, 422160, 526942, 66243]


def test_all_orders_of_few_rows_are_about_as_frequent() -> None:
    times = Counter(map(tuple, stream(batches(4, 4), 4800).tolist()))
    assert set(times) == set(permutations(range(4)))
    assert all(140 < n < 260 for n in times.values())  # 200 each, give or take 14


def test_neighbours_in_the_data_are_none_in_an_epoch() -> None:
    (order,) = stream(batches(10_000, 100), 1)
    assert abs(np.corrcoef(order[:-1], order[1:])[0, 1]) < 0.05
    assert abs(np.corrcoef(order, np.arange(10_000))[0, 1]) < 0.05
    assert (abs(np.diff(order)) == 1).sum() < 10  # 2 are to be expected


@pytest.mark.parametrize("seed", [None, 0, 2**40])
@pytest.mark.parametrize(("count", "size"), SIZES)
def test_native_code_chooses_the_same_rows(count: int, size: int, seed: int | None) -> None:
    chosen = batches(count, size, seed)
    deck = gather.deck(chosen)
    name = "in_order" if seed is None else "shuffled"
    choose = gather.functions().function(name, None, ctypes.c_void_p)
    row = np.array([deck.ctypes.data])
    steps = [*range(1, 40), *range(9, 12), 10**12, 3]
    for before, step in zip([0, *steps], steps, strict=False):
        if step != before + 1:
            deck[gather.STEP] = step
        choose(row.ctypes.data)
        assert deck[gather.ROWS :].tolist() == chosen.rows(step).tolist()


# Training.


def line(size: int, *, shuffle: bool = True, steps: int = 60, native: bool = True) -> TrainingSpec:
    """A line through 10 points; not native where a length depends on a lazy choice."""
    x, y, w, b = T.fmatrix("x"), T.vector("y", dtype="float64"), T.dvector("w"), T.dscalar("b")
    error = T.dot(x, w) + b - y
    cost = T.sqr(error).mean()
    if not native:
        cost += 1e-30 * T.sqr(ifelse(b > 9, T.stack([b]), T.stack([b, b]))).sum()
    r = np.random.default_rng(0)
    return TrainingSpec(
        inputs={x: r.standard_normal((10, 2)).astype("float32"), y: r.standard_normal(10)},
        state={w: np.zeros(2), b: np.array(0.0)},
        updates={v: v - 0.1 * g for v, g in zip((w, b), grad(cost, [w, b]), strict=True)},
        outputs={"cost": cost, "rows": x},
        cost="cost",
        steps=steps,
        seed=5,
        batch=Minibatch(size, (x, y), shuffle),
        ids={x: "x-node", y: "y-node", w: "w-node", b: "b-node"},
    )


def by_hand(spec: TrainingSpec) -> tuple[Array, list[float]]:
    """The last weights, offset included, and all costs."""
    (x, y), w, b = spec.inputs.values(), np.zeros(2), 0.0
    assert spec.batch is not None
    chosen = batches(10, spec.batch.size, spec.seed if spec.batch.shuffle else None)
    costs = []
    for step in range(1, spec.steps + 1):
        rows = chosen.rows(step)
        error = x[rows] @ w + b - y[rows]
        costs.append(float((error**2).mean()))
        slope = 2 * error / len(rows)
        w, b = w - 0.1 * (slope @ x[rows]), b - 0.1 * slope.sum()
    return np.append(w, b), costs


def trained(trainer: Trainer, steps: int) -> list[float]:
    """The costs of the next steps."""
    ring = Ring.of(steps)
    trainer.attach(trainer.control, ring)
    assert trainer.run(steps) == steps
    return ring.drain()[1].tolist()


@pytest.mark.parametrize("native", [True, False])
@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("size", [1, 3, 5, 10])
def test_each_step_sees_a_batch(size: int, shuffle: bool, native: bool) -> None:
    spec = line(size, shuffle=shuffle, native=native)
    trainer = Trainer(spec)
    costs = trained(trainer, spec.steps)
    assert trainer.tier == native
    weights, expected = by_hand(spec)
    np.testing.assert_allclose(costs, expected, rtol=1e-6)
    state = trainer.state()
    np.testing.assert_allclose(np.append(state["w-node"], state["b-node"]), weights, rtol=1e-6)


@pytest.mark.parametrize("native", [True, False])
def test_a_run_goes_on_from_a_checkpoint_with_the_same_batches(native: bool) -> None:
    whole = Trainer(line(3, native=native))
    costs = trained(whole, 60)
    first = Trainer(line(3, native=native))
    trained(first, 23)
    for ready in (False, True):
        second = Trainer(line(3, native=native))
        if ready:
            trained(second, 5)
        second.restore(first.step, first.state())
        assert (second.step, second.cost) == (23, None)
        assert float(second.outputs()["cost"]) == pytest.approx(costs[23])
        assert trained(second, 37) == costs[23:]
        assert second.step == 60
        assert {k: a.tobytes() for k, a in second.state().items()} == {
            k: a.tobytes() for k, a in whole.state().items()
        }


def test_a_bad_index_is_raised_by_the_step_that_sees_it() -> None:
    table, w = T.ivector("table"), T.dvector("w")
    cost = T.sqr(w[table] - 1).sum()
    data = np.arange(10, dtype="int32") % 3
    data[7] = 3
    spec = TrainingSpec(
        inputs={table: data},
        state={w: np.zeros(3)},
        updates={w: w - 0.1 * grad(cost, w)},
        outputs={"cost": cost},
        cost="cost",
        steps=10,
        batch=Minibatch(2, (table,)),
        ids={w: "w-node"},
    )
    trainer = Trainer(spec)
    chosen = Batches.shuffled({table: data}, 2, 0)
    (good,) = (step - 1 for step in range(1, 6) if 7 in chosen.rows(step))
    assert good > 0
    assert trainer.run(10) == good
    before = trainer.state()["w-node"]
    with pytest.raises(IndexError):
        trainer.run(10)
    assert trainer.step == good
    assert trainer.state()["w-node"].tolist() == before.tolist()


def test_a_checkpoint_must_fit() -> None:
    trainer = Trainer(line(3))
    with pytest.raises(ParameterError, match="no value of b"):
        trainer.restore(3, {"w-node": np.ones(2)})
    with pytest.raises(ShapeError, match="w-node"):
        trainer.restore(3, {"w-node": np.ones(3), "b-node": 1.0})
    with pytest.raises(TypeMismatchError, match="b-node"):
        trainer.restore(3, {"w-node": np.ones(2), "b-node": "one"})
    assert trainer.step == 0
    assert trainer.state()["w-node"].tolist() == [0, 0]


def test_a_run_in_pieces_sees_the_same_batches() -> None:
    spec = line(4)
    costs = trained(Trainer(spec), 60)
    trainer = Trainer(spec)
    pieces = [cost for most in (1, 2, 3, 24, 30) for cost in trained(trainer, most)]
    assert pieces == costs
    assert trainer.cost == costs[-1]
    rows = batches(10, 4, spec.seed).rows(60)
    x = next(iter(spec.inputs.values()))
    assert trainer.outputs()["rows"].tolist() == x[rows].tolist()


def test_before_the_first_step_its_batch_is_shown() -> None:
    spec = line(4)
    trainer = Trainer(spec)
    x = next(iter(spec.inputs.values()))
    assert trainer.outputs()["rows"].tolist() == x[batches(10, 4, spec.seed).rows(1)].tolist()


def test_data_is_read_where_it_is_in_any_layout() -> None:
    spec = line(4)
    x, y = spec.inputs
    costs = trained(Trainer(spec), 20)
    wide = np.zeros((20, 4), "float32")
    wide[::2, ::2] = spec.inputs[x]
    spec.inputs[x] = wide[::2, ::2]
    spec.inputs[y] = spec.inputs[y][::-1].copy()[::-1]
    assert trained(Trainer(spec), 20) == costs
    data = spec.inputs[x] = np.ascontiguousarray(spec.inputs[x])
    trainer = Trainer(spec)
    trainer.compile()
    assert trainer._batches is not None
    assert trainer._batches.data[x] is data


def test_batches_that_cannot_be_say_why() -> None:
    def refused(spec: TrainingSpec) -> EngineError:
        with pytest.raises(EngineError) as caught:
            Trainer(spec)
        return caught.value

    for size in (0, 11, -1):
        assert "10" in refused(line(size)).message
    x, y = (spec := line(3)).inputs
    spec.inputs[y] = np.zeros(9)
    error = refused(spec)
    assert (error.node, error.expected, error.got) == ("y-node", "10 rows", "9")
    spec.inputs[y] = np.array(0.0)
    assert "scalar" in refused(spec).message
    spec.inputs |= {x: np.zeros((0, 2), "float32"), y: np.zeros(0)}
    assert "there are 0" in refused(spec).message
    spec.batch = Minibatch(3, ())
    assert "no data" in refused(spec).message
    fixed = T.TensorType("float64", (10, 2))("fixed")
    spec.inputs[fixed] = np.zeros((10, 2))
    spec.batch = Minibatch(3, (fixed,))
    assert "declared to have 10 rows" in refused(spec).message
