"""Random streams: their bits, the distributions made of them, and how draws go on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import mpmath
import numpy as np
import pytest
from scipy import stats

import engine.tensor as T
from engine import function, philox, pp
from engine.codegen.numpy import interpret
from engine.compile.debugmode import DebugMode
from engine.config import config
from engine.errors import (
    DisconnectedInputError,
    EngineError,
    NullGradientError,
    ParameterError,
    ShapeError,
    TypeMismatchError,
)
from engine.expression import OPS, Variable, walk
from engine.graph import Graph
from engine.random import RandomStream, RandomStreams
from engine.rewrite import optimize
from engine.sandbox.rng_mrg import MRG_RandomStreams
from engine.shared import SharedVariable
from engine.tensor import raw_random
from engine.types import TensorType

Array = np.ndarray[Any, Any]
DRAWS = sorted({op.name for op in OPS.values() if op.draws and op.ports[-1].name == "size"})


def sample(draw: Variable, **options: Any) -> Array:
    """The first value of a draw."""
    value: Array = function([], draw, **options)()
    return value


# Bits.

MULTIPLIERS = 0xD2E7470EE14C6C93, 0xCA5A826395121157
WEYL = 0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B
WORD = 2**64


def block(counter: Sequence[int], key: Sequence[int]) -> list[int]:
    """Ten rounds of Philox4x64, from the paper: four words of a counter and a key."""
    a, b, c, d = counter
    for turn in range(10):
        k0, k1 = ((k + turn * w) % WORD for k, w in zip(key, WEYL, strict=True))
        high0, low0 = divmod(MULTIPLIERS[0] * a, WORD)
        high1, low1 = divmod(MULTIPLIERS[1] * c, WORD)
        a, b, c, d = high1 ^ b ^ k0, low1, high0 ^ d ^ k1, low0
    return [a, b, c, d]


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        ("0 0 0 0", "0 0", "16554d9eca36314c db20fe9d672d0fdc d7e772cee186176b 7e68b68aec7ba23b"),
        (
            "243f6a8885a308d3 13198a2e03707344 a4093822299f31d0 082efa98ec4e6c89",
            "452821e638d01377 be5466cf34e90c6c",
            "a528f45403e61d95 38c72dbd566e9788 a5a1610e72fd18b5 57bd43b5e52b7fe6",
        ),
    ],
)
def test_the_formula_gives_the_published_words(counter: str, key: str, expected: str) -> None:
    """Known answers of Random123, the authors' own code."""
    read = [[int(word, 16) for word in text.split()] for text in (counter, key, expected)]
    assert block(read[0], read[1]) == read[2]


