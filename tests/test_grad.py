"""Gradients: the sweep, its options, and values that Theano's documentation promises."""

from __future__ import annotations

from collections.abc import Callable
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
    shared,
)
from engine.codegen import compile_graph
from engine.codegen.numpy import interpret
from engine.errors import ParameterError, ShapeError, TypeMismatchError
from engine.expression import Variable, walk
from engine.grad import NullGradient
from engine.graph import Graph
from engine.ifelse import ifelse
from engine.makers import elementwise
from engine.printing import pp
from engine.rewrite import optimize
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


def test_derivatives_by_a_tuple_are_a_tuple() -> None:
    x, y = T.dvectors("x", "y")
    cost = (x * y).sum()
    for form in (list, tuple):
        by = form([x, y])
        found = (
            grad(cost, by),
            grad(cost, by, known_grads={cost: 2.0}),
            jacobian(x * y, by),
            hessian((x**2 * y**2).sum(), by),
            T.Lop(x * y, by, x),
            T.Rop(by, x, x, disconnected_outputs="ignore"),
            T.hessian_vector_product((x * y**2).sum(), by, [x, y]),
        )
        assert [type(several) for several in found] == [form] * 7


# Gradients held against finite differences.


def test_a_right_gradient_is_verified() -> None:
    rng = np.random.default_rng(3)
    T.verify_grad(lambda x, y: T.tanh(T.dot(x, y)), [rng.normal(size=(2, 3)), rng.normal(size=3)])
    T.verify_grad(T.sigmoid, [rng.normal(size=4).astype("float32")], rng=np.random.RandomState(5))


def test_points_that_stretch_are_verified() -> None:
    rng = np.random.default_rng(3)
    T.verify_grad(T.mul, [rng.normal(size=(2, 3)), rng.normal(size=(1, 3))])


def test_differences_of_a_long_float32_sum_do_not_drown_in_rounding() -> None:
    rng = np.random.default_rng(3)
    x, shift, scale = (rng.uniform(1, 2, s).astype("float32") for s in ((40, 50), 50, 50))
    T.verify_grad(lambda x, m, v: 100 * (x - m) / v, [x, shift, scale])


def test_a_wrong_gradient_is_told() -> None:
    with pytest.raises(GradientError, match=r"input 0 at \(0,\) is .* finite differences say"):
        T.verify_grad(lambda x: gradient.grad_scale(x**2, 1.5), [np.array([2.0])])
    with pytest.raises(ParameterError, match="int64"):
        T.verify_grad(lambda x: x, [np.arange(3)])


def test_numeric_gradient_is_of_arrays() -> None:
    (slope,) = gradient.numeric_grad(lambda p: (p[0] ** 2).sum(), [np.array([1.0, -2.0])])
    assert np.allclose(slope, [2, -4], atol=1e-5)


# Choices: what is not taken says nothing, also where its slope is infinite or NaN.


def both_ways(output: Variable, values: dict[Variable, object]) -> list[Any]:
    """The value as it stands, after rewriting, and by kernels: all the same, NaN nowhere."""
    arrays = {v: np.asarray(a, v.dtype) for v, a in values.items()}
    (plain,) = interpret([output], arrays)
    graph = Graph(list(arrays), [output])
    film = optimize(graph)
    assert film.warnings == []
    (rewritten,) = interpret(graph.outputs, dict(zip(graph.inputs, arrays.values(), strict=True)))
    native = compile_graph(graph, {v: a.shape for v, a in arrays.items()})
    for v, a in arrays.items():
        native.inputs[v][...] = a
    native.call()
    assert not np.isnan(plain).any()
    np.testing.assert_allclose(rewritten, plain, rtol=1e-12, atol=1e-300)
    np.testing.assert_allclose(native.outputs[0], plain, rtol=1e-12, atol=1e-300)
    found: list[Any] = plain.tolist()
    return found


