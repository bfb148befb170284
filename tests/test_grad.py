"""Gradients: the sweep, its options, and values that Theano's documentation promises."""

from __future__ import annotations

import numpy as np
import pytest

import engine.tensor as T
from engine import DisconnectedInputError, NullGradientError, function, grad, hessian, jacobian
from engine.graph import walk


def test_gradient_through_a_sigmoid() -> None:
    x = T.dmatrix("x")
    g = function([x], grad(T.sum(1 / (1 + T.exp(-x))), x))([[0, 1], [-1, -2]])
    assert np.allclose(g, [[0.25, 0.19661193], [0.19661193, 0.10499359]])


def test_several_at_once_share_one_sweep() -> None:
    x, y = T.dscalars("x", "y")
    gx, gy = function([x, y], grad(x**2 * y, [x, y]))(3, 5)
    assert (gx, gy) == (30, 9)


def test_gradients_are_summed_back_to_the_shape_of_a_stretched_input() -> None:
    m, r, s = T.dmatrix("m"), T.drow("r"), T.dscalar("s")
    cost = T.sum((m + r) * s)
    gm, gr, gs = function([m, r, s], grad(cost, [m, r, s]))(np.ones((2, 3)), np.ones((1, 3)), 4)
    assert gm.shape == (2, 3)
    assert np.array_equal(gr, [[8, 8, 8]])
    assert gs == 12


@pytest.mark.parametrize(
    ("expression", "at", "expected"),
    [
        (lambda x: abs(x), 0.0, 0.0),
        (lambda x: T.maximum(x, 0), 0.0, 1.0),
        (lambda x: 0.5 * (x + abs(x)), 0.0, 0.5),
        (lambda x: T.clip(x, -1, 1), 1.0, 1.0),
        (lambda x: T.sqrt(x), 0.0, np.inf),
    ],
)
def test_kinks(expression: object, at: float, expected: float) -> None:
    x = T.dscalar("x")
    assert callable(expression)
    assert function([x], grad(expression(x), x))(at) == expected


def test_every_tie_of_a_maximum_gets_the_gradient() -> None:
    x = T.dvector("x")
    assert np.array_equal(function([x], grad(T.max(x), x))([3, 1, 3]), [1, 0, 1])


def test_integers_have_float_gradients_and_none_flow_through_them() -> None:
    i = T.iscalar("i")
    assert function([i], grad(i * 1.5, i))(2) == 1.5
    assert function([i], grad(i * i, i), on_unused_input="ignore")(2) == 0


def test_mean_over_axes() -> None:
    x = T.dmatrix("x")
    g = function([x], grad(T.sum(T.mean(x, axis=0) * 6), x))(np.ones((3, 2)))
    assert np.allclose(g, np.full((3, 2), 2))


def test_what_is_considered_constant_lets_nothing_back() -> None:
    x = T.dscalar("x")
    y = x**2
    assert function([x], grad(y * x, x, consider_constant=[y]))(3) == 9


def test_known_gradients_replace_a_cost() -> None:
    x = T.dvector("x")
    y = x**2
    g = function([x], grad(None, x, known_grads={y: T.constant([1.0, 10.0])}))([3, 4])
    assert np.array_equal(g, [6, 80])


def test_disconnected_inputs_are_named() -> None:
    x, w = T.dscalars("x", "w")
    with pytest.raises(DisconnectedInputError, match="w"):
        grad(x * 2, w)
    assert function([], grad(x * 2, w, disconnected_inputs="ignore"))() == 0


def test_an_op_without_gradient_is_named_with_its_reason() -> None:
    x = T.dvector("x")
    rows = T.join_part(x, [x, x], axis=0, position=0)
    with pytest.raises(NullGradientError, match=r"join_part.*itself a gradient"):
        grad(T.sum(rows), x)


def test_gradient_of_a_gradient() -> None:
    x = T.dscalar("x")
    assert function([x], grad(grad(x**4, x), x))(2) == 48


def test_jacobian_and_hessian() -> None:
    x = T.dvector("x")
    j, h = function([x], [jacobian(x**2, x), hessian(T.sum(x**2), x)])([4, 4])
    assert np.array_equal(j, [[8, 0], [0, 8]])
    assert np.array_equal(h, [[2, 0], [0, 2]])


def test_the_sweep_grows_with_the_graph() -> None:
    x = T.dscalar("x")
    y = x
    for _ in range(3000):
        y = T.tanh(y)
    assert len(walk([grad(y, x)])) < 3000 * 6