@pytest.mark.parametrize("draw", [0, 1, 2**63 + 5])
def test_a_word_follows_from_key_draw_and_place(draw: int) -> None:
    *key, _ = (int(k) for k in philox.first_state(7))
    state = np.array([*key, draw], np.uint64)
    words = philox.words(state, 11)
    for i, word in enumerate(words):
        assert int(word) == block([i // 4 + 1, 0, 0, draw], key)[i % 4]
    counter = np.array([0, 0, 0, draw], np.uint64)
    numpy = np.random.Philox(key=np.array(key, np.uint64), counter=counter)
    assert np.array_equal(words, numpy.random_raw(11))


def test_a_larger_draw_begins_like_a_smaller_one_and_draws_do_not_overlap() -> None:
    state = philox.first_state(7)
    following = state + np.array([0, 0, 1], np.uint64)
    assert np.array_equal(philox.words(state, 1000)[:10], philox.words(state, 10))
    assert not set(philox.words(state, 1000)) & set(philox.words(following, 1000))


def test_first_states_differ_by_seed_and_place() -> None:
    states = {tuple(philox.first_state(seed, [place])) for seed in range(20) for place in range(20)}
    assert len(states) == 400
    assert tuple(philox.first_state(3, [1])) == tuple(philox.first_state(3, [1]))


# From bits to numbers.

CORNERS = [0, 1, 2**11, 2**40, 2**63 - 1, 2**63, 2**64 - 2**40, 2**64 - 2, 2**64 - 1]


def of_words(draw: Variable, words: Sequence[int]) -> Array:
    """What a draw is where its random words are these."""
    (bits,) = [node.out for node in walk([draw]) if node.op.name == "random_bits"]
    given = np.array(words, np.uint64)
    assert bits.type.shape == given.shape
    (value,) = interpret([draw], {bits: given})
    return value


@pytest.mark.parametrize(("dtype", "digits"), [("float64", 53), ("float32", 24), ("float16", 11)])
def test_uniform_numbers_are_the_first_bits_of_a_word(dtype: str, digits: int) -> None:
    found = of_words(RandomStreams(1).uniform((len(CORNERS),), dtype=dtype), CORNERS)
    assert found.dtype == dtype
    expected = [(word >> (64 - digits)) * 2.0**-digits for word in CORNERS]
    assert found.tolist() == expected
    assert found.max() < 1


def test_uniform_numbers_of_float64_are_those_of_numpy() -> None:
    u = RandomStreams(5).uniform((3, 4))
    expected = philox.generator(u.rng.get_value()).random((3, 4))
    assert np.array_equal(sample(u), expected)


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
@pytest.mark.parametrize("symbolic", [False, True])
@pytest.mark.parametrize(("low", "steps"), [(1.0, 1), (-3.0, 2), (1000.0, 1), (0.1, 5)])
def test_the_upper_bound_never_comes(dtype: str, symbolic: bool, low: float, steps: int) -> None:
    first = last = np.dtype(dtype).type(low)
    for _ in range(steps):
        last = np.nextafter(last, np.dtype(dtype).type(np.inf))
    bounds = [T.constant(first), T.constant(last)]
    inputs = [TensorType(dtype)("low"), TensorType(dtype)("high")]
    draw = RandomStreams(1).uniform((len(CORNERS),), *(inputs if symbolic else bounds), dtype=dtype)
    (bits,) = [node.out for node in walk([draw]) if node.op.name == "random_bits"]
    given = {bits: np.array(CORNERS, np.uint64)} | (
        dict(zip(inputs, (first, last), strict=True)) if symbolic else {}
    )
    (found,) = interpret([draw], given)
    assert found.min() == first
    assert found.max() < last


def test_normal_numbers_invert_the_distribution_function() -> None:
    found = of_words(RandomStreams(1).normal((len(CORNERS),)), CORNERS)
    mpmath.mp.dps = 40
    for word, z in zip(CORNERS, found, strict=True):
        upper = word >= 2**63
        t = (mpmath.mpf(WORD - 1 - word if upper else word) + 0.5) / WORD
        expected = -mpmath.sqrt(2) * mpmath.erfinv(1 - 2 * t)
        assert z == pytest.approx(float(-expected if upper else expected), rel=1e-14, abs=1e-16)
    assert 9.0 < found.max() == -found.min() < 9.2
    assert np.array_equal(np.sort(found), found)


def test_normal_numbers_of_float32_are_those_of_float64_rounded() -> None:
    wide, narrow = (
        sample(RandomStreams(1).normal((100,), dtype=dtype)) for dtype in ("float64", "float32")
    )
    assert np.array_equal(wide.astype("float32"), narrow)


@pytest.mark.parametrize(
    ("low", "high"), [(0, 1), (-3, 6), (0, 2**40), (-(2**63), 2**63 - 1), (5, 5)]
)
def test_integers_are_the_word_scaled(low: int, high: int) -> None:
    found = of_words(RandomStreams(1).random_integers((len(CORNERS),), low, high), CORNERS)
    assert [int(n) for n in found] == [low + (high - low + 1) * w // WORD for w in CORNERS]


# Distributions.

CONTINUOUS = [
    ("uniform", (-1.0, 3.0), stats.uniform(-1, 4)),
    ("normal", (0.5, 2.0), stats.norm(0.5, 2)),
    ("truncated_normal", (0.5, 2.0), stats.truncnorm(-2, 2, 0.5, 2)),
    ("halfnormal", (0.5, 2.0), stats.halfnorm(0.5, 2)),
    ("lognormal", (0.5, 0.7), stats.lognorm(0.7, 0, np.exp(0.5))),
    ("exponential", (2.0,), stats.expon(0, 2)),
    ("laplace", (0.5, 2.0), stats.laplace(0.5, 2)),
    ("logistic", (0.5, 2.0), stats.logistic(0.5, 2)),
    ("cauchy", (0.5, 2.0), stats.cauchy(0.5, 2)),
    ("halfcauchy", (0.5, 2.0), stats.halfcauchy(0.5, 2)),
    ("gumbel", (0.5, 2.0), stats.gumbel_r(0.5, 2)),
    ("weibull", (1.5,), stats.weibull_min(1.5)),
    ("pareto", (3.0, 2.0), stats.pareto(3, 0, 2)),
    ("power", (2.5,), stats.powerlaw(2.5)),
    ("rayleigh", (2.0,), stats.rayleigh(0, 2)),
    ("triangular", (-1.0, 0.5, 3.0), stats.triang(1.5 / 4, -1, 4)),
    ("triangular", (-1.0, -1.0, 3.0), stats.triang(0, -1, 4)),
    ("triangular", (-1.0, 3.0, 3.0), stats.triang(1, -1, 4)),
    ("truncexpon", (1.5, 0.5, 2.0), stats.truncexpon(1.5, 0.5, 2)),
    ("gamma", (2.5, 2.0), stats.gamma(2.5, 0, 2)),
    ("invgamma", (2.5, 2.0), stats.invgamma(2.5, 0, 2)),
    ("gengamma", (2.5, 1.5, 2.0), stats.gengamma(2.5 / 1.5, 1.5, 0, 2)),
    ("chisquare", (3.0,), stats.chi2(3)),
    ("noncentral_chisquare", (3.0, 1.5), stats.ncx2(3, 1.5)),
    ("beta", (1.5, 2.5), stats.beta(1.5, 2.5)),
    ("t", (4.0, 0.5, 2.0), stats.t(4, 0.5, 2)),
    ("f", (4.0, 6.0), stats.f(4, 6)),
    ("vonmises", (0.0, 2.0), stats.vonmises_line(2)),
    ("wald", (2.0, 3.0), stats.invgauss(2 / 3, 0, 3)),
]
DISCRETE = [
    ("bernoulli", (0.3,), stats.bernoulli(0.3)),
    ("binomial", (1, 0.3), stats.bernoulli(0.3)),
    ("binomial", (6, 0.4), stats.binom(6, 0.4)),
    ("integers", (-3, 4), stats.randint(-3, 5)),
    ("geometric", (0.4,), stats.geom(0.4)),
    ("poisson", (3.5,), stats.poisson(3.5)),
    ("negative_binomial", (3.5, 0.4), stats.nbinom(3.5, 0.4)),
    ("hypergeometric", (6, 5, 4), stats.hypergeom(11, 6, 4)),
    ("beta_binomial", (6, 1.5, 2.5), stats.betabinom(6, 1.5, 2.5)),
    ("zipf", (2.5,), stats.zipf(2.5)),
    ("logseries", (0.6,), stats.logser(0.6)),
    ("choice", (5,), stats.randint(0, 5)),
    ("categorical", ([0.2, 0.3, 0.5],), stats.rv_discrete(values=([0, 1, 2], [0.2, 0.3, 0.5]))),
]
MANY = 20_000


def drawn(name: str, parameters: Sequence[Any], seed: int = 3, **options: Any) -> Array:
    """Many numbers of a distribution."""
    (value,) = interpret(
        [OPS[f"random_{name}"](philox.first_state(seed), *parameters, size=(MANY,), **options)], {}
    )
    return value


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("name", "parameters", "expected"), CONTINUOUS)
def test_floats_follow_their_distribution(
    name: str, parameters: Sequence[float], expected: Any, dtype: str
) -> None:
    found = drawn(name, parameters, dtype=dtype)
    assert found.dtype == dtype
    assert stats.kstest(found.astype("float64"), expected.cdf).pvalue > 0.005
    low, high = expected.support()
    assert found.min() >= np.dtype(dtype).type(low)
    assert found.max() <= np.dtype(dtype).type(high)


@pytest.mark.parametrize(("name", "parameters", "expected"), DISCRETE)
def test_counts_follow_their_distribution(
    name: str, parameters: Sequence[float], expected: Any
) -> None:
    found = drawn(name, parameters)
    assert found.dtype == np.int64
    low = int(found.min())
    chances = expected.pmf(np.arange(low, found.max() + 1))
    assert np.all(chances > 0)
    counts = np.bincount(found - low)
    # Rare ones count together, so that each cell has a few.
    rare = chances * MANY < 8
    cells = np.append(counts[~rare], counts[rare].sum())
    wanted = np.append(chances[~rare], 1 - chances[~rare].sum()) * MANY
    used = wanted > 1e-6
    assert cells[~used].sum() == 0
    assert stats.chisquare(cells[used], wanted[used] * cells.sum() / wanted.sum()).pvalue > 0.005


def test_every_distribution_of_single_numbers_is_tested() -> None:
    tested = {f"random_{name}" for name, *_ in CONTINUOUS + DISCRETE}
    several = {
        f"random_{name}"
        for name in ("permutation", "multinomial", "dirichlet", "distinct", "multivariate_normal")
    }
    assert tested | several >= {OPS[name].name for name in DRAWS}


@pytest.mark.parametrize("name", DRAWS)
def test_a_draw_of_nothing_is_empty(name: str) -> None:
    op = OPS[name]
    given = {"p": [0.25, 0.75], "alphas": [1.0, 2.0], "mean": [0.0, 1.0], "cov": np.eye(2)}
    needed = {port.name: given[port.name] for port in op.wired if port.default is None}
    (found,) = interpret([op(philox.first_state(1), **needed, size=(0, 3))], {})
    assert found.shape[:2] == (0, 3)


@pytest.mark.parametrize("draw", [stats.norm, stats.uniform])
def test_neighbours_draws_streams_and_seeds_are_independent(draw: Any) -> None:
    make = RandomStreams.normal if draw is stats.norm else RandomStreams.uniform
    first, second = RandomStreams(1), RandomStreams(2)
    f = function([], [make(first, (MANY,)), make(first, (MANY,)), make(second, (MANY,))])
    series = [*f(), *f()]
    series.append(np.roll(series[0], 1))
    correlations = np.corrcoef(series) - np.eye(len(series))
    assert np.abs(correlations).max() < 0.03
    assert len(np.unique(np.concatenate(series[:6]))) == 6 * MANY


def test_a_truncated_normal_has_the_deviation_that_was_asked_for() -> None:
    x = sample(MRG_RandomStreams(3).truncated_normal((MANY,), avg=1.0, std=2.0))
    assert x.std() == pytest.approx(2, rel=0.02)
    assert np.abs(x - 1).max() <= 2 * 2 / 0.87962566
    cut = sample(MRG_RandomStreams(3).normal((MANY,), avg=1.0, std=2.0, truncate=True))
    assert np.abs(cut - 1).max() <= 4
    assert cut.std() == pytest.approx(2 * 0.87962566, rel=0.02)


# Choices of several.


def test_permutations_have_every_number_once_in_every_order() -> None:
    orders = sample(RandomStreams(1).permutation((6000,), 3))
    assert np.array_equal(np.sort(orders, axis=-1), np.broadcast_to([0, 1, 2], (6000, 3)))
    _, counts = np.unique(orders, axis=0, return_counts=True)
    assert len(counts) == 6
    assert stats.chisquare(counts).pvalue > 0.005
    assert sample(RandomStreams(1).permutation(n=4)).shape == (4,)
    assert sample(RandomStreams(1).permutation((), 4)).shape == (4,)
    assert sample(RandomStreams(1).permutation((2, 3), 0)).shape == (2, 3, 0)


def test_multinomial_counts_sum_up_and_have_their_means() -> None:
    p = [[0.1, 0.2, 0.7], [0.5, 0.5, 0.0]]
    counts = sample(RandomStreams(1).multinomial((MANY, 2), 5, p))
    assert counts.dtype == np.int64
    assert np.all(counts.sum(axis=-1) == 5)
    np.testing.assert_allclose(counts.mean(axis=0), 5 * np.array(p), atol=0.03)
    assert sample(RandomStreams(1).multinomial((3, -1), 5, p)).shape == (3, 2, 3)
    assert sample(RandomStreams(1).multinomial(None, [1, 2], p)).sum(axis=-1).tolist() == [1, 2]


def test_chances_of_a_short_dtype_need_not_sum_up_exactly() -> None:
    p = np.full(10_000, 1e-4, "float32")
    assert abs(float(np.cumsum(p)[-1]) - 1) > 1e-6
    assert sample(RandomStreams(1).multinomial(None, 3, p)).sum() == 3
    assert 0 <= sample(RandomStreams(1).choice((), 10_000, p=p)) < 10_000


def test_dirichlet_shares_have_their_means() -> None:
    alphas = np.array([1.5, 2.5, 0.5])
    (shares,) = interpret([OPS["random_dirichlet"](philox.first_state(1), alphas, (MANY,))], {})
    np.testing.assert_allclose(shares.sum(axis=-1), 1)
    np.testing.assert_allclose(shares.mean(axis=0), alphas / alphas.sum(), atol=0.01)
    (each,) = interpret([OPS["random_dirichlet"](philox.first_state(1), [[1.0, 1], [9, 1]])], {})
    assert each.shape == (2, 2)
    beta = stats.beta(1.5, 3.0)
    assert stats.kstest(shares[:, 0], beta.cdf).pvalue > 0.005
    (rare,) = interpret([OPS["random_dirichlet"](philox.first_state(1), [1e-3] * 3, (MANY,))], {})
    np.testing.assert_allclose(rare.sum(axis=-1), 1)
    np.testing.assert_allclose(rare.mean(axis=0), 1 / 3, atol=0.02)
    with pytest.raises(ParameterError, match="above 0"):
        interpret([OPS["random_dirichlet"](philox.first_state(1), [1.0, 0.0])], {})


@pytest.mark.parametrize("p", [None, [0.4, 0.3, 0.2, 0.1]])
def test_without_replacement_nothing_is_chosen_twice(p: Any) -> None:
    f = function([], RandomStreams(1).choice((3,), 4, False, p))
    chosen = np.array([f() for _ in range(500)])
    assert all(len(set(row)) == 3 for row in chosen.tolist())
    firsts = np.bincount(chosen[:, 0], minlength=4)
    assert stats.chisquare(firsts, 500 * np.array(p or [0.25] * 4)).pvalue > 0.005
    with pytest.raises(EngineError, match=r"(larger|too few)"):
        sample(RandomStreams(1).choice((5,), 4, False, p))


def test_choices_for_each_row_of_a_matrix_of_chances() -> None:
    p = [[0.5, 0.5, 0.0], [0.0, 0.1, 0.9]]
    several = sample(MRG_RandomStreams(1).choice(2, replace=False, p=p))
    assert np.sort(several).tolist() == [[0, 1], [1, 2]]
    again = sample(MRG_RandomStreams(1).choice(100, p=p))
    assert again.shape == (2, 100)
    assert set(again[0]) == {0, 1}
    assert set(again[1]) == {1, 2}
    old = sample(MRG_RandomStreams(1).multinomial_wo_replacement(n=2, pvals=p))
    assert np.array_equal(old, several)
    with pytest.raises(TypeMismatchError, match="row of a matrix"):
        MRG_RandomStreams(1).choice(2, p=[0.5, 0.5])


def test_elements_of_a_vector_are_chosen_in_its_dtype_and_gradients_reach_them() -> None:
    a = T.dvector("a")
    picked = RandomStreams(1).choice((2, 3), a)
    assert picked.type == TensorType("float64", (2, 3))
    f = function([a], [picked, T.grad(T.sum(T.sqr(picked)), a)])
    values = np.array([0.5, 1.5, 2.5])
    found, slope = f(values)
    assert set(found.ravel()) <= set(values)
    np.testing.assert_allclose(slope, [2 * v * np.sum(found == v) for v in values])
    assert (
        RandomStreams(1).choice((2,), np.array([1, 2], "int32"), dtype="float32").dtype == "float32"
    )
    order = sample(RandomStream(1).permutation(np.arange(10.0).reshape(5, 2)))
    assert np.array_equal(np.sort(order[:, 0]), [0, 2, 4, 6, 8])
    assert np.array_equal(order[:, 1], order[:, 0] + 1)


def test_rows_are_shuffled_each_in_its_own_order() -> None:
    x = T.dmatrix("x")
    shuffled = RandomStreams(1).shuffle_row_elements(x)
    weights = np.arange(600.0).reshape(200, 3)
    cost = T.sum(shuffled * T.constant(weights))
    f = function([x], [shuffled, shuffled.permutation, T.grad(cost, x)])
    values = np.random.default_rng(0).normal(size=(200, 3))
    found, orders, slope = f(values)
    assert np.array_equal(found, np.take_along_axis(values, orders, axis=-1))
    assert np.array_equal(np.take_along_axis(slope, orders, axis=-1), weights)
    assert len(np.unique(orders, axis=0)) == 6
    v = RandomStreams(1).shuffle_row_elements(T.constant([1.0, 2.0, 3.0]))
    assert sorted(sample(v)) == [1, 2, 3]
    with pytest.raises(TypeMismatchError):
        f(values[0])


def test_normal_vectors_have_their_covariance() -> None:
    mean, cov = np.array([1.0, -2.0]), np.array([[2.0, 0.6], [0.6, 0.5]])
    x = sample(RandomStream(1).multivariate_normal(mean, cov, size=(MANY,)))
    np.testing.assert_allclose(x.mean(axis=0), mean, atol=0.03)
    np.testing.assert_allclose(np.cov(x.T), cov, atol=0.04)
    whitened = np.linalg.solve(np.linalg.cholesky(cov), (x - mean).T)
    assert stats.kstest(whitened.ravel(), stats.norm.cdf).pvalue > 0.005
    batch = sample(RandomStream(1).multivariate_normal(np.zeros((3, 2)), cov))
    assert batch.shape == (3, 2)
    with pytest.raises(ParameterError, match="positive definite"):
        sample(RandomStream(1).multivariate_normal(mean, -cov))


# Sizes.


def test_a_size_may_be_given_in_every_way() -> None:
    srng = RandomStreams(1)
    x, n, v = T.matrix("x"), T.lscalar("n"), T.lvector("v")
    a = np.zeros((2, 3))
    assert sample(srng.uniform()).shape == ()
    assert sample(srng.uniform(())).shape == ()
    assert sample(srng.uniform(4)).shape == (4,)
    assert sample(srng.uniform([4, 1])).shape == (4, 1)
    assert function([n], srng.uniform((n, 2)))(3).shape == (3, 2)
    assert function([n], srng.uniform(n))(3).shape == (3,)
    assert function([x], srng.uniform(x.shape))(a).shape == (2, 3)
    assert function([x], srng.uniform((x.shape[1],)))(a).shape == (3,)
    assert function([v], srng.uniform(v, ndim=2))([4, 5]).shape == (4, 5)
    assert function([x], srng.normal(avg=x, std=T.constant([1.0, 2, 3])))(a).shape == (2, 3)
    assert function([x], srng.normal((4, -1, 3), avg=x))(a).shape == (4, 2, 3)
    assert function([v], srng.permutation(v, 3, ndim=1))([4]).shape == (4, 3)
    assert srng.uniform((2, 2), ndim=2).ndim == 2


def test_known_lengths_are_in_the_type() -> None:
    srng = RandomStreams(1)
    assert srng.uniform((2, 1)).type == TensorType("float64", (2, 1))
    assert srng.uniform((2, T.lscalar())).type.shape == (2, None)
    assert srng.permutation((2,), 5).type.shape == (2, 5)
    assert srng.multinomial((2,), 1, [0.2, 0.8]).type.shape == (2, 2)


@pytest.mark.parametrize(
    ("size", "options", "error", "match"),
    [
        ((2, 2), {"ndim": 1}, ShapeError, "2 lengths, but ndim is 1"),
        (T.lvector("v"), {}, TypeMismatchError, "how many axes"),
        (T.lmatrix("m"), {}, TypeMismatchError, "how many axes"),
        ((2, 0.5), {}, TypeMismatchError, "whole numbers"),
        ((-2,), {}, ShapeError, "length -2"),
        ((3,), {"low": np.zeros(2)}, ShapeError, "length 3"),
        ((1,), {"low": T.vector()}, ShapeError, "length 1"),
        ((3,), {"low": T.matrix()}, ShapeError, "1 axes is too small"),
        ((3,), {"low": 1j}, TypeMismatchError, "complex"),
        ((3,), {"low": 2.0}, ParameterError, "above the upper"),
        ((3,), {"dtype": "int32"}, ParameterError, "fractions"),
    ],
)
def test_what_does_not_fit_is_said_when_the_draw_is_made(
    size: Any, options: dict[str, Any], error: type[EngineError], match: str
) -> None:
    srng = RandomStreams(1)
    with pytest.raises(error, match=match) as caught:
        srng.uniform(size, **options)
    assert caught.value.expected
    assert srng.state_updates == []


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda s: s.uniform((T.constant(2) - 5,)), "length -3"),
        (lambda s: s.poisson((2,), lam=-1.0), "lam < 0"),
        (lambda s: s.binomial((2,), n=-1, p=0.5), "n < 0"),
        (lambda s: s.random_integers((2,), 3, 1), "low is above high"),
        (lambda s: s.multinomial((2,), 1, [0.5, 0.6]), "sum up to 1"),
        (lambda s: s.choice((2,), 3, p=[0.5, -0.5, 1.0]), "negative"),
    ],
)
def test_there_is_no_such_distribution(make: Any, match: str) -> None:
    with pytest.raises(EngineError, match=match):
        sample(make(RandomStreams(1)))


