"""Activations, costs, normalisation, attention: values, slopes, and Theano's conventions."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from scipy import special

import engine.tensor as T
from engine import function, grad, shared
from engine.errors import IndexOutOfRangeError, ParameterError, ShapeError, TypeMismatchError
from engine.expression import Variable
from engine.tensor.nnet import bn
from engine.tensor.nnet.nnet import dropout
from engine.tensor.shared_randomstreams import RandomStreams

Array = np.ndarray[Any, Any]
GRID = np.array([-1000.0, -6.5, -3, -1, -0.1, 0, 0.1, 1, 3, 6.5, 1000])


def at(make: Any, *values: Any) -> Any:
    """The value of an expression of float64 tensors."""
    arrays = [np.asarray(v) for v in values]
    inputs: list[Variable] = [T.TensorType(a.dtype, (None,) * a.ndim)() for a in arrays]
    return function(inputs, make(*inputs))(*arrays)


# Activations.


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (T.nnet.sigmoid, special.expit),
        (T.nnet.softplus, lambda x: np.logaddexp(0, x)),
        (T.nnet.log_sigmoid, special.log_expit),
        (T.nnet.softsign, lambda x: x / (1 + np.abs(x))),
        (T.nnet.hard_sigmoid, lambda x: np.clip(0.2 * x + 0.5, 0, 1)),
        (T.nnet.relu, lambda x: np.maximum(x, 0)),
        (lambda x: T.nnet.relu(x, 0.1), lambda x: np.where(x > 0, x, 0.1 * x)),
        (lambda x: T.nnet.leaky_relu(x, 0.1), lambda x: np.where(x > 0, x, 0.1 * x)),
        (T.nnet.elu, lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0)))),
        (
            lambda x: T.nnet.elu(x, 2.0),
            lambda x: np.where(x > 0, x, 2 * np.expm1(np.minimum(x, 0))),
        ),
        (T.nnet.gelu, lambda x: x * special.ndtr(x)),
        (T.nnet.silu, lambda x: x * special.expit(x)),
        (T.nnet.mish, lambda x: x * np.tanh(np.logaddexp(0, x))),
    ],
)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_activations_have_their_values_and_keep_float32(
    make: Any, expected: Any, dtype: str
) -> None:
    found = at(make, GRID.astype(dtype))
    assert found.dtype == dtype
    close = 1e-12 if dtype == "float64" else 1e-5
    np.testing.assert_allclose(found, expected(GRID), rtol=close, atol=close)


def test_selu_keeps_mean_and_variance() -> None:
    x = np.random.default_rng(1).normal(size=200_000)
    found = at(T.nnet.selu, x)
    assert abs(found.mean()) < 0.01
    assert abs(found.var() - 1) < 0.02


def test_the_rough_sigmoid_is_theanos() -> None:
    x = np.array([0.0, 1, -1, 4, -4, 10, -10])
    expected = [0.5, 0.75, 0.25, 0.9745861, 0.0254139, 0.9975274, 0.0024726]
    np.testing.assert_allclose(at(T.nnet.ultra_fast_sigmoid, x), expected, atol=1e-6)
    assert np.abs(at(T.nnet.ultra_fast_sigmoid, GRID) - special.expit(GRID)).max() < 0.06


def test_slopes_never_turn_to_nan() -> None:
    x = T.dvector("x")
    for make in (T.nnet.elu, T.nnet.selu, T.nnet.gelu, T.nnet.mish, T.nnet.silu, T.nnet.relu,
                 T.nnet.softsign, T.nnet.log_sigmoid, T.nnet.hard_sigmoid):  # fmt: skip
        slope = function([x], grad(make(x).sum(), x))(GRID)
        assert np.isfinite(slope).all(), make


def test_relu_takes_a_slope_for_each_channel() -> None:
    x, alpha = T.dmatrix("x"), T.dvector("alpha")
    f = function([x, alpha], [T.nnet.relu(x, alpha), grad(T.nnet.relu(x, alpha).sum(), alpha)])
    value, slope = f([[-1, -2], [3, -4]], [0.1, 0.5])
    np.testing.assert_allclose(value, [[-0.1, -1], [3, -2]])
    np.testing.assert_allclose(slope, [-1, -6])


def test_softmax_and_its_forms_agree() -> None:
    x, b = np.random.default_rng(2).normal(size=(3, 4)), np.array([1.0, 2, 0, -1])
    expected = special.softmax(x + b, axis=1)
    np.testing.assert_allclose(at(T.nnet.softmax_with_bias, x, b), expected)
    np.testing.assert_allclose(at(T.nnet.softmax_graph, x + b), expected)
    np.testing.assert_allclose(at(lambda v: T.nnet.softmax(v, axis=0), x), special.softmax(x, 0))
    np.testing.assert_allclose(at(T.nnet.logsoftmax, x), special.log_softmax(x, 1))


# Costs.


def test_binary_costs_are_exact_for_every_logit() -> None:
    x, t = T.dvectors("x", "t")
    cost = T.nnet.sigmoid_binary_crossentropy(x, t)
    f = function([x, t], [cost, grad(cost.sum(), x), grad(grad(cost.sum(), x).sum(), x)])
    value, slope, bend = f([1000, -1000, 0, 30], [0, 1, 1, 1])
    np.testing.assert_allclose(value, [1000, 1000, np.log(2), np.exp(-30)], rtol=1e-10)
    np.testing.assert_allclose(slope, [1, -1, -0.5, special.expit(30) - 1], atol=1e-12)
    np.testing.assert_allclose(bend, [0, 0, 0.25, np.exp(-30)], atol=1e-12)


def test_categorical_costs_take_distributions_or_classes() -> None:
    p = special.softmax(np.random.default_rng(3).normal(size=(4, 3)), axis=1)
    y = np.array([0, 2, 1, 1])
    expected = -np.log(p[np.arange(4), y])
    np.testing.assert_allclose(at(T.nnet.categorical_crossentropy, p, np.eye(3)[y]), expected)
    np.testing.assert_allclose(at(T.nnet.categorical_crossentropy, p, y), expected)
    np.testing.assert_allclose(at(T.nnet.crossentropy_categorical_1hot, p, y), expected)
    deep = np.stack([p, p[::-1]])
    labels = np.stack([y, y[::-1]])
    found = at(T.nnet.categorical_crossentropy, deep, labels)
    np.testing.assert_allclose(found, [expected, expected[::-1]])


def test_costs_of_softmaxes_come_with_the_softmax() -> None:
    x, b, y = np.array([[1000.0, 0], [0, 0]]), np.array([0.0, 1]), np.array([1, 0])
    cost, softmax, largest, best = at(
        T.nnet.crossentropy_softmax_max_and_argmax_1hot_with_bias, x, b, y
    )
    np.testing.assert_allclose(cost, -special.log_softmax(x + b, 1)[[0, 1], y])
    np.testing.assert_allclose(softmax, special.softmax(x + b, 1))
    np.testing.assert_allclose(largest, softmax.max(axis=1))
    assert best.tolist() == [0, 1]
    for make in (
        lambda x, y: T.nnet.crossentropy_softmax_1hot(x, y)[0],
        lambda x, y: T.nnet.crossentropy_softmax_max_and_argmax_1hot(x, y)[0],
    ):
        np.testing.assert_allclose(at(make, x, y), [1000, np.log(2)])


def test_classes_are_checked() -> None:
    p = np.full((2, 3), 1 / 3)
    with pytest.raises(IndexOutOfRangeError, match=r"3 .*axis 1, which has length 3"):
        at(T.nnet.categorical_crossentropy, p, np.array([0, 3]))
    with pytest.raises(TypeMismatchError, match="numbers of classes, not float64"):
        T.nnet.categorical_crossentropy(T.dmatrix(), T.dvector())
    with pytest.raises(TypeMismatchError, match="cannot be held against"):
        T.nnet.categorical_crossentropy(T.dmatrix(), T.iscalar())


def test_other_costs() -> None:
    a, b = np.array([0.0, 0.5, 3]), np.array([0.0, 0, 0])
    np.testing.assert_allclose(at(T.nnet.huber, a, b), [0, 0.125, 2.5])
    np.testing.assert_allclose(at(T.nnet.absolute_error, a, b), a)
    np.testing.assert_allclose(at(T.nnet.hinge, a, np.array([1.0, -1, 1])), [1, 1.5, 0])
    p, q = np.array([[0.2, 0.8]]), np.array([[0.0, 1.0]])
    np.testing.assert_allclose(at(T.nnet.kl_divergence, p, q), [-np.log(0.8)])


def test_confusion_counts_in_the_order_of_classes() -> None:
    matrix, order = at(T.nnet.confusion_matrix, np.array([2, 0, 2, 2, 0, 1]),
                       np.array([0, 0, 2, 2, 0, 2]))  # fmt: skip
    assert matrix.tolist() == [[2, 0, 0], [0, 0, 1], [1, 0, 2]]
    assert order.tolist() == [0, 1, 2]
    with pytest.raises(TypeMismatchError, match="actual must be a vector"):
        T.nnet.confusion_matrix(T.imatrix(), T.ivector())


def test_columns_are_put_in_front() -> None:
    m = np.array([[1.0, 2], [3, 4]])
    assert at(T.nnet.prepend_1_to_each_row, m).tolist() == [[1, 1, 2], [1, 3, 4]]
    assert at(T.nnet.prepend_0_to_each_row, m).tolist() == [[0, 1, 2], [0, 3, 4]]
    found = at(lambda v: T.nnet.prepend_scalar_to_each_row(T.constant(0.5), v), m)
    assert found[:, 0].tolist() == [0.5, 0.5]


# Sequences.


def test_ctc_sums_over_all_paths() -> None:
    rng = np.random.default_rng(4)
    x = rng.normal(size=(5, 2, 3))
    labels, lengths = np.array([[1, 1], [2, -1]], "int32"), np.array([5, 3], "int32")
    expected = []
    for i, label in enumerate([[1, 1], [2]]):
        p = special.softmax(x[: lengths[i], i], axis=1)
        total = 0.0
        for path in itertools.product(range(3), repeat=int(lengths[i])):
            if [k for k, _ in itertools.groupby(path) if k] == label:
                total += np.prod([p[t, k] for t, k in enumerate(path)])
        expected.append(-np.log(total))
    np.testing.assert_allclose(at(T.nnet.ctc.ctc, x, labels, lengths), expected, rtol=1e-10)


def test_ctc_of_what_cannot_be_and_of_what_is_wrong() -> None:
    x = np.zeros((2, 1, 3))
    ones = np.array([1], "int32")
    f = lambda *v: at(T.nnet.ctc.ctc, *v)
    assert f(x, np.array([[1, 1, 2]], "int32"), 2 * ones).tolist() == [np.inf]
    with pytest.raises(IndexOutOfRangeError, match="Label 3 is not among the 3 classes"):
        f(x, np.array([[3]], "int32"), 2 * ones)
    with pytest.raises(IndexOutOfRangeError, match="cannot have 5 steps of 2"):
        f(x, np.array([[1]], "int32"), 5 * ones)
    with pytest.raises(ShapeError, match="not of one batch"):
        f(x, np.array([[1], [1]], "int32"), ones)


# Normalisation.


def test_batch_normalisation_in_training_and_afterwards() -> None:
    rng = np.random.default_rng(5)
    x = rng.normal(2, 3, size=(6, 4, 2, 3))
    gamma, beta = rng.normal(size=4), rng.normal(size=4)
    mean, var = x.mean(axis=(0, 2, 3)), x.var(axis=(0, 2, 3))
    old_mean, old_var = np.zeros(4), np.ones(4)
    out, m, invstd, new_mean, new_var = at(
        lambda *v: bn.batch_normalization_train(*v[:3], "spatial", running_mean=v[3],
                                                running_var=v[4]),
        x, gamma, beta, old_mean, old_var,
    )  # fmt: skip
    wide = lambda v: v[:, None, None]
    expected = (x - wide(mean)) / np.sqrt(wide(var) + 1e-4) * wide(gamma) + wide(beta)
    np.testing.assert_allclose(out, expected)
    np.testing.assert_allclose(m, mean[None, :, None, None])
    np.testing.assert_allclose(invstd, 1 / np.sqrt(var + 1e-4)[None, :, None, None])
    np.testing.assert_allclose(new_mean, 0.1 * mean)
    np.testing.assert_allclose(new_var, 0.9 + 0.1 * var * 36 / 35)
    test = at(lambda *v: bn.batch_normalization_test(*v, "spatial"), x, gamma, beta, mean, var)
    np.testing.assert_allclose(test, expected)


def test_running_averages_are_updates_of_shared_variables() -> None:
    x = T.fmatrix("x")
    mean, var = (shared(v * np.ones((1, 3), "float32")) for v in (0, 1))
    out, *_, new_mean, new_var = bn.batch_normalization_train(
        x, np.ones((1, 3), "float32"), np.zeros((1, 3), "float32"), running_mean=mean,
        running_var=var,
    )  # fmt: skip
    train = function([x], out, updates=[(mean, new_mean), (var, new_var)])
    values = np.random.default_rng(6).normal(5, 2, size=(50, 3)).astype("float32")
    for _ in range(100):
        found = train(values)
    assert found.dtype == "float32"
    np.testing.assert_allclose(mean.get_value()[0], values.mean(axis=0), rtol=1e-3)
    np.testing.assert_allclose(var.get_value()[0], values.var(axis=0, ddof=1), rtol=1e-3)


def test_batch_normalisation_says_what_does_not_fit() -> None:
    with pytest.raises(ParameterError, match="axes cannot be 'all'"):
        bn.batch_normalization_train(T.dmatrix(), T.dvector(), T.dvector(), "all")
    with pytest.raises(ShapeError, match="gamma has 3 axes"):
        bn.batch_normalization_train(T.dmatrix(), T.dtensor3(), T.dvector())
    with pytest.raises(ParameterError, match="mode cannot be"):
        bn.batch_normalization(*[T.dvector()] * 5, mode="fast")


def standard(x: Array, axes: tuple[int, ...]) -> Array:
    mean, var = x.mean(axis=axes, keepdims=True), x.var(axis=axes, keepdims=True)
    found: Array = (x - mean) / np.sqrt(var + 1e-5)
    return found


def test_layer_group_and_rms_normalisation() -> None:
    x = np.random.default_rng(7).normal(3, 2, size=(2, 4, 3))
    g3, b3, g4, b4 = np.arange(1.0, 4), np.ones(3), np.arange(1.0, 5), np.ones(4)
    np.testing.assert_allclose(at(T.nnet.layer_norm, x, g3, b3), standard(x, (2,)) * g3 + b3)
    grouped = standard(x.reshape(2, 2, 6), (2,)).reshape(x.shape) * g4[:, None] + 1
    found = at(lambda *v: T.nnet.group_norm(*v, groups=2), x, g4, b4)
    np.testing.assert_allclose(found, grouped)
    rms = x / np.sqrt((x**2).mean(axis=2, keepdims=True) + 1e-5)
    np.testing.assert_allclose(at(T.nnet.rms_norm, x, g3), rms * g3)
    fixed = T.TensorType("float64", (None, 4, None))("x")
    with pytest.raises(ShapeError, match="cannot be put into 3 groups"):
        T.nnet.group_norm(fixed, T.dvector(), T.dvector(), groups=3)


# Attention, embeddings, dropout.


def test_attention_is_a_weighted_average() -> None:
    rng = np.random.default_rng(8)
    q, k, v = rng.normal(size=(3, 4)), rng.normal(size=(5, 4)), rng.normal(size=(5, 2))
    weights = special.softmax(q @ k.T / 2, axis=1)
    np.testing.assert_allclose(at(T.nnet.attention, q, k, v), weights @ v)


def test_no_query_looks_ahead_where_attention_is_causal() -> None:
    rng = np.random.default_rng(9)
    x = rng.normal(size=(2, 4, 3))
    f = lambda x: at(lambda v: T.nnet.attention(v, v, v, causal=True), x)
    changed = x.copy()
    changed[:, 3] += 1
    np.testing.assert_allclose(f(x)[:, :3], f(changed)[:, :3])
    np.testing.assert_allclose(f(x)[:, 0], x[:, 0])


def test_embeddings_learn_only_rows_that_were_read() -> None:
    table = shared(np.arange(8.0).reshape(4, 2), "table")
    i = T.imatrix("i")
    vectors = T.nnet.embedding(table, i)
    f = function([i], [vectors, grad(vectors.sum(), table)])
    value, slope = f([[3, 0], [3, 3]])
    assert value.shape == (2, 2, 2)
    assert slope.tolist() == [[1, 1], [0, 0], [0, 0], [3, 3]]


def test_dropout_keeps_the_mean_and_draws_anew() -> None:
    x = T.fmatrix("x")
    y = dropout(x, 0.25, RandomStreams(seed=1))
    f = function([x], [y, grad(y.sum(), x)])
    ones = np.ones((200, 500), "float32")
    value, slope = f(ones)
    assert value.dtype == "float32"
    assert np.array_equal(value, slope), "the same elements are left out on the way back"
    assert set(np.unique(value)) == {0, np.float32(1) / np.float32(0.75)}
    assert abs(value.mean() - 1) < 0.01
    assert not np.array_equal(value, f(ones)[0])
    with pytest.raises(TypeMismatchError, match="Cast it to a float first"):
        dropout(T.imatrix(), 0.5)