CHOICES: dict[str, tuple[Callable[[Variable], Variable], list[float], list[float]]] = {
    "a root below its start": (
        lambda x: T.switch(x < 7, x, T.sqrt(x - 7)), [5, 11, 7.25], [1, 0.25, 1]
    ),
    "a root of nothing": (lambda x: T.switch(x > 0, T.sqrt(x), 0), [-1, 0, 4], [0, 0, 0.25]),
    "a quotient at its gap": (
        lambda t: T.switch(T.eq(t, 0), 1, T.sin(t) / t),
        [0, np.pi, 1],
        [0, -1 / np.pi, np.cos(1) - np.sin(1)],
    ),
    "one in another": (
        lambda x: T.switch(x > 0, T.switch(x > 1, T.log(x - 1), T.sqrt(x)), 3 * x),
        [-1, 0, 0.25, 1, 3],
        [3, 3, 1, 0.5, 0.5],
    ),
    "a chain of several": (
        lambda x: T.switch(x > 0, T.exp(2 * T.log(T.sqrt(x))), -x), [-2, 0, 9], [-1, -1, 1]
    ),
    "an overflow": (
        lambda x: T.switch(x > 20, x, T.log1p(T.exp(x))), [1000, 0], [1, 0.5]
    ),
    "a power": (lambda x: T.switch(x > 0, x**0.5 + x**-2, x), [-1, 0, 1], [1, 1, -1.5]),
    "special functions": (
        lambda x: T.switch(x > 0, T.gammaln(x) + T.arcsin(1 / (1 + x)), 0),
        [-1, 0, 1],
        [0, 0, -np.euler_gamma - 0.25 / np.sqrt(0.75)],
    ),
    "beneath other ops": (
        lambda x: T.tanh(2 * T.switch(x > 0, 1 / x, x) - 1),
        [0, 1],
        [2 / np.cosh(1) ** 2, -2 / np.cosh(1) ** 2],
    ),
    "read twice": (
        lambda x: T.switch(x > 0, T.sqrt(x) * T.log(T.sqrt(x)), 0) + 2 * x, [0, 1], [2, 2.5]
    ),
    "clipped": (lambda x: T.clip(T.log(x), -5, 5), [0, 1, np.exp(6)], [0, 1, 0]),
}  # fmt: skip


@pytest.mark.parametrize("name", CHOICES)
def test_a_branch_that_is_not_taken_spoils_no_gradient(name: str) -> None:
    choice, at, slopes = CHOICES[name]
    x = T.dvector("x")
    found = both_ways(grad(T.sum(choice(x)), x), {x: at})
    assert found == pytest.approx(slopes, rel=1e-12, abs=1e-15)


@pytest.mark.parametrize(
    ("choice", "at", "expected"),
    [
        (lambda x: T.switch(x > 0, T.sqrt(x), 0), [-1, 0, 4], [0, 0, -1 / 32]),
        (lambda x: T.switch(x < 7, x**3, T.log(x - 7)), [2, 7.5, 5], [12, -4, 30]),
        # The slope of the square is 0 at 0, and yet it is taken.
        (lambda x: T.switch(x > -1, T.sqr(T.sin(x)), T.log(x)), [0], [2]),
        (
            lambda x: T.switch(x > 0, T.switch(x > 1, T.log(x - 1), T.sqrt(x)), x),
            [-1, 0, 1, 3],
            [0, 0, -0.25, -0.25],
        ),
        (lambda t: T.switch(T.eq(t, 0), 1, T.sin(t) / t), [0, np.pi], [0, 2 / np.pi**2]),
    ],
)
def test_nor_a_second_derivative(
    choice: Callable[[Variable], Variable], at: list[float], expected: list[float]
) -> None:
    x = T.dvector("x")
    second = grad(T.sum(grad(T.sum(choice(x)), x)), x)
    assert both_ways(second, {x: at}) == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_nor_a_third_one() -> None:
    x = T.dscalar("x")
    y = T.switch(x > 0, T.sqrt(x), 0)
    for _ in range(3):
        y = grad(y, x)
    assert both_ways(y, {x: 0.0}) == 0
    assert both_ways(y, {x: 4.0}) == pytest.approx(3 / 8 * 4**-2.5)


def test_missing_data_behind_a_mask_reaches_no_weight() -> None:
    w, b = T.dscalars("w", "b")
    x, t = T.dvectors("x", "t")
    error = T.switch(T.isnan(t), 0, T.sqr(w * x + b - t))
    values = {w: 2.0, b: 1.0, x: [1.0, 2.0, np.inf], t: [4.0, 3.0, np.nan]}
    assert both_ways(grad(T.sum(error), b), values) == 2 * (3 - 4) + 2 * (5 - 3)
    rows = T.switch(T.isnan(t), 0, T.sum(T.sqr(T.outer(t, x) - w), axis=1))
    values |= {x: [1.0, 2.0]}
    assert both_ways(grad(T.sum(rows), w), values) == 2 * (2 - 4 + 2 - 8 + 2 - 3 + 2 - 6)


def test_a_lazy_choice_keeps_the_other_branch_out_too() -> None:
    x = T.dscalar("x")
    g = grad(ifelse(x > 0, T.sqrt(x), 3 * x), x)
    assert [interpret([g], {x: at})[0] for at in (0.0, 4.0, -1.0)] == [3, 0.25, 3]