# Streams.


@pytest.mark.parametrize("mode", ["NUMPY", "NUMBA"])
def test_draws_go_on_alike_whatever_policy_of_casts_is_in_force(
    mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def second() -> list[Array]:
        draws = RandomStreams(5)
        vectors = [
            draws.uniform((4,), dtype="float64"),
            draws.normal((3,), dtype="float64"),
            draws.random_integers((4,)),
            draws.permutation(n=5),
        ]
        f = function([], vectors, mode=mode)
        f()
        found: list[Array] = f()
        return found

    expected = second()
    for policy in ("numpy+floatX", "simple"):
        monkeypatch.setattr(config, "cast_policy", policy)
        for value, alike in zip(second(), expected, strict=True):
            assert value.dtype == alike.dtype
            np.testing.assert_array_equal(value, alike)


def test_successive_calls_differ_and_the_same_seed_repeats_them() -> None:
    f, g, h = (function([], RandomStreams(seed).uniform((2, 2))) for seed in (234, 234, 235))
    first = [f() for _ in range(3)]
    assert not np.any(first[0] == first[1])
    assert np.array_equal(first, [g() for _ in range(3)])
    assert not np.any(first[0] == h())


def test_the_numbers_are_the_same_on_every_machine() -> None:
    srng = RandomStreams(123)
    u, n, i = srng.uniform((2,)), srng.normal((2,)), srng.random_integers((4,), 1, 6)
    f = function([], [u, n, i])
    f()
    second_u, second_n, second_i = f()
    assert second_u.tolist() == [0.9940638106532871, 0.39591214661239804]
    assert second_n == pytest.approx([-0.43851234717577436, -0.9931157962053321], rel=1e-14)
    assert second_i.tolist() == [4, 3, 6, 2]


def test_a_draw_used_twice_is_one_draw() -> None:
    srng = RandomStreams(234)
    u, other = srng.uniform((2, 2)), srng.uniform((2, 2))
    f = function([], [u + u - 2 * u, u - other])
    zeros, difference = f()
    assert not np.any(zeros)
    assert np.all(difference)


def test_no_default_updates_repeats_the_draw() -> None:
    u = RandomStreams(234).uniform((2, 2))
    still = function([], u, no_default_updates=True)
    assert np.array_equal(still(), still())
    moving = function([], u)
    before = moving()
    assert not np.array_equal(moving(), before)


def test_functions_share_the_state_of_a_draw() -> None:
    srng = RandomStreams(234)
    u = srng.uniform((2,))
    f, still = function([], u), function([], u, no_default_updates=True)
    upcoming = still()
    assert np.array_equal(f(), upcoming)
    assert not np.any(still() == upcoming)
    assert u.rng.get_value()[2] == 1


def test_explicit_updates_are_those_of_the_streams() -> None:
    srng = RandomStreams(234)
    u = srng.uniform((2,))
    f = function([], u, updates=srng.updates(), no_default_updates=True)
    g = function([], u, updates=[u.update])
    assert not np.any(f() == g())
    assert u.rng.get_value()[2] == 2


def test_seeding_all_streams_or_one() -> None:
    srng = RandomStreams(234)
    u, n = srng.uniform((2,)), srng.normal((2,))
    f = function([], [u, n])
    first = f()
    srng.seed(902340)
    seeded = f()
    assert not np.any(seeded[0] == first[0])
    like = RandomStreams(902340)
    same = function([], [like.uniform((2,)), like.normal((2,))])()
    assert np.array_equal(same, seeded)
    srng.seed()
    assert np.array_equal(f(), first)
    u.rng.seed(7)
    one = f()
    u.rng.seed(7)
    other = f()
    assert np.array_equal(one[0], other[0])
    assert not np.any(one[1] == other[1])


def test_a_state_is_seeded_in_place_as_theano_s_users_do() -> None:
    u = RandomStreams(234).uniform((2,))
    f = function([], u)
    value = u.rng.get_value(borrow=True)
    value.seed(89234)
    u.rng.set_value(value, borrow=True)
    first = f()
    u.rng.get_value().seed(1)  # a copy
    kept = u.rng.get_value().get_state()
    second = f()
    value = u.rng.get_value(borrow=True)
    value.set_state(kept)
    assert np.array_equal(f(), second)
    u.rng.seed(89234)
    assert np.array_equal(f(), first)


@pytest.mark.parametrize("make", [RandomStreams, MRG_RandomStreams])
def test_states_are_copied_from_streams_to_streams(make: Any) -> None:
    one, two = make(123), make(987)
    f, g = function([], one.uniform((1,))), function([], two.uniform((1,)))
    assert f() != g()
    if make is MRG_RandomStreams:
        two.rstate = one.rstate
    for (a, _), (b, _) in zip(one.state_updates, two.state_updates, strict=True):
        b.set_value(a.get_value())
    assert f() == g()
    if make is MRG_RandomStreams:
        assert sample(one.normal((2,))).tolist() == sample(two.normal((2,))).tolist()


def test_a_state_is_got_and_set_by_its_variable() -> None:
    srng = RandomStreams(1)
    u = srng.uniform((2,))
    f = function([], u)
    kept = np.array(srng[u.rng])
    first = f()
    srng[u.rng] = kept
    assert np.array_equal(f(), first)


def test_streams_without_a_seed_differ() -> None:
    a, b = RandomStreams(), RandomStreams()
    assert sample(a.uniform((2,))).tolist() != sample(b.uniform((2,))).tolist()


@pytest.mark.parametrize("seed", [-1, 1.5, "1", True, [1, -2]])
def test_what_is_no_seed_is_refused(seed: Any) -> None:
    with pytest.raises(ParameterError, match="no seed"):
        RandomStreams(seed)


def test_a_draw_is_known_by_its_state_and_other_variables_have_none() -> None:
    srng = RandomStreams(1)
    u = srng.uniform((2,))
    assert isinstance(u.rng, SharedVariable)
    assert u.update == srng.state_updates[0] == (u.rng, u.rng.default_update)
    assert pp(u.rng.default_update) == "rng0 + [0, 0, 1]"
    with pytest.raises(AttributeError, match="rng"):
        _ = T.dscalar().rng


def test_an_own_distribution_is_drawn_by_gen() -> None:
    def dice(state: Variable, count: int) -> tuple[Variable, Variable]:
        following, draw = raw_random.random_integers(state, (count,), 1, 6)
        return following, draw.sum()

    f = function([], RandomStreams(1).gen(dice, 3))
    assert 3 <= f() <= 18
    assert len({int(f()) for _ in range(50)}) > 5


def test_draws_from_a_given_state() -> None:
    state = raw_random.random_state_type("state")
    following, draw = raw_random.uniform(state, (3,))
    f = function([state], [following, draw])
    first, x = f(philox.first_state(4))
    second, y = f(first)
    assert second.tolist() == [*first[:2], 2]
    assert not np.any(x == y)
    with pytest.raises(TypeMismatchError, match="state of a random stream"):
        raw_random.uniform(T.vector(), (3,))


def test_numpy_s_names_and_order() -> None:
    srng = RandomStream(3)
    assert sample(srng.gamma(2.0, 3.0, size=(4,))).shape == (4,)
    assert sample(srng.normal(100.0, 1e-3)) == pytest.approx(100, abs=0.1)
    assert sample(srng.standard_normal((2,), dtype="float32")).dtype == np.float32
    assert set(sample(srng.integers(3, size=(100,)))) == {0, 1, 2}
    assert set(sample(srng.integers(3, 5, (100,)))) == {3, 4}
    assert sample(srng.laplace(0.0, [1.0, 2.0], size=None)).shape == (2,)
    assert sorted(sample(srng.permutation(4))) == [0, 1, 2, 3]
    assert sample(srng.choice(3, (2,), replace=False, p=[0.5, 0.5, 0.0])).max() <= 1
    assert "vonmises" in dir(srng)
    assert "mean shape times scale" in (srng.gamma.__doc__ or "")
    with pytest.raises(AttributeError, match="no distribution 'nonsense'"):
        srng.nonsense()


def test_a_dtype_is_at_least_as_wide_as_floatx_and_the_parameters(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert RandomStreams(1).uniform((2,)).dtype == "float64"
    assert RandomStreams(1).binomial((2,)).dtype == "int64"
    assert RandomStreams(1).binomial((2,), dtype="float32").dtype == "float32"
    monkeypatch.setattr(config, "floatX", "float32")
    assert RandomStreams(1).uniform((2,), low=0.1).dtype == "float32"
    assert RandomStreams(1).uniform((2,), low=np.array(0.1)).dtype == "float64"
    assert RandomStreams(1).normal((2,), dtype="float64").dtype == "float64"


def test_the_old_name_of_a_chance() -> None:
    assert sample(RandomStreams(1).binomial((3,), prob=1.0)).tolist() == [1, 1, 1]


# Gradients.


def test_gradients_flow_by_mean_and_deviation() -> None:
    m, s, x = T.dvector("m"), T.dscalar("s"), T.dvector("x")
    z = RandomStreams(1).normal(m.shape, m, s)
    cost = T.sum(x * z)
    f = function([m, s, x], [z, *T.grad(cost, [m, s])])
    for _ in range(2):  # the gradient is that of the very numbers that were drawn
        drawn_z, by_m, by_s = f([1.0, 2.0], 3.0, [5.0, 7.0])
        assert by_m.tolist() == [5, 7]
        assert by_s == pytest.approx(np.sum([5, 7] * (drawn_z - [1.0, 2.0])) / 3)


def test_gradients_flow_by_bounds() -> None:
    low, high = T.dscalar("low"), T.dscalar("high")
    u = RandomStreams(1).uniform((3,), low, high)
    f = function([low, high], [u, *T.grad(T.sum(u), [low, high])])
    x, by_low, by_high = f(-1.0, 3.0)
    share = (x + 1) / 4
    assert by_low == pytest.approx(np.sum(1 - share))
    assert by_high == pytest.approx(np.sum(share))


def test_gradients_stop_at_choices_and_are_refused_at_rejection() -> None:
    p, k, s = T.dscalar("p"), T.dscalar("k"), T.dscalar("s")
    for choice in (
        RandomStreams(1).binomial((3,), 1, p),
        RandomStreams(1).binomial((3,), 4, p),
        RandomStreams(1).poisson((3,), p),
        RandomStream(1).geometric(p, size=(3,)),
    ):
        with pytest.raises(DisconnectedInputError):
            T.grad(T.sum(1.5 * choice), p)
    g = RandomStream(1).gamma(k, s, size=(3,))
    with pytest.raises(NullGradientError, match="rejection"):
        T.grad(T.sum(g), k)
    found, by_scale = function([k, s], [g, T.grad(T.sum(g), s)])(2.0, 3.0)
    assert by_scale == pytest.approx(found.sum() / 3)


# Rewrites and native code.


def test_rewrites_keep_different_draws_apart_and_equal_ones_together() -> None:
    srng = RandomStreams(1)
    a, b = srng.uniform((3,)), srng.uniform((3,))
    states = [a.rng, b.rng]
    graph = Graph(states, [a, b, a + a, T.exp(b) + srng.uniform((2,)).sum() * 0])
    optimize(graph)
    bits = [node for node in graph.applies if node.op.name == "random_bits"]
    assert {node.inputs[0] for node in bits} == set(states)
    assert len(bits) == 2


def test_a_draw_of_a_shared_state_is_not_folded() -> None:
    f = function([], RandomStreams(1).uniform((2,)))
    assert any(node.op.name == "random_bits" for node in f.graph.applies)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_native_code_draws_the_same_numbers(dtype: str) -> None:
    results = []
    for mode in ("NUMPY", "NUMBA"):
        srng = RandomStreams(5)
        x = TensorType(dtype, (None, None))("x")
        mask = srng.binomial(x.shape, p=0.5, dtype=dtype)
        noise = srng.normal(x.shape, std=0.1, dtype=dtype)
        some = srng.poisson((2,), 3.0)
        order = srng.permutation((), 5)
        uniform = srng.uniform(x.shape, -1.0, 1.0, dtype=dtype)
        laplace = srng.gen(
            lambda s: (
                s + T.constant(np.array([0, 0, 1], np.uint64)),
                OPS["random_laplace"](s, size=(3,), dtype=dtype),
            )
        )
        f = function([x], [mask * x, x + noise, some, order, uniform, laplace], mode=mode)
        calls = [f(np.ones((2, 3), dtype)) for _ in range(3)]
        results.append((calls, [state.get_value() for state, _ in srng.state_updates]))
        assert bool(f.kernels) == (mode == "NUMBA")
    (slow, slow_states), (fast, fast_states) = results
    close = 1e-6 if dtype == "float32" else 1e-14
    for a, b in zip(slow, fast, strict=True):
        for v, w in zip(a, b, strict=True):
            assert v.dtype == w.dtype
            np.testing.assert_allclose(v, w, rtol=close, atol=close)
        # What needs no function of mathematics is the same to the last bit.
        for i in (0, 2, 3, 4):
            assert np.array_equal(a[i], b[i])
    assert np.array_equal(slow_states, fast_states)
    assert all(state.dtype == np.uint64 and state[2] == 3 for state in fast_states)


def test_debug_mode_finds_draws_to_be_functions_of_their_states() -> None:
    srng, x = RandomStreams(3), T.dmatrix("x")
    noise = srng.normal(x.shape)
    outputs = [noise * x, srng.binomial(x.shape), srng.poisson((2,)), srng.permutation((2,), 4)]
    f, plain = function([x], outputs, mode=DebugMode()), function([x], outputs)
    values = np.ones((2, 3))
    checked = f(values)
    srng.seed()
    for a, b in zip(checked, plain(values), strict=True):
        assert np.array_equal(a, b)
