"""Gradients: the sweep, its options, and values that Theano's documentation promises."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import engine.tensor as T
from engine import (
    DisconnectedInputError,
    GradientError,
    NullGradientError,
    function,
    grad,
    gradient,
    hessian,
    jacobian,
)
from engine.errors import ParameterError, ShapeError, TypeMismatchError
from engine.grad import NullGradient
from engine.graph import walk
from engine.op import elementwise
from tests.op_table import temporary_ops


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
    with temporary_ops():
        coarse = elementwise(
            "coarse",
            doc="Whole numbers.",
            category="Tests",
            numpy=lambda x: np.round(x),
            scalar=None,
            no_grad="it jumps",
        )
        with pytest.raises(NullGradientError, match=r"coarse.*it jumps"):
            grad(T.sum(coarse(x)), x)


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


# Products with the Jacobian.


def test_right_and_left_products_with_the_jacobian() -> None:
    x, w, v = T.dvector("x"), T.dmatrix("W"), T.dmatrix("V")
    y = T.dot(x, w)
    right = function([w, v, x], T.Rop(y, w, v), on_unused_input="ignore")
    assert np.array_equal(right(np.ones((2, 2)), np.full((2, 2), 2.0), [0, 1]), [2, 2])
    u = T.dvector("u")
    left = function([w, u, x], T.Lop(y, w, u), on_unused_input="ignore")
    assert np.array_equal(left(np.ones((2, 2)), [2, 2], [0, 1]), [[0, 0], [2, 2]])


def test_hessian_times_vector_without_the_hessian() -> None:
    x, v = T.dvectors("x", "v")
    y = T.sum(x**2)
    expected = [4, 4]
    by_hand = T.grad(T.sum(T.grad(y, x) * v), x)
    for product in (by_hand, T.Rop(T.grad(y, x), x, v), T.hessian_vector_product(y, x, v)):
        f = function([x, v], product, on_unused_input="ignore")
        assert np.array_equal(f([4, 4], [2, 2]), expected)


def test_right_product_agrees_with_the_jacobian() -> None:
    x, v = T.dvectors("x", "v")
    y = T.tanh(x[::-1]) * T.exp(x).sum() + T.switch(x > 0, x, 0)
    f = function([x, v], [T.Rop(y, x, v), T.dot(T.jacobian(y, x), v)])
    along, product = f([0.3, -0.2, 1.0], [1.0, 2.0, -1.0])
    assert np.allclose(along, product, rtol=1e-12)


def test_products_take_several_functions_and_variables() -> None:
    x, y = T.dscalars("x", "y")
    f = function([x, y], T.Rop([x * y, x + y], [x, y], [T.constant(1.0), T.constant(2.0)]))
    assert [float(v) for v in f(3, 5)] == [11, 3]
    g = function([x, y], T.Lop([x * y, x + y], [x, y], [T.constant(1.0), T.constant(2.0)]))
    assert [float(v) for v in g(3, 5)] == [7, 5]


def test_eval_points_have_the_rank_of_what_they_belong_to() -> None:
    x = T.dvector("x")
    with pytest.raises(ShapeError, match="eval point of x has 0 dimensions, but x has 1"):
        T.Rop(x**2, x, 1.0)
    with pytest.raises(ParameterError, match="2 eval points were given for 1"):
        T.Lop([x**2], [x], [x, x])


# What else can be asked of a gradient.


def test_disconnected_gradients_are_given_as_asked() -> None:
    x, w = T.dscalars("x", "w")
    grads = grad(x * 2, [x, w], disconnected_inputs="ignore", return_disconnected="None")
    assert grads[1] is None
    null = grad(x, [w], disconnected_inputs="ignore", return_disconnected="Disconnected")[0]
    assert isinstance(null, NullGradient)
    assert "does not depend" in null.why
    with pytest.warns(UserWarning, match="does not depend on w"):
        assert function([], grad(x * 2, w, disconnected_inputs="warn"))() == 0
    with pytest.raises(ParameterError, match="disconnected_inputs"):
        grad(x, w, disconnected_inputs="perhaps")  # type: ignore[call-overload]


def test_null_gradients_are_returned_with_their_reason() -> None:
    x, y = T.dscalars("x", "y")
    cost = y**2 + gradient.undefined_grad(T.exp(x))
    with pytest.raises(NullGradientError, match="declared undefined"):
        grad(cost, x)
    by_x, by_y = grad(cost, [x, y], null_gradients="return")
    assert isinstance(by_x, NullGradient)
    assert "undefined" in by_x.why
    assert function([x, y], by_y)(1, 3) == 6


def test_gradients_bear_names() -> None:
    x = T.dscalar("x")
    cost = x**2
    cost.name = "cost"
    assert grad(cost, x).name == "(dcost/dx)"
    assert grad(x**2, x).name is None


def test_costs_and_variables_are_checked() -> None:
    x = T.dvector("x")
    with pytest.raises(TypeMismatchError, match="cost must be a scalar"):
        grad(x, x)
    with pytest.raises(TypeMismatchError, match="must be real"):
        grad(T.zscalar("z"), x)
    with pytest.raises(TypeMismatchError, match="by variables, not by a float"):
        grad(x.sum(), 2.0)  # type: ignore[call-overload]
    with pytest.raises(ParameterError, match="nothing to differentiate"):
        grad(None, x)


def test_known_gradients_add_to_a_cost() -> None:
    x = T.dscalar("x")
    y = x**2
    assert function([x], grad(y * 3, x, known_grads={y: 10.0}))(2) == 52


def test_a_gradient_can_be_computed_piece_by_piece() -> None:
    x, w1, w2 = T.dscalars("x", "w1", "w2")
    hidden = T.tanh(x * w1)
    cost = (hidden * w2) ** 2
    (by_w2,), ends = gradient.subgraph_grad([w2], [hidden], cost=cost)
    (by_w1,), _ = gradient.subgraph_grad([w1], [x], start={hidden: ends[0]})
    whole = grad(cost, [w1, w2])
    f = function([x, w1, w2], [by_w1, by_w2, *whole])
    a, b, c, d = f(0.5, 0.7, -1.2)
    assert np.allclose([a, b], [c, d])


@pytest.mark.parametrize(
    ("op", "expected"),
    [
        (gradient.zero_grad, 0.0),
        (gradient.consider_constant, 0.0),
        (lambda x: gradient.grad_clip(x, -1, 1), 1.0),
        (lambda x: gradient.grad_scale(x, -2), -12.0),
    ],
)
@pytest.mark.parametrize("floatX", ["float64", "float32"])
def test_ops_that_bend_the_gradient(op: Any, expected: float, floatX: str) -> None:
    x = T.TensorType(floatX)("x")
    bent = op(x)
    assert function([x], bent**2)(3) == 9
    slope = grad(bent**2, x)
    assert slope.dtype == floatX
    assert function([x], slope, on_unused_input="ignore")(3) == expected


def test_nothing_flows_through_a_disconnected_gradient() -> None:
    x = T.dscalar("x")
    assert function([x], grad(x * gradient.disconnected_grad(x), x))(3) == 3
    with pytest.raises(DisconnectedInputError):
        grad(gradient.disconnected_grad(x), x)


def test_jacobians_by_several_variables_and_of_what_is_constant() -> None:
    x, y = T.dvectors("x", "y")
    by_x, by_y = function([x, y], T.jacobian(x * y, [x, y]))([1, 2], [3, 4])
    assert by_x.tolist() == [[3, 0], [0, 4]]
    assert by_y.tolist() == [[1, 0], [0, 2]]
    assert function([x], T.hessian(x.sum(), x))([1, 2]).tolist() == [[0, 0], [0, 0]]
    m = T.dmatrix("m")
    assert function([m], T.jacobian(m.sum(axis=0), m))(np.ones((2, 3))).shape == (3, 2, 3)


# Gradients held against finite differences.


def test_a_right_gradient_is_verified() -> None:
    rng = np.random.default_rng(3)
    T.verify_grad(lambda x, y: T.tanh(T.dot(x, y)), [rng.normal(size=(2, 3)), rng.normal(size=3)])
    T.verify_grad(T.sigmoid, [rng.normal(size=4).astype("float32")], rng=np.random.RandomState(5))


def test_a_wrong_gradient_is_told() -> None:
    with pytest.raises(GradientError, match=r"input 0 at \(0,\) is .* finite differences say"):
        T.verify_grad(lambda x: gradient.grad_scale(x**2, 1.5), [np.array([2.0])])
    with pytest.raises(ParameterError, match="int64"):
        T.verify_grad(lambda x: x, [np.arange(3)])


def test_numeric_gradient_is_of_arrays() -> None:
    (slope,) = gradient.numeric_grad(lambda p: (p[0] ** 2).sum(), [np.array([1.0, -2.0])])
    assert np.allclose(slope, [2, -4], atol=1e-5)
