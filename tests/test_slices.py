"""Slices of a plain length whose bounds are computed: minibatches, in kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import engine.tensor as T
from engine import function, shared
from engine.errors import CompileError, ShapeError
from engine.expression import Variable
from engine.grad import grad
from engine.training import Trainer, TrainingSpec
from tests.test_codegen import assert_same, compiled, kernel_cache

__all__ = ["kernel_cache"]

RNG = np.random.default_rng(4)


def test_a_slice_of_plain_length_is_taken_and_changed_where_it_lies() -> None:
    x, i = T.dmatrix("x"), T.lscalar("i")
    part = x[i * 2 : i * 2 + 3]
    both = x.T[::-1][i - 1 : 2 + i - 1, i : 4 + i : 2]
    outputs = [part, T.tanh(part).sum(axis=0), grad((part**2).sum(), x), both]
    outputs += [T.set_subtensor(both, 7), T.inc_subtensor(part, part)]
    native = assert_same(outputs, {x: RNG.normal(size=(9, 4)), i: np.array(3)})
    assert not any(k.source.startswith("numpy:") for k in native.kernels)


@pytest.mark.parametrize("lost", [-1, 4, 5, 100])
def test_a_slice_that_is_cut_off_is_computed_by_numpy(lost: int) -> None:
    data, i = shared(RNG.normal(size=(18, 3))), T.lscalar("i")
    x = data[i * 4 : (i + 1) * 4]
    outputs = [x * 2, x.sum()]
    native, plain = (function([i], outputs, mode=mode) for mode in ("NUMBA", "NUMPY"))
    for k in (0, 3, lost, 1):
        for got, expected in zip(native(k), plain(k), strict=True):
            np.testing.assert_allclose(got, expected, rtol=1e-13)
    assert native.kernels


def test_what_does_not_fit_a_whole_slice_is_an_error_or_left_to_numpy() -> None:
    x, y, i = T.dvector("x"), T.dvector("y"), T.lscalar("i")
    f = function([x, y, i], x[i : i + 3] + y, mode="NUMBA")
    assert f(np.arange(5.0), np.ones(3), 1).tolist() == [2, 3, 4]
    assert f(np.arange(5.0), np.ones(2), 3).tolist() == [4, 5]
    with pytest.raises(ShapeError):
        f(np.arange(5.0), np.ones(3), 3)


def test_training_walks_through_data_whose_last_batch_is_smaller() -> None:
    x, y, w, t = T.dmatrix("x"), T.lvector("y"), T.dmatrix("w"), T.lscalar("t")
    at = (t % 4) * 6
    rows, labels = x[at : at + 6], y[at : at + 6]
    cost = T.nnet.categorical_crossentropy(T.nnet.softmax(T.dot(rows, w)), labels).mean()
    updates: dict[Variable, Variable] = {w: w - 0.3 * grad(cost, w), t: t + 1}
    inputs = {x: RNG.normal(size=(20, 3)), y: RNG.integers(0, 4, 20)}
    state: dict[Variable, Any] = {w: np.zeros((3, 4)), t: np.array(0)}
    trainer = Trainer(TrainingSpec(inputs, state, updates, {"cost": cost}, "cost", steps=30))
    trainer.compile()
    assert trainer.tier == 1
    while trainer.run(30):
        pass
    assert trainer.step == 30
    weights, expected = trainer.state().values(), state[w].copy()
    for k in range(30):
        begin = k % 4 * 6
        a, b = inputs[x][begin : begin + 6], inputs[y][begin : begin + 6]
        e = np.exp(a @ expected)
        p = e / e.sum(axis=1, keepdims=True)
        p[np.arange(len(b)), b] -= 1
        expected -= 0.3 * a.T @ p / len(b)
    np.testing.assert_allclose(next(iter(weights)), expected, rtol=1e-10)


def test_slices_of_other_lengths_have_no_plain_one() -> None:
    x, i, j = T.dvector("x"), T.lscalar("i"), T.lscalar("j")
    for part in (x[i:], x[:i], x[i:j], x[i : 2 * i + 3], x[i : i + 100]):
        with pytest.raises(CompileError, match="not known before it runs"):
            compiled([part], {x: np.ones(9), i: 1, j: 2})