def test_masked_costs_stay_exact_where_probabilities_vanish() -> None:
    z, t, m = T.dvectors("z", "t", "m")
    p = 1 / (1 + T.exp(-z))
    surprise = -(t * T.log(p) + (1 - t) * T.log(1 - p))
    masked = function([z, t, m], grad(T.sum(T.switch(m, surprise, 0)), z))
    at = [1000, -1000, 0, 1000], [0, 1, 1, 0], [1, 1, 1, 0]
    assert masked(*at).tolist() == [1, -1, -0.5, 0]
    scores, truth = T.dmatrices("scores", "truth")
    row = -T.sum(truth * T.log(T.softmax(scores)), axis=1)
    masked = function([scores, truth, m], grad(T.sum(T.switch(m, row, 0)), scores))
    found = masked([[1000, 0, -1000], [0, 1000, 0]], [[0, 0, 1], [1, 0, 0]], [1, 0])
    assert found.tolist() == [[1, 0, -1], [0, 0, 0]]


def test_what_is_only_asked_for_in_a_condition_has_slope_zero() -> None:
    x, y, w = T.dvectors("x", "y", "w")
    cost = T.sum(T.switch(T.tanh(w * x) > 0, y, 2 * y))
    by_x, by_y, by_w = function([x, y, w], grad(cost, [x, y, w]))([1, -1], [3, 4], [1, 1])
    assert (by_x.tolist(), by_y.tolist(), by_w.tolist()) == ([0, 0], [1, 2], [0, 0])
    # Nothing of the condition is left where there is a real path as well.
    assert "tanh" not in pp(grad(T.sum(T.switch(T.tanh(x) > 0, x, 0)), x)).replace(
        "tanh(x) > 0", ""
    )


def test_a_condition_that_has_no_path_has_none_either() -> None:
    x, y = T.dscalars("x", "y")
    with pytest.raises(DisconnectedInputError):
        grad(T.switch(gradient.disconnected_grad(x) > 0, y, 0), x)


@pytest.mark.parametrize(
    ("x_at", "y_at", "by_x", "by_y"),
    [(0, 0, 0, 0), (0, 1, 1, 0), (0, 2, 0, 0), (0, 0.5, np.inf, 0), (2, 0, 0, np.log(2)),
     (2, 3, 12, 8 * np.log(2)), (-2, 2, -4, np.nan)],
)  # fmt: skip
def test_powers_have_sane_slopes_at_zero(
    x_at: float, y_at: float, by_x: float, by_y: float
) -> None:
    x, y = T.dscalars("x", "y")
    found = interpret(grad(x**y, [x, y]), {x: x_at, y: y_at})
    np.testing.assert_allclose([float(v) for v in found], [by_x, by_y])
    (fixed,) = interpret([grad(x**y_at, x)], {x: x_at})
    np.testing.assert_allclose(fixed, by_x)


def test_ordinary_gradients_are_guarded_by_nothing() -> None:
    x, y = T.dvectors("x", "y")
    cost = T.sum(T.maximum(x / y, 0) * T.log(abs(x)) + x**2)
    assert "multiply_no_nan" not in pp(grad(cost, x))


def test_nothing_is_computed_for_what_has_no_slope() -> None:
    x, w = T.dvectors("x", "w")
    y = T.switch(x > 0, T.floor(T.exp(w * x)) + T.round(x) * 2, x)
    graph = Graph([x, w], grad(T.sum(y), [x, w]))
    optimize(graph)
    assert not {"exp", "floor", "multiply_no_nan"} & {node.op.name for node in graph.applies}
    found = interpret(graph.outputs, {x: [1.5, -2], w: [1, 1]})
    assert [v.tolist() for v in found] == [[0, 1], [0, 0]]


def test_a_gradient_stretches_where_its_variable_does() -> None:
    x = T.dtensor4("x")
    w = shared(np.ones((2, 1, 1, 3)), broadcastable=(False, True, True, False))
    cost = T.nnet.conv2d(x, w).sum()
    by_w = grad(cost, w)
    assert by_w.broadcastable == w.broadcastable
    step = function([x], [], updates=[(w, w - by_w)])
    step(np.ones((1, 1, 2, 4)))
    np.testing.assert_array_equal(w.get_value(), np.full((2, 1, 1, 3), -3.0))
    column = T.dcol("column")
    pooled = T.signal.pool.pool_2d(column, (2, 1), ignore_border=True, mode="sum")
    assert grad(pooled.sum(), column).broadcastable == (False, True)
