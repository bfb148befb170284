"""Order: what comes first, the largest ones, places in a row, what occurs how often."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import engine.tensor as T
from engine import function, grad
from engine.errors import EngineError, ParameterError, ShapeError, TypeMismatchError
from engine.expression import Variable
from tests.targets import computed

M = np.array([[3.0, -1.0, 2.0, 3.0], [0.0, 5.0, -2.0, 1.0]])


def refused(make: Callable[[], Any], error: type[EngineError], text: str) -> None:
    with pytest.raises(error, match=text):
        make()


# Sorting.


@pytest.mark.parametrize("axis", [-1, 0, 1, None])
@pytest.mark.parametrize("kind", ["quicksort", "mergesort", "heapsort", "stable"])
def test_sorted_as_numpy_does(axis: Any, kind: str) -> None:
    x = T.dmatrix("x")
    values, places = computed([x.sort(axis, kind), x.argsort(axis, kind)], {x: M})
    np.testing.assert_array_equal(values, np.sort(M, axis, kind))
    np.testing.assert_array_equal(places, np.argsort(M, axis, kind))
    assert places.dtype == np.int64


def test_slopes_follow_the_elements() -> None:
    x = T.dmatrix("x")
    w = T.constant(np.array([[1.0, 10, 100, 1000], [2, 20, 200, 2000]]))
    found = computed(grad((T.sort(x, kind="stable") * w).sum(), x), {x: M})
    assert found.tolist() == [[100, 1, 10, 1000], [20, 2000, 2, 200]]
    flat = computed(grad((x.sort(axis=None, kind="stable") * w.flatten()).sum(), x), {x: M})
    assert flat.tolist() == [[20, 10, 2, 200], [100, 2000, 1, 1000]]
    bent = grad((grad((T.sort(x) ** 3).sum(), x) * x).sum(), x)
    np.testing.assert_allclose(computed(bent, {x: M}), 9 * M**2)


def test_nan_comes_last_and_bools_and_complex_numbers_are_sorted_too() -> None:
    x, b, z = T.dvector("x"), T.TensorType("bool", (None,))("b"), T.zvector("z")
    values = computed([x.sort(), b.sort(), z.sort()],
                      {x: [np.nan, 1, 0], b: [True, False], z: [1 + 2j, 1 - 2j]})  # fmt: skip
    np.testing.assert_array_equal(values[0], [0, 1, np.nan])
    assert values[1].tolist() == [False, True]
    assert values[2].tolist() == [1 - 2j, 1 + 2j]


def test_what_cannot_be_sorted() -> None:
    x = T.dvector("x")
    refused(lambda: x.sort(1), ShapeError, "There is no axis 1")
    refused(lambda: T.sort(x, kind="bogosort"), ParameterError, "kind cannot be 'bogosort'")
    refused(lambda: T.sort(x, order=["a"]), ParameterError, "no fields to be sorted by")


# The largest or smallest.


def test_the_largest_come_first_and_of_equal_ones_the_first() -> None:
    x = T.dmatrix("x")
    values, places = computed(T.topk_and_argtopk(x, 3), {x: M})
    assert values.tolist() == [[3, 3, 2], [5, 1, 0]]
    assert places.tolist() == [[0, 3, 2], [1, 3, 0]]
    assert computed(T.topk(x, 1, axis=0), {x: M}).tolist() == [[3, 5, 2, 3]]
    assert computed(T.argtopk(x, 2, axis=None), {x: M}).tolist() == [5, 0]


def test_below_zero_it_is_the_smallest() -> None:
    x = T.dmatrix("x")
    values, places = computed(T.topk_and_argtopk(x, -2, idx_dtype="int32"), {x: M})
    assert values.tolist() == [[-1, 2], [-2, 0]]
    assert places.tolist() == [[1, 2], [2, 0]]
    assert places.dtype == np.int32


@pytest.mark.parametrize("kth", [1, 2, 4, -1, -3, -4])
def test_unsorted_they_stand_as_they_stood(kth: int) -> None:
    x = T.dmatrix("x")
    values, places = computed(T.topk_and_argtopk(x, kth, sorted=False), {x: M})
    assert (np.diff(places) > 0).all()
    ranked = np.sort(M)
    expected = ranked[:, -kth:] if kth > 0 else ranked[:, :-kth]
    np.testing.assert_array_equal(np.sort(values), expected)
    np.testing.assert_array_equal(np.take_along_axis(M, places, 1), values)


def test_how_many_may_be_computed() -> None:
    x, k = T.dvector("x"), T.iscalar("k")
    f = function([x, k], [T.topk(x, k), grad(T.topk(x, k).sum(), x)])
    assert [v.tolist() for v in f([3, 1, 2], 2)] == [[3, 2], [1, 0, 1]]
    assert [v.tolist() for v in f([3, 1, 2], -1)] == [[1], [0, 1, 0]]
    assert T.topk(x, 2).type.shape == (2,)
    with pytest.raises(ShapeError, match=r"The 4 largest of 3 elements cannot be taken"):
        f([3, 1, 2], 4)
    refused(lambda: T.topk(x, 0), ShapeError, "The 0 largest")
    refused(lambda: T.topk(x, 1.5), TypeMismatchError, "must be integers")
    refused(lambda: T.topk(x, 1, idx_dtype="float32"), TypeMismatchError, "must be integers")


def test_slope_of_the_largest() -> None:
    x = T.dmatrix("x")
    cost = (T.topk(x, 2) * T.constant([1.0, 10.0])).sum()
    assert computed(grad(cost, x), {x: M}).tolist() == [[1, 0, 0, 10], [0, 1, 0, 10]]


# Places in a sorted row.


def test_theano_s_examples_of_searchsorted() -> None:
    row = [1, 2, 3, 4, 5]
    assert T.extra_ops.searchsorted(row, 3).eval() == 2
    assert T.extra_ops.searchsorted(row, 3, side="right").eval() == 3
    assert T.extra_ops.searchsorted(row, [-10, 10, 2, 3]).eval().tolist() == [0, 5, 1, 2]
    x = T.dvector("x")
    assert computed(x.searchsorted(3), {x: row}) == 2


def test_a_sorter_tells_the_order() -> None:
    x = T.dvector("x")
    place = x.searchsorted([2.5, 0.0], sorter=x.argsort())
    assert computed(place, {x: [3, 1, 2]}).tolist() == [2, 0]


def test_only_vectors_are_searched() -> None:
    refused(lambda: T.searchsorted(T.dmatrix(), 1), TypeMismatchError, "in a sorted vector")
    refused(lambda: T.searchsorted(T.dvector(), 1, "middle"), ParameterError, "left or right|side")


# What occurs, and how often.


def test_theano_s_examples_of_unique() -> None:
    x, y = T.vector("x"), T.matrix("y")
    f = function([x], T.extra_ops.Unique(True, True, False)(x))
    values, index, inverse = f([1, 2.0, 3, 4, 3, 2, 1.0])
    assert values.tolist() == [1, 2, 3, 4]
    assert index.tolist() == [0, 1, 2, 3]
    assert inverse.tolist() == [0, 1, 2, 3, 2, 1, 0]
    g = function([y], T.extra_ops.Unique(True, True, False)(y))
    assert [v.tolist() for v in g([[1, 1, 1.0], (2, 3, 3.0)])] == [
        [1, 2, 3],
        [0, 3, 4],
        [0, 0, 0, 1, 2, 2],
    ]


def test_unique_as_numpy_calls_it() -> None:
    x = T.dmatrix("x")
    values = T.unique(x)
    assert isinstance(values, Variable)
    given = {x: [[1, 2], [0, 0], [1, 2]]}
    assert computed(values, given, native=False).tolist() == [0, 1, 2]
    rows, counts = computed(T.unique(x, return_counts=True, axis=0), given, native=False)
    assert rows.tolist() == [[0, 0], [1, 2]]
    assert counts.tolist() == [1, 2]


def test_the_first_of_equal_elements_gets_the_slope() -> None:
    x = T.dvector("x")
    cost = (T.unique(x) * T.constant([1.0, 10.0])).sum()
    assert computed(grad(cost, x), {x: [4, 3, 4]}, native=False).tolist() == [10, 1, 0]


def test_counting() -> None:
    i, w, n = T.ivector("i"), T.fvector("w"), T.lscalar("n")
    given: dict[Variable, Any] = {i: [1, 1, 3], w: [0.5, 1, 2], n: 6}
    outputs = [
        T.bincount(i),
        T.bincount(i, w),
        T.bincount(i, minlength=5),
        T.bincount(i, minlength=n),
    ]
    found = computed(outputs, given, native=False)
    assert [v.tolist() for v in found] == [
        [0, 2, 0, 1],
        [0, 1.5, 0, 2],
        [0, 2, 0, 1, 0],
        [0, 2, 0, 1, 0, 0],
    ]
    assert [v.dtype for v in found] == ["int64", "float32", "int64", "int64"]
    slope = grad((T.bincount(i, w) ** 2).sum(), w)
    assert computed(slope, given, native=False).tolist() == [3, 3, 4]
    assert computed(T.bincount(i), {i: []}, native=False).tolist() == []


def test_what_cannot_be_counted() -> None:
    i = T.ivector("i")
    refused(lambda: T.bincount(T.dvector()), TypeMismatchError, "Only .* an integer vector")
    for checked in (False, True):
        counts = T.bincount(i, assert_nonneg=checked)
        refused(lambda counts=counts: counts.eval({i: [2, -1]}), ShapeError, "the least of them -1")
    refused(lambda: T.bincount(i, [1.0]).eval({i: [2, 1]}), ShapeError, "with 1 weights")


def test_an_integer_of_eight_bits_counts_further() -> None:
    b = T.bvector("b")
    assert computed(T.bincount(b), {b: [1] * 200}, native=False).tolist() == [0, 200]
