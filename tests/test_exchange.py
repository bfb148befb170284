"""Arrays that kernels read and write where they are, and the memory in between."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import engine.tensor as T
from engine import Out, function, shared
from engine.codegen import compile_graph
from engine.codegen.layout import Storage
from engine.codegen.memory import Arena
from engine.graph import Graph

Array = np.ndarray[Any, Any]
LARGE = 10_000
"""Elements that are too many to be copied."""


def large(*shape: int) -> Array:
    return np.random.default_rng(1).normal(size=shape or (LARGE,))


def test_arguments_are_read_as_they_lie() -> None:
    x, y = T.vector("x"), T.vector("y")
    f = function([x, y], x - 2 * y, mode="NUMBA")
    a, b = large(), large()[::-1]
    np.testing.assert_array_equal(f(a, b), a - 2 * b)
    wide = large(LARGE, 3)
    np.testing.assert_array_equal(f(wide[:, 1], wide[:, 1]), -wide[:, 1])
    beside = np.frombuffer(bytearray(b"\0" + a.tobytes()), np.float64, offset=1, count=LARGE)
    assert not beside.flags.aligned
    np.testing.assert_array_equal(f(beside, a), -a)
    read_only = a.copy()
    read_only.flags.writeable = False
    np.testing.assert_array_equal(f(read_only, read_only), -a)
    np.testing.assert_array_equal(a, large())


def test_results_belong_to_the_caller() -> None:
    x = T.vector("x")
    f = function([x], [x + 1, x, x[::2], x + 1], mode="NUMBA")
    a, b = large(), -large()
    first, second = f(a), f(b)
    for results, given in ((first, a), (second, b)):
        for got, expected in zip(results, [given + 1, given, given[::2], given + 1], strict=True):
            np.testing.assert_array_equal(got, expected)
    first[0][:] = 0
    np.testing.assert_array_equal(second[0], b + 1)
    np.testing.assert_array_equal(first[3], a + 1)
    assert not np.shares_memory(first[1], a)


def test_memory_of_a_result_is_used_again_only_when_nobody_has_it() -> None:
    x = T.vector("x")
    f = function([x], 2 * x, mode="NUMBA")
    a = large()
    part = f(a)[5:]  # only a part of the result is held
    results = [f(k * a) for k in range(5)]
    np.testing.assert_array_equal(part, 2 * a[5:])
    for k, result in enumerate(results):
        np.testing.assert_array_equal(result, 2 * k * a)
    places = {f(a).ctypes.data for _ in range(20)}
    assert len(places) <= 2


def test_borrowed_results_and_shared_values() -> None:
    w = shared(large(), "w")
    x = T.vector("x")
    f = function([x], Out(w * x, borrow=True), updates=[(w, w + x)], mode="NUMBA")
    a, total = np.ones(LARGE), large()
    held = w.get_value(borrow=True)
    for _ in range(4):
        np.testing.assert_array_equal(f(a), total * a)
        total = total + a
    np.testing.assert_array_equal(held, large())
    np.testing.assert_array_equal(w.get_value(), total)


def test_large_constants_and_ops_of_numpy() -> None:
    x = T.vector("x")
    table = T.constant(large())
    f = function([x], [T.sort(x) + table, table, table * x], mode="NUMBA")
    a = large()[::-1].copy()
    for got, expected in zip(f(a), [np.sort(a) + large(), large(), large() * a], strict=True):
        np.testing.assert_array_equal(got, expected)


def test_what_is_needed_for_a_while_shares_its_place() -> None:
    x = T.matrix("x")
    y = x
    for _ in range(20):
        y = T.dot(T.tanh(y), x)
    native = compile_graph(Graph([x], [y]), {x: (100, 100)})
    one = 100 * 100 * 8
    assert native.peak_bytes < 5 * one, "the input, the output, and two at a time in between"
    a = large(100, 100) / 10
    native.inputs[x][...] = a
    native.call()
    expected = a
    for _ in range(20):
        expected = np.tanh(expected) @ a
    np.testing.assert_allclose(native.outputs[0], expected, rtol=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_what_is_needed_at_the_same_time_does_not(seed: int) -> None:
    rng = np.random.default_rng(seed)
    storages = [
        Storage("uint8", int(rng.integers(0, 1000)), kept=bool(k % 7 == 0)) for k in range(60)
    ]
    uses: list[list[Storage]] = [[] for _ in range(40)]
    spans: dict[Storage, tuple[int, int]] = {}
    for storage in storages:
        first, last = sorted(rng.integers(0, 40, 2))
        uses[first].append(storage)
        if last > first:
            uses[last].append(storage)
        spans[storage] = (-1, 40) if storage.kept else (first, last)
    arena = Arena(uses)
    places = [(arena.address(s), arena.address(s) + max(s.bytes, 1), *spans[s]) for s in storages]
    for k, (begin, end, first, last) in enumerate(places):
        assert begin % 64 == 0
        for begin2, end2, first2, last2 in places[:k]:
            apart = last < first2 or last2 < first
            assert apart or end <= begin2 or end2 <= begin
    assert arena.bytes < sum(-(-s.bytes // 64) * 64 for s in storages)
