"""Numbers that Theano's documentation and source promise, each checked as it is told there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.signal import convolve2d

import engine
import engine.tensor as T
from engine import In, function, grad, pp, shared
from engine.errors import ShapeError, TypeMismatchError
from engine.expression import Variable, walk
from engine.tensor.shared_randomstreams import RandomStreams

Array = np.ndarray[Any, Any]


def ops_of(f: Any) -> list[str]:
    """The names of the ops of an optimised function, in order."""
    return [node.op.name for node in f.graph.toposort()]


def evaluated(make: Callable[[Variable], Variable], x: Any) -> Array:
    """The optimised value of an expression of one float64 tensor."""
    array = np.asarray(x, "float64")
    v = T.TensorType("float64", (None,) * array.ndim)("x")
    found: Array = function([v], make(v))(array)
    return found


# Tutorial: adding, examples.


def test_01_scalars_add_up_and_a_function_gives_an_array() -> None:
    x, y = T.dscalars("x", "y")
    f = function([x, y], x + y)
    assert f(2, 3) == 5.0
    assert np.allclose(f(16.3, 12.1), 28.4)
    assert isinstance(f(2, 3), np.ndarray)
    assert f(2, 3).shape == ()
    assert f(2, 3).dtype == "float64"


def test_02_matrices_add_up_and_nested_lists_do() -> None:
    x, y = T.dmatrices("x", "y")
    f = function([x, y], x + y)
    assert f([[1, 2], [3, 4]], [[10, 20], [30, 40]]).tolist() == [[11, 22], [33, 44]]


def test_03_logistic() -> None:
    x = T.dmatrix("x")
    f = function([x], 1 / (1 + T.exp(-x)))
    expected = [[0.5, 0.73105858], [0.26894142, 0.11920292]]
    assert np.allclose(f([[0, 1], [-1, -2]]), expected)
    assert np.allclose(function([x], (1 + T.tanh(x / 2)) / 2)([[0, 1], [-1, -2]]), expected)
    assert f([[-1000.0]]) == 0
    assert ops_of(f) == ["sigmoid"]


def test_04_several_results_in_order() -> None:
    a, b = T.dmatrices("a", "b")
    diff = a - b
    f = function([a, b], [diff, abs(diff), diff**2])
    d, size, square = f([[1, 1], [1, 1]], [[0, 1], [2, 3]])
    assert d.tolist() == [[1, 0], [-1, -2]]
    assert size.tolist() == [[1, 0], [1, 2]]
    assert square.tolist() == [[1, 0], [1, 4]]


def test_05_defaults() -> None:
    x, y, w = T.dscalars("x", "y", "w")
    f = function([x, In(y, value=1), In(w, value=2, name="w_by_name")], (x + y) * w)
    assert f(33) == 68
    assert f(33, 2) == 70
    assert f(33, 0, 1) == 33
    assert f(33, w_by_name=1) == 34
    assert f(33, w_by_name=1, y=0) == 33


def accumulator() -> tuple[Any, Variable, Any, Any]:
    state, inc = shared(0), T.iscalar("inc")
    acc = function([inc], state, updates=[(state, state + inc)])
    return state, inc, acc, function([inc], state, updates=[(state, state - inc)])


def test_06_accumulator() -> None:
    state, _, acc, dec = accumulator()
    assert acc(1) == 0
    assert state.get_value() == 1
    assert acc(300) == 1
    assert state.get_value() == 301
    state.set_value(-1)
    assert acc(3) == -1
    assert state.get_value() == 2
    assert dec(2) == 2
    assert state.get_value() == 0


def test_07_givens_stand_in_for_state() -> None:
    state, inc, _, _ = accumulator()
    foo = T.scalar(dtype=state.dtype)
    skip = function([inc, foo], state * 2 + inc, givens=[(state, foo)])
    assert skip(1, 3) == 7
    assert state.get_value() == 0


def test_08_copies_with_other_state() -> None:
    state, _, acc, _ = accumulator()
    acc(10)
    new_state = shared(0)
    new_acc = acc.copy(swap={state: new_state})
    new_acc(100)
    assert new_state.get_value() == 100
    assert state.get_value() == 10
    null_acc = acc.copy(delete_updates=True)
    assert null_acc(9000) == 10
    assert state.get_value() == 10


# Gradients.


def test_09_gradient_of_a_square_is_twice_x() -> None:
    x = T.dscalar("x")
    f = function([x], grad(x**2, x))
    assert f(4) == 8.0
    assert np.allclose(f(94.2), 188.4)
    assert ops_of(f) == ["mul"]
    assert pp(f.graph.outputs[0]) in {"2.0 * x", "x * 2.0"}


def test_10_gradient_of_the_logistic() -> None:
    x = T.dmatrix("x")
    f = function([x], grad(T.sum(1 / (1 + T.exp(-x))), x))
    expected = [[0.25, 0.19661193], [0.19661193, 0.10499359]]
    assert np.allclose(f([[0, 1], [-1, -2]]), expected)


def test_11_jacobian_and_hessian() -> None:
    x = T.dvector("x")
    assert function([x], T.jacobian(x**2, x))([4, 4]).tolist() == [[8, 0], [0, 8]]
    assert function([x], T.hessian((x**2).sum(), x))([4, 4]).tolist() == [[2, 0], [0, 2]]


def test_12_right_product() -> None:
    w, v, x = T.dmatrix("W"), T.dmatrix("V"), T.dvector("x")
    f = function([w, v, x], T.Rop(T.dot(x, w), w, v), on_unused_input="ignore")
    assert f([[1, 1], [1, 1]], [[2, 2], [2, 2]], [0, 1]).tolist() == [2, 2]


def test_13_left_product_and_hessian_times_vector() -> None:
    w, v, x = T.dmatrix("W"), T.dvector("v"), T.dvector("x")
    product = T.Lop(T.dot(x, w), w, v)
    with pytest.raises(engine.UnusedInputError):
        function([w, v, x], product)
    assert function([v, x], product)([2, 2], [0, 1]).tolist() == [[0, 0], [2, 2]]
    along = T.Rop(grad((x**2).sum(), x), x, v)
    f = function([x, v], along, on_unused_input="ignore")
    assert f([4, 4], [2, 2]).tolist() == [4, 4]


# Loops.


def test_14_scan_over_rows() -> None:
    x, w, b = T.dmatrix("X"), T.dmatrix("W"), T.dvector("b_sym")
    results, _ = engine.scan(lambda v: T.tanh(T.dot(v, w) + b), sequences=x)
    found = function([x, w, b], results)(np.eye(2), np.ones((2, 2)), [1, 2])
    assert np.allclose(found, [[0.96402758, 0.99505475]] * 2)


def test_15_scan_power() -> None:
    k, a = T.iscalar("k"), T.vector("A")
    result, updates = engine.scan(
        fn=lambda prior_result, a: prior_result * a,
        outputs_info=T.ones_like(a),
        non_sequences=a,
        n_steps=k,
    )
    power = function([a, k], result[-1], updates=updates)
    assert power(range(10), 2).tolist() == [i**2 for i in range(10)]
    assert power(range(10), 4).tolist() == [i**4 for i in range(10)]


def test_16_scan_polynomial_truncates_to_the_shortest_sequence() -> None:
    coefficients, x = T.vector("coefficients"), T.scalar("x")
    components, updates = engine.scan(
        fn=lambda coefficient, power, free: coefficient * (free**power),
        outputs_info=None,
        sequences=[coefficients, T.arange(10000)],
        non_sequences=x,
    )
    assert updates == {}
    assert function([coefficients, x], components.sum())([1, 0, 2], 3) == 19.0


def test_17_what_erases_nan_says_so() -> None:
    x = T.dvector("x")
    special = [np.nan, np.inf, 0.0]
    f = function([x], [x * 0, x - x, 0 / x, x / x], on_unused_input="ignore")
    assert [v.tolist() for v in f(special)] == [[0] * 3, [0] * 3, [0] * 3, [1] * 3]
    assert {"erases_nan"} <= {tag for step in f.film for tag in engine_tags(step.rule)}


def engine_tags(rule: str) -> frozenset[str]:
    from engine.rewrite import RULES

    return RULES[rule].tags


def test_18_row_and_column_norms() -> None:
    x = T.dmatrix("X")
    rows, _ = engine.scan(lambda v: T.sqrt((v**2).sum()), sequences=[x])
    cols, _ = engine.scan(lambda v: T.sqrt((v**2).sum()), sequences=[x.T])
    matrix = np.diag(np.arange(1.0, 6), 1)
    assert function([x], rows)(matrix).tolist() == [1, 2, 3, 4, 5, 0]
    assert function([x], cols)(matrix).tolist() == [0, 1, 2, 3, 4, 5]


def test_19_trace_by_scan() -> None:
    x = T.dmatrix("X")
    results, _ = engine.scan(
        lambda i, j, t_f: T.cast(x[i, j] + t_f, "float64"),
        sequences=[T.arange(x.shape[0]), T.arange(x.shape[1])],
        outputs_info=np.asarray(0.0, dtype="float64"),
    )
    matrix = np.eye(5)
    matrix[0] = np.arange(5)
    assert function([x], results[-1])(matrix) == 4.0


def test_20_two_taps() -> None:
    x, w, u, v = T.matrix("X"), T.matrix("W"), T.matrix("U"), T.matrix("V")
    b, n = T.vector("b"), T.iscalar("n_sym")
    results, _ = engine.scan(
        lambda x2, x1: T.dot(x2, u) + T.dot(x1, v) + T.tanh(T.dot(x1, w) + b),
        n_steps=n,
        outputs_info=[{"initial": x, "taps": [-2, -1]}],
    )
    f = function([x, w, u, v, b, n], results)
    first = np.zeros((2, 2))
    first[1, 1] = 1
    weights = [0.5 * np.ones((2, 2)), 0.5 * (np.ones((2, 2)) - np.eye(2)), 0.5 * np.ones((2, 2))]
    found = f(first, *weights, np.ones(2), 10)
    assert np.allclose(found[0], [1.40514825, 1.40514825])
    assert np.allclose(found[9], [54.28407732, 54.25282732])


def test_21_updates_inside_scan() -> None:
    a = shared(1)
    values, updates = engine.scan(lambda: {a: a + 1}, n_steps=10)
    assert values is None
    b, c = a + 1, updates[a] + 1
    f = function([], [b, c], updates=updates)
    assert [int(v) for v in f()] == [2, 12]
    assert a.get_value() == 11
    assert [int(v) for v in f()] == [12, 22]
    assert a.get_value() == 21


def test_22_accumulating_keeps_its_dtype_or_is_refused() -> None:
    up_to = T.iscalar("up_to")

    def accumulate(i: Variable, total: Variable) -> Variable:
        return total + i

    results, _ = engine.scan(
        accumulate, outputs_info=T.as_tensor_variable(np.asarray(0, "int64")),
        sequences=T.arange(up_to),
    )  # fmt: skip
    found = function([up_to], results)(15)
    assert found.tolist() == np.cumsum(np.arange(15)).tolist()
    assert found.dtype == "int64"
    with pytest.raises(TypeMismatchError, match=r"int8.*int64"):
        engine.scan(
            accumulate, outputs_info=T.as_tensor_variable(np.asarray(0, "int8")),
            sequences=T.arange(up_to),
        )  # fmt: skip


# Random streams: the semantics, with numbers of Philox and not of the Mersenne Twister.


def test_23_random_streams() -> None:
    srng = RandomStreams(seed=234)
    rv_u, rv_n = srng.uniform((2, 2)), srng.normal((2, 2))
    f = function([], rv_u)
    g = function([], rv_n, no_default_updates=True)
    nearly_zeros = function([], rv_u + rv_u - 2 * rv_u)
    assert not np.array_equal(f(), f())
    assert np.array_equal(g(), g())
    assert not nearly_zeros().any()
    again = RandomStreams(seed=234)
    first = function([], again.uniform((2, 2)))()
    assert np.array_equal(first, function([], RandomStreams(234).uniform((2, 2)))())


@pytest.mark.slow
def test_24_logistic_regression() -> None:
    rng = np.random.RandomState(0)
    count, features, steps = 400, 784, 10_000
    data = rng.randn(count, features), rng.randint(size=count, low=0, high=2)
    x, y = T.dmatrix("x"), T.dvector("y")
    w, b = shared(rng.randn(features), name="w"), shared(0.0, name="b")
    p_1 = 1 / (1 + T.exp(-T.dot(x, w) - b))
    cost = (-y * T.log(p_1) - (1 - y) * T.log(1 - p_1)).mean() + 0.01 * (w**2).sum()
    gw, gb = grad(cost, [w, b])
    train = function([x, y], [p_1 > 0.5, cost], updates=((w, w - 0.1 * gw), (b, b - 0.1 * gb)))
    assert np.allclose(train(*data)[1], 18.08217042)
    for _ in range(steps - 1):
        predicted, _ = train(*data)
    predicted, last = train(*data)
    assert np.allclose(last, 0.11705355, rtol=1e-6)
    assert np.allclose(b.get_value(), 0.17376, atol=1e-5)
    assert np.array_equal(predicted, data[1])


# Broadcasting and shapes.


def test_25_rows_stretch_and_matrices_of_one_row_do_not() -> None:
    r, m, n = T.row("r"), T.matrix("m"), T.matrix("n")
    grid = np.arange(9.0).reshape(3, 3)
    assert function([r, m], r + m)([[0, 1, 2]], grid).tolist() == np.add(grid, [0, 1, 2]).tolist()
    with pytest.raises(ValueError, match="do not fit together"):
        function([m, n], m + n)(np.ones((1, 3)), np.ones((2, 3)))


def test_26_vectors_of_different_length_name_both_shapes() -> None:
    x, y = T.dvectors("x", "y")
    with pytest.raises(ValueError, match=r"add\(x, y\): Shapes \(2,\) and \(3,\)"):
        function([x, y], x + y)([1, 2], [1, 2, 3])


def test_27_a_join_that_does_not_fit_is_refused_even_for_its_shape() -> None:
    x, y = T.dmatrices("x", "y")
    z = T.join(0, x, y)
    for out in (z, z.shape):
        with pytest.raises(ShapeError, match="differ on axis 1"):
            function([x, y], out)(np.ones((5, 4)), np.ones((3, 3)))
    assert function([x, y], z.shape)(np.ones((5, 4)), np.ones((3, 4))).tolist() == [8, 4]


# Stability.


def test_28_log1p_and_expm1() -> None:
    assert evaluated(lambda x: T.log(1 + x), 1e-20) == 1e-20
    assert evaluated(lambda x: T.exp(x) - 1, 1e-20) == 1e-20


def test_29_logarithms_of_sigmoids() -> None:
    at = [1000.0, -1000.0]
    assert evaluated(lambda x: T.log(1 + T.exp(x)), at).tolist() == [1000, 0]
    assert np.allclose(evaluated(lambda x: T.log(T.nnet.sigmoid(x)), at), [0, -1000])
    assert evaluated(lambda x: T.log(1 - T.nnet.sigmoid(x)), at)[0] == -1000


def test_30_softmax_and_its_logarithm() -> None:
    rows = [[1000.0, 0.0, -1000.0]]
    found = evaluated(lambda x: T.log(T.nnet.softmax(x)), rows)
    assert found.tolist() == [[0, -1000, -2000]]
    found = evaluated(lambda x: T.exp(x) / T.exp(x).sum(), [1000.0, 1001, 1002])
    assert np.allclose(found, [0.09003057, 0.24472847, 0.66524096])
    found = evaluated(lambda x: T.log(T.exp(x).sum()), [1000.0, 1001])
    assert np.allclose(found, 1001.31326169)


def test_31_negative_log_likelihood() -> None:
    x, y = T.dmatrix("X"), T.ivector("y")
    cost = -T.mean(T.log(T.nnet.softmax(x))[T.arange(y.shape[0]), y])
    f = function([x, y], [cost, grad(cost, x)])
    value, slope = f([[1000, 0], [0, 0]], [1, 0])
    assert np.allclose(value, 500.34657359)
    assert np.allclose(slope, [[0.5, -0.5], [-0.25, 0.25]])


def test_32_binary_crossentropy_of_a_sigmoid() -> None:
    z, t = T.dvector("z"), T.dvector("t")
    cost = T.nnet.binary_crossentropy(T.nnet.sigmoid(z), t)
    f = function([z, t], [cost, grad(cost.sum(), z)])
    value, slope = f([1000, -1000, 0], [0, 1, 1])
    assert np.allclose(value, [1000, 1000, 0.69314718])
    assert np.allclose(slope, [1, -1, -0.5])


def test_33_tails_of_the_error_function() -> None:
    assert np.allclose(evaluated(lambda x: 1 - T.erf(x), 10.0), 2.0884876e-45, rtol=1e-6, atol=0)
    assert np.allclose(evaluated(lambda x: T.log(T.erfc(x)), 30.0), -903.97411711)


# Kinks, ties, choices.


@pytest.mark.parametrize(
    ("make", "at", "expected"),
    [
        (abs, 0.0, 0.0),
        (lambda x: T.maximum(x, 0), 0.0, 1.0),
        (T.nnet.relu, 0.0, 0.5),
        (lambda x: T.clip(x, -1, 1), 1.0, 1.0),
        (lambda x: T.clip(x, -1, 1), -1.0, 1.0),
        (T.sqrt, 0.0, np.inf),
        (lambda x: x**0, 0.0, 0.0),
    ],
)
def test_34_slopes_at_kinks(make: Any, at: float, expected: float) -> None:
    x = T.dscalar("x")
    slope = grad(make(x), x, disconnected_inputs="ignore")
    assert function([x], slope, on_unused_input="ignore")(at) == expected


def test_34_ties_and_zeros() -> None:
    x = T.dvector("x")
    assert function([x], grad(T.max(x), x))([3, 1, 3]).tolist() == [1, 0, 1]
    assert function([x], grad(T.prod(x), x))([0, 2, 3]).tolist() == [6, 0, 0]


def test_35_no_nan_from_the_branch_that_is_not_taken() -> None:
    x = T.dscalar("x")
    f = function([x], grad(T.switch(x < 7, x, T.sqrt(x - 7)), x))
    assert f(5) == 1
    g = function([x], grad(T.switch(x > 0, T.sqrt(x), 0), x))
    assert g(-1) == 0
    assert g(4) == 0.25


def test_36_round_half_to_even() -> None:
    found = evaluated(T.round, [0.5, 1.5, -0.5, 2.5])
    assert found.tolist() == [0, 2, 0, 2]
    assert np.signbit(found).tolist() == [False, False, True, False]


def test_37_integers() -> None:
    x, n = T.iscalar("x"), T.bvector("n")
    quotient, floor, rest = function([x], [x / 2, x // 2, x % 2])(-7)
    assert (quotient, floor, rest) == (-3.5, -4, 1)
    assert quotient.dtype == engine.config.floatX
    total = function([n], n.sum())([100, 100, 100])
    assert (int(total), total.dtype) == (300, "int64")
    assert np.allclose(evaluated(T.std, [1, 2, 3, 4]), 1.11803399)


# Indexing and the rest.


def test_38_duplicates_accumulate() -> None:
    zeros, x = T.zeros(4), T.dvector("x")
    at = np.array([1, 1, 2])
    assert T.inc_subtensor(zeros[at], 1).eval().tolist() == [0, 2, 1, 0]
    values = np.array([0.0, 1, 2])
    assert T.set_subtensor(zeros[at], values).eval().tolist() == [0, 1, 2, 0]
    slope = grad(x[[0, 0, 2]].sum(), x)
    assert function([x], slope, on_unused_input="ignore")([5, 6, 7]).tolist() == [2, 0, 1]


def test_39_searchsorted() -> None:
    x = T.dvector("x")
    f = function(
        [x],
        [
            T.extra_ops.searchsorted(x, 3),
            T.extra_ops.searchsorted(x, 3, side="right"),
            T.extra_ops.searchsorted(x, np.array([-10, 10, 2, 3])),
        ],
    )
    left, right, several = f([1, 2, 3, 4, 5])
    assert (left, right) == (2, 3)
    assert several.tolist() == [0, 5, 1, 2]


def test_40_grids_axes_and_stacks() -> None:
    for ours, theirs in zip(T.mgrid[0:5, 0:3], np.mgrid[0:5, 0:3], strict=True):
        assert np.array_equal(ours.eval(), theirs)
    for ours, theirs in zip(T.ogrid[0:5, 0:3], np.ogrid[0:5, 0:3], strict=True):
        assert np.array_equal(ours.eval(), theirs)
    m = T.dmatrix("m")
    assert function([m], m.dimshuffle(1, "x", 0))(np.ones((2, 3))).shape == (3, 1, 2)
    parts = T.tensor4s("a", "b", "c")
    whole = function(parts, T.stack(parts, axis=3))(*[np.ones((2, 2, 2, 2))] * 3)
    assert whole.shape == (2, 2, 2, 3, 2)


@pytest.mark.parametrize(
    ("mode", "theirs"), [("valid", "valid"), ("full", "full"), ("half", "same")]
)
def test_41_conv2d_is_a_convolution(mode: str, theirs: str) -> None:
    rng = np.random.default_rng(1)
    image, kernel = rng.normal(size=(7, 6)), rng.normal(size=(3, 3))
    x, w = T.tensor4("x"), T.tensor4("w")
    found = function([x, w], T.nnet.conv2d(x, w, border_mode=mode))(
        image[None, None], kernel[None, None]
    )
    assert np.allclose(found[0, 0], convolve2d(image, kernel, mode=theirs))


def test_41_sizes() -> None:
    x, w = T.tensor4("x"), T.tensor4("w")
    for pad, stride, dilation in [(0, 1, 1), (2, 2, 1), (1, 3, 2), (0, 2, 3)]:
        out = T.nnet.conv2d(
            x, w, border_mode=(pad, pad), subsample=(stride, stride),
            filter_dilation=(dilation, dilation),
        )  # fmt: skip
        n = (11 + 2 * pad - 3 - 2 * (dilation - 1)) // stride + 1
        f = function([x, w], out)
        assert f(np.ones((2, 3, 11, 11)), np.ones((4, 3, 3, 3))).shape == (2, 4, n, n)


def test_42_softmax_of_a_vector_is_a_vector() -> None:
    found = evaluated(T.nnet.softmax, [0.0, 0.0])
    assert found.tolist() == [0.5, 0.5]


def test_the_graph_of_a_tutorial_step_stays_small() -> None:
    x = T.dvector("x")
    f = function([x], grad(T.log(T.nnet.softmax(x))[0], x))
    assert len(walk(f.graph.outputs)) < 12
