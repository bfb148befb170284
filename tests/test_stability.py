"""Each law of stability is needed; after it the value is right to a few units of the last place.

Where the formula as it is written overflows, vanishes or has lost its digits, the rewritten one
agrees with what the formula means, computed with 800 digits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import engine.tensor as T
from engine import function, grad, scan
from engine.codegen.numpy import interpret
from engine.expression import Variable
from engine.graph import Graph
from engine.rewrite import RULES, optimize
from engine.rewrite.driver import Driver
from engine.rewrite.phases import stabilize
from tests.exact import errors_in_ulp, meaning

Array = np.ndarray[Any, Any]

WRONG = 1000
"""Units of the last place from which on a value counts as wrong."""

FEW = 20
"""Units that are missing of an exponential in float32 whose exponent is rounded."""

RIGHT = 8
"""Units of the last place up to which a value counts as right."""


@dataclass(frozen=True)
class Case:
    """Values at which a law is needed, a list for each of the variables that it is drawn with.

    float32: those of float32, where they are others.  beside: whether the result may be what is
    left of numbers as large as the largest of the values.  near: how many units may be missing.
    wrong: how many units are missing as it is written.
    """

    values: tuple[Any, ...]
    float32: tuple[Any, ...] | None = None
    beside: bool = False
    near: float = RIGHT
    wrong: float = WRONG

    def of(self, dtype: str) -> list[Array]:
        """The values in the dtype."""
        own = self.float32 if dtype == "float32" and self.float32 is not None else self.values
        return [np.array(v, dtype) for v in own]


TINY = [1e-20, -1e-20, 1e-9]
LARGE = [1000.0, -1000.0, 0.5]
SMALL_OR_LARGE = [1e-20, 1000.0, -0.25]
ROWS = [[1000.0, 1001.0, 1002.0], [-1000.0, -1001.0, -1002.0], [0.0, 1000.0, -1000.0]]
FAR = [[1e9, 1e9 + 1, 1e9 + 3], [-1e9, 5 - 1e9, 2 - 1e9]]
FAR32 = [[4096.0, 4096.25, 4096.75], [-4096.0, -4095.0, -4095.5]]

NEEDED: dict[str, Case] = {
    # Logarithms and exponentials
    "log_of_exp": Case((LARGE,)),
    "log_of_one_plus_exp": Case((LARGE,)),
    "log_of_exp_plus_exp": Case(([1000.0, -1000.0, 1000.0], [1000.0, -1001.0, -1000.0])),
    "log_of_exp_minus_exp": Case(([1000.0, 800.0, 0.0], [999.0, 1.0, -2.0])),
    "log_of_one_plus": Case((TINY,)),
    "log_of_one_minus": Case((TINY,)),
    "exp_minus_one": Case((TINY,)),
    "one_minus_exp": Case((TINY,)),
    "log1p_of_exp": Case((LARGE,)),
    "log1p_of_minus_exp": Case(([*SMALL_OR_LARGE[:2], 1e-3],)),
    "log_of_minus_expm1": Case(([600.0, 1e-20, 50.0],), ([80.0, 1e-20, 50.0],)),
    "log_of_expm1": Case(([1000.0, 800.0, 1e-3],)),
    "log1p_of_expm1": Case((LARGE,)),
    "expm1_of_log1p": Case(([1e300, 3e250, 1e200],), ([1e38, 3e37, 2e38],), near=1, wrong=FEW),
    "exp_of_log1p": Case(([1e300, 3e250, 1e200],), ([1e38, 3e37, 2e38],), wrong=FEW),
    "exp_of_log": Case(([1e300, 3e-250, 1e200],), ([1e38, 3e-37, 2e38],), near=1, wrong=FEW),
    "exp_of_minus_log": Case(([1e300, 3e-250, 1e200],), ([1e37, 3e-37, 2e37],), wrong=FEW),
    "exp_of_multiple_of_log": Case(
        ([3.7, 1e3, 1e-3], [500.3, 99.5, 99.5]), ([3.7, 1e3, 1e-3], [60.3, 12.5, 12.0]), wrong=FEW
    ),
    "root_of_exp": Case(([1000.0, -1000.0, 1.0],), ([150.0, -150.0, 1.0],)),
    "log_of_square": Case(([1e200, -1e-200, 3.0],), ([1e30, -1e-30, 3.0],)),
    "log_of_product_of_all": Case(([1e-200, 1e-210, 3.0],), ([1e-30, 1e-35, 3.0],)),
    "log_of_odds": Case(([0.5 + 1e-12, 0.5 - 1e-9, 0.5],), ([0.5 + 6e-8, 0.5 - 1.7e-6, 0.5],)),
    "log_of_sum_of_exp": Case((ROWS,)),
    "log_of_mean_of_exp": Case((ROWS,)),
    "log_of_weighted_sum_of_exp": Case((ROWS, [[1.0, 2.0, 0.5]] * 3)),
    "multiply_exponentials": Case(([1000.0, -1000.0], [999.5, -998.0])),
    "log_of_sum_of_exponentials": Case(([1000.0, -1000.0, 3.0], [800.0, 900.0, -1.0])),
    "log_of_product_with_exponential": Case(
        ([800.0, 1000.0, 2.0], [900.0, -1000.0, 1.0]), beside=True
    ),
    "log_before_moving": Case((ROWS[::-1],)),
    "logarithm_to_another_base": Case((LARGE,)),
    "entropy_of_exponential": Case(([0.5, 0.0, 2.0], [-1000.0, -2000.0, 1.0])),
    # Sigmoids
    "one_over_one_plus_exp_of_negative": Case(([-720.0, 1000.0],), ([-95.0, 1000.0],)),
    "exp_over_one_plus_exp": Case((LARGE,)),
    "one_over_one_plus_exp": Case(([720.0, 1000.0],), ([95.0, 1000.0],)),
    "one_minus_sigmoid": Case(([1000.0, 40.0, 700.0],), ([1000.0, 40.0, 80.0],)),
    "exp_times_sigmoid_of_opposite": Case((LARGE,)),
    "log_of_sigmoid": Case((LARGE,)),
    "log1p_of_minus_sigmoid": Case((LARGE,)),
    "log_of_one_minus_sigmoid": Case((LARGE,)),
    "logit_of_sigmoid": Case((LARGE,)),
    "exp_over_exp_plus_exp": Case(([1000.0, -1000.0, 3.0], [999.0, -1000.0, 2.0])),
    # Exponentials beside their sum
    "exp_over_sum_of_exp": Case((ROWS,)),
    "exp_over_restored_sum_of_exp": Case((ROWS,)),
    "exp_over_sum_of_exp_of_vector": Case((ROWS[0],)),
    "weighted_sum_over_sum_of_exp": Case(([[1.0, 2.0, 0.5]] * 3, ROWS)),
    "exp_over_softmax": Case(([[0.0, 800.0 - 100, -100.0]],), ([[0.0, 80.0, -40.0]],)),
    "log_of_softmax": Case((ROWS,)),
    "largest_before_softmax": Case(([[1e-17, 2e-17, 0.0]],)),
    "exp_of_logsoftmax": Case(
        ([[0.0, 0.0, -600.3]],), ([[0.0, 0.0, -80.3, -85.7, -63.1, -70.9]],), wrong=FEW
    ),
    "difference_from_logsumexp": Case((ROWS,), wrong=FEW),
    "take_shift_out": Case(([[10.0, 10.3, 9.6]],), ([[5.0, 5.3, 4.6]],)),
    # Hyperbolic and circular functions
    "difference_over_sum_of_exp": Case((LARGE,)),
    "sinh_over_sum_of_exp": Case((LARGE,)),
    "sinh_over_cosh": Case((LARGE,)),
    "exp_minus_one_over_exp_plus_one": Case((LARGE,)),
    "one_minus_exp_over_one_plus_exp": Case((LARGE,)),
    "expm1_over_exp_plus_one": Case((LARGE,)),
    "exp_minus_exp_of_opposite": Case((TINY,)),
    "half_of_exp_plus_exp_of_opposite": Case(([710.2, -710.1],), ([89.2, -89.1],)),
    "one_plus_tanh": Case(([-20.0, -300.0, 1.0],), ([-20.0, -40.0, 1.0],)),
    "one_minus_tanh": Case(([20.0, 300.0, 1.0],), ([20.0, 40.0, 1.0],)),
    "twice_sigmoid_minus_one": Case((TINY,)),
    "sigmoid_minus_one_half": Case((TINY,)),
    "sigmoid_minus_sigmoid_of_opposite": Case((TINY,)),
    "softplus_minus_softplus_of_opposite": Case((TINY,)),
    "one_minus_cos": Case((TINY,)),
    "cos_minus_one": Case((TINY,)),
    "log_of_one_plus_over_one_minus": Case((TINY,)),
    "log_of_sum_with_root": Case(([1e200, -1e9, -30.0],), ([1e30, -1e9, -300.0],)),
    "log_of_sum_with_smaller_root": Case(([1e200, 3.0],), ([1e30, 3.0],)),
    "log_of_cosh": Case((LARGE,)),
    "arcsinh_of_sinh": Case((LARGE,)),
    "arctanh_of_tanh": Case(([20.0, -300.0, 1.0],)),
    # Tails of the normal distribution
    "one_minus_erf": Case(([10.0, 6.5],)),
    "erf_minus_one": Case(([10.0, 6.5],)),
    "one_minus_erfc": Case((TINY,)),
    "log_of_erfc": Case(([30.0, 300.0, -1.0],)),
    "bell_over_erfc": Case(([30.0, 300.0, 1.0],)),
    "one_plus_erf": Case(([-10.0, -6.5],)),
    "two_minus_erfc": Case(([-10.0, -6.5],)),
    "erfc_minus_one": Case((TINY,)),
    # Determinants
    "log_of_determinant": Case((np.diag([1e-200, 1e-210, 3.0]),), (np.diag([1e-30, 1e-35, 3.0]),)),
    "log_of_size_of_determinant": Case(
        (np.diag([1e200, -1e210, 3.0]),), (np.diag([1e30, -1e35, 3.0]),)
    ),
    # Variances
    "variance_by_two_passes": Case((FAR,), (FAR32,)),
    "covariance_by_two_passes": Case((FAR, FAR[::-1]), (FAR32, FAR32[::-1]), near=16),
}

OF_SLOPES = {
    "cancel_shared_factors",
    "multiply_quotients_by_their_divisors",
    "slope_of_crossentropy",
    "falling_slope_of_crossentropy",
    "multiply_by_what_was_picked",
}
"""Laws for what differentiating leaves; those tests differentiate."""


def test_every_law_of_stability_is_shown_to_be_needed() -> None:
    assert NEEDED.keys() | OF_SLOPES == {rule.name for rule in stabilize.rules}
    assert not NEEDED.keys() & OF_SLOPES


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", NEEDED)
def test_wrong_as_it_is_written_and_right_after_the_law(name: str, dtype: str) -> None:
    rule, case = RULES[name], NEEDED[name]
    drawn = case.of(dtype)
    variables, left, _ = rule.drawn(dtype, drawn[0].ndim)
    values = dict(zip(variables, drawn, strict=True))
    (right,) = meaning([left], values)
    (written,) = interpret([left], values)
    assert errors_in_ulp(written, right) > case.wrong
    beside = max(float(abs(v).max()) for v in drawn) if case.beside else 0.0
    ruled = Graph(variables, [left])
    driver = Driver(ruled, steps=100, seconds=60, check=True)
    driver.run(rule.phase, [RULES["merge_equal_nodes"], rule])
    assert name in {step.rule for step in driver.film}
    whole = Graph(variables, [left])
    optimize(whole, check=True)
    for graph in (ruled, whole):
        (found,) = interpret(graph.outputs, values)
        assert found.dtype == left.dtype
        assert errors_in_ulp(found, right, beside=beside) <= case.near, (found, right)


# Costs and their slopes


def at_labels(v: Variable, labels: Variable) -> Variable:
    return v[T.arange(labels.shape[0]), labels]


def by_hand(x: Variable) -> Variable:
    return T.exp(x) / T.exp(x).sum(axis=1, keepdims=True)


def shifted_by_hand(x: Variable) -> Variable:
    e = T.exp(x - x.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def binary(s: Variable, truth: Variable) -> Variable:
    return -(truth * T.log(s) + (1 - truth) * T.log(1 - s))


COSTS: dict[str, Callable[[Variable, Variable, Variable], Variable]] = {
    "log, then labels": lambda x, y, t: -at_labels(T.log(T.nnet.softmax(x)), y).mean(),
    "labels, then log": lambda x, y, t: -T.log(at_labels(T.nnet.softmax(x), y)).mean(),
    "by hand with labels": lambda x, y, t: -T.log(at_labels(by_hand(x), y)).sum(),
    "categorical_crossentropy, labels": lambda x, y, t: T.nnet.categorical_crossentropy(
        T.nnet.softmax(x), y
    ).mean(),
    "categorical_crossentropy, dense": lambda x, y, t: T.nnet.categorical_crossentropy(
        T.nnet.softmax(x), t
    ).mean(),
    "dense": lambda x, y, t: -T.sum(t * T.log(by_hand(x))),
    "dense, shifted": lambda x, y, t: -T.sum(t * T.log(shifted_by_hand(x))),
    "binary_crossentropy": lambda x, y, t: T.nnet.binary_crossentropy(T.nnet.sigmoid(x), t).mean(),
    "binary by hand": lambda x, y, t: binary(1 / (1 + T.exp(-x)), t).sum(),
    "logsumexp": lambda x, y, t: T.log(T.exp(x).sum(axis=1)).sum(),
    "softplus": lambda x, y, t: T.log(1 + T.exp(x)).sum(),
    "log-sigmoid": lambda x, y, t: T.log(T.nnet.sigmoid(x)).sum(),
}
LOGITS = np.array([[1000.0, 0.0, -900.0], [0.25, -800.0, 3.0], [2.0, 2.5, 1.0]])
LABELS = np.array([1, 1, 2])
TRUTH = np.array([[0.0, 1.0, 0.0], [0.5, 0.5, 0.0], [0.25, 0.0, 0.75]])


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", COSTS)
def test_costs_and_their_slopes_are_right_for_extreme_logits(name: str, dtype: str) -> None:
    x, t = T.TensorType(dtype, (None, None))("x"), T.TensorType(dtype, (None, None))("t")
    y = T.lvector("y")
    cost = COSTS[name](x, y, t)
    outputs = [cost, grad(cost, x)]
    graph = Graph([x, y, t], outputs)
    optimize(graph, check=True)
    values = {x: LOGITS.astype(dtype), y: LABELS, t: TRUTH.astype(dtype)}
    for found, right in zip(
        interpret(graph.outputs, values), meaning(outputs, values), strict=True
    ):
        assert errors_in_ulp(found, right, beside=0.25) <= RIGHT, (found, right)


def test_tails_have_right_slopes() -> None:
    x = T.dvector("x")
    cost = T.log(T.erfc(x)).sum()
    graph = Graph([x], [grad(cost, x)])
    optimize(graph, check=True)
    values = {x: np.array([30.0, 300.0, 1.0, -3.0])}
    (found,), (right,) = interpret(graph.outputs, values), meaning([grad(cost, x)], values)
    assert errors_in_ulp(found, right) <= 2 * RIGHT


# Everywhere


@pytest.mark.parametrize(("dtype", "largest"), [("float64", 708.0), ("float32", 87.0)])
def test_odds_are_right_wherever_they_are_finite(dtype: str, largest: float) -> None:
    """Of sigmoid(x) and sigmoid(-x) never more than one vanishes: no exponential is needed."""
    x = T.TensorType(dtype, (None,))("x")
    s = T.nnet.sigmoid(x)
    odds = [s / (1 - s), (1 - s) / s, s / (-s + 1)]
    graph = Graph([x], odds)
    optimize(graph, check=True)
    values = {x: np.array([largest, 40, 1e-20, -0.5, -40, -largest], dtype)}
    for found, right in zip(interpret(graph.outputs, values), meaning(odds, values), strict=True):
        assert errors_in_ulp(found, right) <= RIGHT, (found, right)


@pytest.mark.parametrize("mode", ["FAST_COMPILE", "FAST_RUN", "NUMPY", "NUMBA"])
def test_laws_hold_in_every_mode(mode: str) -> None:
    x = T.dvector("x")
    f = function([x], [T.log(1 + T.exp(x)), T.log(T.nnet.sigmoid(x)), 1 - T.erf(x)], mode=mode)
    softplus, log_sigmoid, tail = f([1000.0, -1000.0, 10.0])
    np.testing.assert_allclose(softplus, [1000, 0, 10.000045398899218], rtol=1e-15)
    np.testing.assert_allclose(log_sigmoid, [0, -1000, -4.539889921686465e-05], rtol=1e-15)
    np.testing.assert_allclose(tail, [0, 2, 2.088487583762545e-45], rtol=1e-12)


def test_laws_hold_inside_of_loops() -> None:
    x = T.dvector("x")
    trace, _ = scan(lambda e, last: last + T.log(1 + T.exp(e)), x, T.zeros(()))
    total = function([x], trace[-1])([1000.0, -1000.0, 1000.0])
    np.testing.assert_allclose(total, 2000, rtol=1e-15)


SEVERAL_AXES: dict[str, Callable[[Variable], Variable]] = {
    "all": lambda x: T.exp(x) / T.exp(x).sum(),
    "first": lambda x: T.exp(x) / T.exp(x).sum(axis=0),
    "two": lambda x: T.exp(x) / T.exp(x).sum(axis=(0, 2), keepdims=True),
    "put back": lambda x: T.exp(x) / T.exp(x).sum(axis=(0, 2)).dimshuffle("x", 0, "x"),
    "inverse": lambda x: T.exp(x) * T.inv(T.exp(x).sum(axis=1, keepdims=True)),
    "shifted": lambda x: T.exp(x - x.max()) / T.exp(x - x.max()).sum(),
    "by logarithm": lambda x: T.exp(x - T.log(T.exp(x).sum(axis=2, keepdims=True))),
    "scaled": lambda x: 3 * T.exp(x) / T.exp(x).sum(axis=-1, keepdims=True),
}


@pytest.mark.parametrize("name", SEVERAL_AXES)
def test_softmax_is_found_over_any_axes(name: str) -> None:
    x = T.dtensor3("x")
    written = SEVERAL_AXES[name](x)
    graph = Graph([x], [written])
    optimize(graph, check=True)
    assert "softmax" in {node.op.name for node in graph.applies}
    values = {x: 1000 + np.arange(12.0).reshape(2, 3, 2)}
    (found,), (right,) = interpret(graph.outputs, values), meaning([written], values)
    assert errors_in_ulp(found, right) <= RIGHT


LOGARITHMS: dict[str, Callable[[Variable], Variable]] = {
    "of the largest": lambda x: T.log(T.nnet.softmax(x).min(axis=1)),
    "turned": lambda x: T.log(T.nnet.softmax(x).T),
    "chosen": lambda x: T.log(T.switch(x > 0, T.nnet.softmax(x), 1.0)),
    "of a product": lambda x: T.log(T.prod(T.nnet.sigmoid(x), axis=1)),
    "of a mean": lambda x: T.log(T.exp(x).mean(axis=1)),
    "of a quotient": lambda x: T.log(T.exp(x[0]) / T.exp(x).sum(axis=0)),
    "of three": lambda x: T.log(T.exp(x[0]) + 2 * T.exp(x[1]) + T.exp(x[2])),
    "of one and two": lambda x: T.log(1 + T.exp(x[0]) + T.exp(x[1])),
    "shifted by hand": lambda x: (
        x.max(axis=1) + T.log(T.exp(x - x.max(axis=1, keepdims=True)).sum(axis=1))
    ),
    "of the odds": lambda x: T.log(T.nnet.sigmoid(x) / (1 - T.nnet.sigmoid(x))),
    "of a cosh": lambda x: T.log(T.exp(x) + T.exp(-x)),
    "of the normal distribution": lambda x: T.log(0.5 * (1 + T.erf(x * 0.01 / 2**0.5))),
}


@pytest.mark.parametrize("name", LOGARITHMS)
def test_logarithms_of_exponentials_are_right(name: str) -> None:
    x = T.dmatrix("x")
    written = LOGARITHMS[name](x)
    graph = Graph([x], [written])
    optimize(graph, check=True)
    values = {x: np.array(ROWS[::-1])}
    (found,), (right,) = interpret(graph.outputs, values), meaning([written], values)
    beside = 1000.0 if name == "of a quotient" else 1.0
    assert errors_in_ulp(found, right, beside=beside) <= RIGHT, (found, right)


def test_axes_are_the_same_however_they_are_counted() -> None:
    x, w = T.dmatrix("x"), T.dmatrix("w")
    mean = T.sum(w * T.exp(x), axis=1, keepdims=True) / T.sum(T.exp(x), axis=-1, keepdims=True)
    graph = Graph([x, w], [mean])
    optimize(graph, check=True)
    assert "softmax" in {node.op.name for node in graph.applies}


@pytest.mark.parametrize("axis", [0, -1])
def test_axes_of_weights_with_more_of_them_are_not_those_of_the_exponentials(axis: int) -> None:
    x, w = T.dvector("x"), T.dmatrix("w")
    weighted = T.sum(w * T.exp(x), axis=axis, keepdims=True)
    mean = weighted / T.sum(T.exp(x), axis=0, keepdims=True)
    graph = Graph([x, w], [mean])
    assert optimize(graph, check=True).warnings == []
    values = {x: np.array([0.5, 1.0, -2.0]), w: np.arange(6.0).reshape(2, 3)}
    np.testing.assert_allclose(interpret(graph.outputs, values), interpret([mean], values))
