"""Indices in kernels: what they take and change, what they check, and what they fuse with."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import engine.tensor as T
from engine import function
from engine.codegen.lowering.lower import Lowering, UncheckedError
from engine.codegen.numpy import interpret
from engine.errors import IndexOutOfRangeError
from engine.expression import OPS, Variable
from engine.grad import grad
from engine.graph import Graph
from engine.inference import infer_types
from engine.training import Trainer, TrainingSpec
from tests.test_codegen import assert_same, compiled, kernel_cache

__all__ = ["kernel_cache"]

Array = np.ndarray[Any, Any]
RNG = np.random.default_rng(5)


def assert_native(outputs: list[Variable], values: dict[Variable, Any]) -> list[str]:
    """Kernels alone give what NumPy gives; returns their sources."""
    sources = [k.source for k in assert_same(outputs, values).kernels]
    assert not [s for s in sources if s.startswith("numpy:")]
    return sources


# What is taken and changed.


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "uint32", "int64", "uint64"])
def test_places_of_every_dtype_are_taken_and_changed(dtype: str) -> None:
    x, g = T.dmatrix("x"), T.dmatrix("g")
    i = T.TensorType(dtype, (None,))("i")
    places = np.array([3, 0, 3, 1, 2], dtype)
    if dtype.startswith("int"):
        places[1], places[4] = -1, -4
    outputs = [x[i], T.inc_subtensor(x[i], g), T.set_subtensor(x[i], g)]
    assert_native(outputs, {x: RNG.normal(size=(4, 3)), g: RNG.normal(size=(5, 3)), i: places})


@pytest.mark.parametrize("dtype", ["float32", "int8", "bool", "uint64"])
def test_elements_of_every_dtype_are_taken_and_changed(dtype: str) -> None:
    x, v = (T.TensorType(dtype, (None,))(name) for name in "xv")
    i = T.lvector("i")
    outputs = [x[i], T.set_subtensor(x[i], v)]
    outputs += [T.inc_subtensor(x[i], v)] if dtype != "bool" else []
    values = {x: np.arange(100, 104) % 7, v: np.arange(5) + 120, i: np.array([3, 1, 1, -1, 1])}
    assert_native(outputs, {k: np.asarray(a).astype(k.dtype) for k, a in values.items()})


def test_every_form_of_an_index_is_read_as_numpy_reads_it() -> None:
    x = T.dtensor3("x")
    i, j, k = T.lvector("i"), T.lmatrix("j"), T.lscalar("k")
    col = T.TensorType("int64", (None, 1))("col")
    parts = [
        x[i],
        x[j],
        x[:, i],
        x[:, :, j],
        x[i, :, i],
        x[:, i, i],
        x[0, :, i],
        x[k, :, i],
        x[:, k, i],
        x[col, i],
        x[col, :, i],
        x[k],
        x[..., k],
        x[k, 1:, k],
        x[i, None, ::2],
        x[None, :, i, k],
        x[::-1][i],
        x[1:, ::2][:, i // 2],
        x.transpose(2, 0, 1)[i],
        x[T.constant([2, 0, 0])],
        x[T.arange(3), :, i],
        x[T.arange(2), T.constant([1, 0])],
        x.take(i, axis=1),
        x.take(j),
        x.take(i + 1, axis=2, mode="wrap"),
        x.take(i + 9, axis=2, mode="clip"),
        T.take_along_axis(x, j.dimshuffle(0, 1, "x"), axis=1),
    ]
    values = {
        x: RNG.normal(size=(3, 4, 3)),
        i: np.array([2, 0, -1]),
        j: np.array([[0, 1], [-2, 2], [1, 1]]),
        k: np.array(-2),
        col: np.array([[1], [-1]]),
    }
    changed: list[Variable] = []
    for part in parts[:16]:
        changed.append(T.inc_subtensor(part, 2.5 * part))
        changed.append(T.set_subtensor(part, part[::-1] if part.ndim else part))
        changed.append(T.set_subtensor(part, 0))
    assert_native(parts, values)
    assert_native(changed, values)


def test_what_is_put_twice_stays_as_put_last_and_is_added_in_order() -> None:
    x, v, i = T.fvector("x"), T.fvector("v"), T.lvector("i")
    values = {
        x: np.zeros(3, "float32"),
        v: np.array([1, 1e8, 1, -1e8, 1, 3], "float32"),
        i: np.array([1, 1, 1, 1, 1, 0]),
    }
    outputs = [T.set_subtensor(x[i], v), T.inc_subtensor(x[i], v)]
    native = assert_same(outputs, values)
    assert native.outputs[0].tolist() == [3, 1, 0]
    assert native.outputs[1].tobytes() == interpret(outputs, values)[1].tobytes()


@pytest.mark.parametrize("shape", [(0, 3), (3, 0)])
def test_nothing_may_be_taken_from_anything(shape: tuple[int, int]) -> None:
    x, i, j = T.dmatrix("x"), T.lvector("i"), T.lvector("j")
    outputs = [x[i], x[:, i], x[i, i], T.inc_subtensor(x[i], 1), T.set_subtensor(x[:, i], 1)]
    outputs += [x[:, j]] if shape[1] else [x[j], T.inc_subtensor(x[j], 1)]
    assert_same(outputs, {x: np.ones(shape), i: np.zeros(0, "int64"), j: np.array([1, 0, 1])})


def test_tensors_that_do_not_lie_in_a_row_are_indexed_where_they_lie() -> None:
    x, i = T.dmatrix("x"), T.lvector("i")
    y = x[::2, 1:].T
    outputs = [y[i], y[:, i - 1], y[i[::-1], i[:3] - 1], T.inc_subtensor(y[i], y[0])]
    assert_native(outputs, {x: RNG.normal(size=(6, 4)), i: np.array([2, 0, 1])})


def test_one_place_in_each_row_is_changed_without_memory_of_its_own() -> None:
    x, y, v = T.dmatrix("x"), T.lvector("y"), T.dvector("v")
    rows = OPS["positions"](x)
    outputs = [
        T.set_subtensor(x[rows, y], v),
        T.inc_subtensor(x[rows, y], v),
        T.set_subtensor(T.zeros_like(x)[rows, y], 1.0),
        T.set_subtensor(x.T[y, rows], v),
    ]
    values = {x: RNG.normal(size=(4, 3)), y: np.array([2, 0, -1, 2]), v: RNG.normal(size=4)}
    _, guard, kernel = assert_native(outputs, values)
    assert guard == "guard"
    assert kernel.count("for ") == 4
    rows = OPS["positions"](x)
    (kernel,) = assert_native([T.set_subtensor(x[rows, T.argmax(x, axis=1)], v) * 2], values)
    assert kernel.count("for ") == 3


def test_one_value_is_put_wherever_a_mask_holds() -> None:
    x, rows = T.dtensor3("x"), T.TensorType("bool", (None,))("rows")
    mask, v = T.TensorType("bool", (None, None))("mask"), T.dvector("v")
    outputs = [T.set_subtensor(x[x > 0], 0), T.inc_subtensor(x[mask], v)]
    outputs += [T.set_subtensor(x[rows], v), T.inc_subtensor(x[:, :, rows], 2.0)]
    outputs += [T.set_subtensor(x[:, mask.T], -1), T.inc_subtensor(x[rows], x[0])]
    values = {
        x: RNG.normal(size=(3, 3, 3)),
        rows: np.array([True, False, True]),
        mask: RNG.normal(size=(3, 3)) > 0,
        v: RNG.normal(size=3),
    }
    assert_native(outputs, values)


# What is checked.


def refused(outputs: list[Variable], values: dict[Variable, Any], **options: Any) -> Any:
    """The native graph, whose pass raises what NumPy raises."""
    native = compiled(outputs, values, **options)
    assert not any(k.source.startswith("numpy:") for k in native.kernels)
    with pytest.raises(IndexOutOfRangeError) as expected:
        interpret(outputs, values)
    with pytest.raises(IndexOutOfRangeError) as caught:
        native.call()
    assert str(caught.value) == str(expected.value)
    assert caught.value.node == expected.value.node
    return native


@pytest.mark.parametrize("place", [4, -5, 2**40, -(2**63)])
def test_a_place_outside_is_the_error_of_numpy(place: int) -> None:
    x, i, k = T.dmatrix("x"), T.lvector("i"), T.lscalar("k")
    y = x[i]
    assert y.owner is not None
    y.owner.origins = frozenset({"rows"})
    values = {x: np.ones((4, 3)), i: np.array([0, place, 1])}
    refused([y], values)
    refused([T.exp(x)[abs(i) * 1 - 0 * i] if place > 0 else T.exp(x)[i * 1]], values)
    refused([T.set_subtensor(x[i], 1)], values)
    refused([T.inc_subtensor((x * 2)[i + 0], 1)], values)
    refused([x[k]], {x: np.ones((4, 3)), k: np.array(place)})


def test_a_place_of_a_large_unsigned_dtype_is_outside() -> None:
    x, i = T.dvector("x"), T.TensorType("uint64", (None,))("i")
    refused([x[i]], {x: np.ones(4), i: np.array([0, 2**64 - 1], "uint64")})


def test_a_place_outside_changes_nothing_that_is_kept() -> None:
    w, y, n = T.dmatrix("w"), T.lvector("y"), T.lscalar("n")
    cost = w[y].sum() + w[y - n].sum()
    news = [w - 0.1 * grad(cost, w), n + 1]
    values = {w: np.ones((3, 2)), y: np.array([0, 2]), n: np.array(0)}
    native = compiled([cost, *news], values, updates={w: 1, n: 2})
    assert not any(k.source.startswith("numpy:") for k in native.kernels)
    assert native.run(3) == 3
    kept = native.inputs[w].copy()
    native.inputs[y][1] = 3
    with pytest.raises(IndexOutOfRangeError, match="Index 3 is outside axis 0"):
        native.run(3)
    assert native.inputs[w].tolist() == kept.tolist()
    assert native.inputs[n] == 3
    native.inputs[y][1] = 0
    assert native.run(9) == 1
    with pytest.raises(IndexOutOfRangeError, match="Index -4 is outside axis 0"):
        native.run(9)
    assert native.inputs[n] == 4


def test_places_that_cannot_be_outside_are_not_checked() -> None:
    x, i, b = T.dmatrix("x"), T.lvector("i"), T.TensorType("bool", (None,))("b")
    inside = [
        x[T.argmax(x, axis=0)],
        x[i % 4],
        x[T.clip(i, 0, 3)],
        x[T.cast(b, "int64") - 2],
        x[T.minimum(T.maximum(i, -4), 3)],
        x[T.arange(x.shape[0])],
        x[T.switch(b, 0, 3)],
    ]
    values = {x: RNG.normal(size=(4, 3)), i: np.array([9, -9]), b: np.array([True, False])}
    assert "guard" not in assert_native(inside, values)
    assert "guard" in assert_native([x[i + 0]], {**values, i: np.array([-4, 3])})


def test_large_arrays_are_indexed_where_they_are_with_the_bits_of_numpy() -> None:
    x, v, i = T.fmatrix("x"), T.fmatrix("v"), T.lvector("i")
    outputs = [x[i] * 2, T.inc_subtensor(x[i], v), T.set_subtensor(x[:, i[:9] % 7], 1)]
    native, plain = (function([x, v, i], outputs, mode=mode) for mode in ("NUMBA", "NUMPY"))
    arrays = [RNG.normal(size=shape).astype("float32") for shape in ((500, 200), (3000, 200))]
    places = RNG.integers(-500, 500, 3000)
    for _ in range(2):
        for got, expected in zip(native(*arrays, places), plain(*arrays, places), strict=True):
            assert got.tobytes() == expected.tobytes()
        wrong = places.copy()
        wrong[2999] = 500
        with pytest.raises(IndexOutOfRangeError, match="Index 500 is outside axis 0"):
            native(*arrays, wrong)
    assert not [k.source for k in native.kernels if k.source.startswith("numpy:")]


def test_a_step_that_is_done_again_and_again_leaves_what_is_checked_to_numpy() -> None:
    x, i = T.dvector("x"), T.lscalar("i")
    y = x[i]
    assert y.owner is not None
    graph = Graph([x, i], [y])
    low = Lowering(graph, infer_types(graph, {x: (3,), i: ()}))
    low.tasks = []
    with pytest.raises(UncheckedError):
        low.check(y.owner, "{i} > 2", {"i": low.views[i]}, "int64")


# What it fuses with.


def labelled() -> tuple[Variable, list[Variable], dict[Variable, Any]]:
    x, w, y = T.fmatrix("x"), T.fmatrix("w"), T.lvector("y")
    probabilities = T.nnet.softmax(T.dot(x, w))
    cost = T.nnet.categorical_crossentropy(probabilities, y).mean()
    values = {
        x: RNG.normal(size=(6, 3)).astype("float32"),
        w: RNG.normal(size=(3, 4)).astype("float32"),
        y: np.array([0, 3, 1, -1, 2, 0]),
    }
    return cost, [w], values


def test_crossentropy_of_labels_with_its_gradient_is_one_kernel() -> None:
    cost, weights, values = labelled()
    sources = assert_native([cost, *grad(cost, weights)], values)
    assert len([s for s in sources if s.startswith("def")]) == 2


def test_an_embedding_is_taken_and_trained_in_kernels() -> None:
    words, table, v = T.lmatrix("words"), T.fmatrix("table"), T.fvector("v")
    cost = T.sqr(T.dot(T.tanh(table[words]).mean(axis=1), v)).sum()
    values = {
        words: RNG.integers(-7, 7, (5, 4)),
        table: RNG.normal(size=(7, 3)).astype("float32"),
        v: RNG.normal(size=3).astype("float32"),
    }
    assert_native([cost, *grad(cost, [table, v])], values)


def test_a_network_with_labels_trains_without_the_interpreter() -> None:
    cost, (w,), values = labelled()
    x, y = (v for v in values if v is not w)
    spec = TrainingSpec(
        inputs={x: values[x], y: values[y]},
        state={w: values[w]},
        updates={w: w - 0.5 * grad(cost, w)},
        outputs={"cost": cost},
        cost="cost",
        steps=50,
    )
    trainer = Trainer(spec)
    trainer.compile()
    assert trainer.tier == 1
    engine: Any = trainer._engine
    assert not any(k.source.startswith("numpy:") for k in engine.native.kernels)
    trainer.run(1)
    first = trainer.cost
    trainer.run(49)
    assert trainer.cost is not None
    assert first is not None
    assert trainer.cost < first / 1.2
