"""Rewriting changes no number that is drawn, and no update."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import engine.tensor as T
from engine import function, scan, shared
from engine.expression import OPS, Constant, Variable, leaves
from engine.graph import Graph
from engine.ifelse import ifelse
from engine.random import RandomStreams
from engine.rewrite import optimize

Array = np.ndarray[Any, Any]

DRAWN: dict[str, Callable[[RandomStreams, Variable], Variable]] = {
    "uniform": lambda s, x: s.uniform(x.shape, 1.0, 2.0),
    "normal": lambda s, x: s.normal(x.shape, std=T.exp(x)),
    "binomial": lambda s, x: s.binomial(x.shape, p=0.5, dtype="float64"),
    "integers": lambda s, x: T.cast(s.random_integers(x.shape, 0, 9), "float64"),
    "poisson": lambda s, x: T.cast(s.poisson(x.shape, 2.0), "float64"),
    "permutation": lambda s, x: x[s.permutation((), 3)],
    "choice": lambda s, x: s.choice(x.shape, a=[1.0, 2.0, 4.0]),
    "in a loop": lambda s, x: scan(lambda v: v * s.uniform(()), x)[0],
    "with a state": lambda s, x: scan(
        lambda v, last: last * s.uniform((), 0.5, 1.5) + v, x, T.zeros(())
    )[0],
    "in a branch": lambda s, x: ifelse(x[0] > 0, s.uniform((3,)), s.normal((3,))),
}  # fmt: skip
MADE: list[Callable[[Variable, Variable], Variable]] = [
    lambda a, c: a + c, lambda a, c: a * c, lambda a, c: T.exp(-T.sqr(a)), lambda a, c: a - a,
    lambda a, c: a[::-1], lambda a, c: T.switch(a > c, a, c), lambda a, c: T.sum(a) * c,
    lambda a, c: a * 0 + c, lambda a, c: T.log(T.exp(a)) + a, lambda a, c: a + a,
]  # fmt: skip


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_random_programs_draw_and_update_the_same_in_every_call(data: st.DataObject) -> None:
    names = data.draw(st.lists(st.sampled_from(sorted(DRAWN)), min_size=1, max_size=3))
    steps = data.draw(st.lists(st.tuples(*[st.integers(0, 9)] * 3), max_size=5))
    seeded = data.draw(st.booleans())
    found = []
    for mode in ("NONE", "NUMPY"):
        streams = RandomStreams(5)
        x: Variable = T.TensorType("float64", (3,))("x")
        weights, moment = shared(np.ones(3), name="weights"), shared(np.zeros(3), name="moment")
        pool = [x, weights * 1, *(DRAWN[name](streams, x) for name in names)]
        for kind, i, j in steps:
            pool.append(MADE[kind](pool[i % len(pool)], pool[j % len(pool)]))
        slow = moment * 0.5 + pool[-1]
        f = function([x], pool, mode=mode, updates={moment: slow, weights: weights - 0.1 * slow})
        if seeded:
            streams.seed(11)
        calls = [f([0.5, -1.0, float(k)]) for k in range(3)]
        states = [state.get_value() for state in f.get_shared()]
        found.append((calls, states))
    (plain, last), (rewritten, after) = found
    for a, b in zip(plain, rewritten, strict=True):
        for at, (v, w) in enumerate(zip(a, b, strict=True)):
            assert (v.dtype, v.shape) == (w.dtype, w.shape)
            if 2 <= at < 2 + len(names) and names[at - 2] != "with a state":
                assert np.array_equal(v, w)
            np.testing.assert_allclose(v, w, rtol=1e-9, atol=1e-12)
    for v, w in zip(last, after, strict=True):
        if v.dtype == "uint64":
            assert np.array_equal(v, w), "the state of a stream"
        np.testing.assert_allclose(v, w, rtol=1e-9, atol=1e-12)


def words(*outputs: Variable) -> list[Any]:
    """The states of which the rewritten graph draws words, with those inside of loops."""
    graph = Graph([v for v in leaves(outputs) if not isinstance(v, Constant)], outputs)
    optimize(graph, check=True)
    found = []
    waiting = list(graph.toposort())
    while waiting:
        node = waiting.pop()
        found += [node.inputs[0]] if node.op.name == "random_bits" else []
        waiting += node.params["block"].applies() if node.op.higher_order else []
    return found


def test_draws_of_equal_states_and_sizes_are_one() -> None:
    state = RandomStreams(3).uniform((2,)).rng
    ops = [OPS["random_uniform"](state, 0.0, 1.0, size=(2,), dtype="float64") for _ in range(2)]
    assert words(ops[0] * 2, T.exp(ops[1])) == [state]
    other = OPS["random_uniform"](state, 0.0, 1.0, size=(3,), dtype="float64")
    assert words(ops[0], other) == [state, state]


def test_equal_seeds_are_not_equal_states() -> None:
    """A state may be set to something else at any time."""
    draws = [RandomStreams(3).uniform((2,)) for _ in range(2)]
    assert len(words(*draws)) == 2
    f = function([], draws)
    first, second = f()
    assert np.array_equal(first, second)
    draws[1].rng.set_value(RandomStreams(4).uniform((2,)).rng.get_value())
    first, second = f()
    assert not np.array_equal(first, second)


def test_draws_of_one_stream_are_never_one() -> None:
    streams = RandomStreams(3)
    draws = [streams.normal((2,)) for _ in range(3)]
    assert len(words(*draws)) == 3
    assert len(words(draws[0] - draws[1])) == 2


def test_a_draw_in_a_loop_stays_in_it() -> None:
    x = T.dvector("x")
    noisy, updates = scan(lambda v: v + RandomStreams(3).normal(()), x)
    assert len(words(noisy)) == 1
    f = function([x], noisy, updates=updates)
    assert len({*f([0.0] * 5), *f([0.0] * 5)}) == 10


def test_the_shape_of_a_draw_needs_no_draw() -> None:
    x = T.dmatrix("x")
    assert words(RandomStreams(3).normal(x.shape).shape) == []


def test_equal_updates_are_computed_once_and_all_take_effect() -> None:
    x = T.dscalar("x")
    one, two, still = shared(1.0), shared(2.0), shared(3.0)
    f = function([x], [], updates={one: T.exp(x) + 1, two: T.exp(x) + 1, still: still})
    assert [n.op.name for n in f.graph.toposort()].count("exp") == 1
    f(0.0)
    assert [v.get_value() for v in (one, two, still)] == [2, 2, 3]


def test_updates_are_computed_of_the_old_values() -> None:
    one, two = shared(1.0), shared(2.0)
    f = function([], one + two, updates={one: two * 1, two: one + 0})
    assert [f(), f()] == [3, 3]
    assert [one.get_value(), two.get_value()] == [1, 2]
