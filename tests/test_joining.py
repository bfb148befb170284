"""Tensors put together and taken apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import engine.tensor as T
from engine import function, grad
from engine.codegen import compile_graph
from engine.errors import EngineError, ShapeError, TypeMismatchError
from engine.expression import Variable
from engine.graph import Graph
from tests.targets import computed

M = np.arange(6.0).reshape(2, 3)


def refused(make: Callable[[], Any], error: type[EngineError], text: str) -> None:
    with pytest.raises(error, match=text):
        make()


def test_joined_in_theano_s_order_and_in_numpy_s() -> None:
    x, y = T.dmatrices("x", "y")
    for joined in (T.join(1, x, y), T.concatenate([x, y], axis=1), T.concatenate((x, y), -1)):
        assert computed(joined, {x: M, y: [[9], [8]]}).tolist() == [[0, 1, 2, 9], [3, 4, 5, 8]]
    assert T.join(0, x) is x
    assert T.concatenate([x, T.imatrix()]).dtype == "float64"
    refused(lambda: T.concatenate(x, y), TypeMismatchError, "must be a list")
    refused(lambda: T.join(0, x, T.dvector()), TypeMismatchError, "of 2, 1 dimensions")
    refused(lambda: T.join(2, x, y), ShapeError, "There is no axis 2")


@pytest.mark.parametrize("mode", ["NUMPY", "NUMBA"])
def test_the_shape_of_what_cannot_be_joined_is_an_error_too(mode: str) -> None:
    x, y = T.dmatrices("x", "y")
    joined = T.join(0, x, y)
    for wanted in (joined, joined.shape, joined.shape[0], joined.size):
        f = function([x, y], wanted, mode=mode)
        with pytest.raises(ShapeError, match=r"\(5, 4\) and \(3, 3\) .* differ on axis 1"):
            f(np.ones((5, 4)), np.ones((3, 3)))


def test_lengths_that_depend_on_values_are_checked_when_they_are_there() -> None:
    x, n = T.dmatrix("x"), T.lscalar("n")
    joined = T.join(0, x, T.zeros((1, n)))
    assert joined.eval({x: M, n: 3}).shape == (3, 3)
    refused(
        lambda: joined.eval({x: M, n: 2}), ShapeError, r"\(2, 3\) and \(1, 2\) cannot be joined"
    )


def test_slopes_of_joined_tensors_again_and_again() -> None:
    x, y = T.dvectors("x", "y")
    cost = (T.join(0, x, y) ** 3).sum()
    values = {x: [1.0, 2.0], y: [3.0]}
    first = grad(cost, [x, y])
    assert [v.tolist() for v in computed(first, values)] == [[3, 12], [27]]
    second = grad((first[0] * x).sum() + first[1].sum(), [x, y])
    assert [v.tolist() for v in computed(second, values)] == [[9, 36], [18]]
    third = grad(second[0].sum(), x)
    assert computed(third, values).tolist() == [18, 36]


def test_stacked_on_any_axis() -> None:
    tensors = [T.dtensor4(name) for name in "abc"]
    values = {t: np.full((2, 2, 2, 2), i) for i, t in enumerate(tensors)}
    for axis in (0, 3, -2, 4):
        found = computed(T.stack(tensors, axis=axis), values)
        np.testing.assert_array_equal(found, np.stack(list(values.values()), axis))
    assert T.stack(tensors, 3).eval(values).shape == (2, 2, 2, 3, 2)
    assert computed(T.stack(*tensors), values).shape == (3, 2, 2, 2, 2)


def test_numbers_are_stacked_to_a_vector() -> None:
    a, n = T.dscalar("a"), T.iscalar("n")
    assert computed(T.stack([a, n, 3]), {a: 1.5, n: 2}).tolist() == [1.5, 2, 3]
    assert computed(T.stack(a, n), {a: 1.5, n: 2}).tolist() == [1.5, 2]
    nested = T.stacklists([[a, n], [n, a]])
    assert computed(nested, {a: 1.5, n: 2}).tolist() == [[1.5, 2], [2, 1.5]]
    m = T.dmatrix("m")
    assert T.stacklists([[m, m], [m, m]]).eval({m: np.ones((4, 4))}).shape == (2, 2, 4, 4)
    assert T.stacklists(m) is m


def test_what_cannot_be_stacked() -> None:
    x, y = T.dmatrices("x", "y")
    refused(lambda: T.stack([]), ShapeError, "nothing to stack")
    refused(lambda: T.stack([x, T.dvector()]), TypeMismatchError, "2, 1 dimensions cannot be")
    refused(lambda: T.stack([x, y]).eval({x: M, y: M.T}), ShapeError, "differ on axis 0")
    refused(lambda: T.stack([x, y], 3), ShapeError, "There is no axis 3")


def test_matrices_side_by_side_and_below_each_other() -> None:
    x, y = T.dmatrices("x", "y")
    values = {x: M, y: M + 10}
    beside, below = computed([T.horizontal_stack(x, y), T.vertical_stack(x, y)], values)
    np.testing.assert_array_equal(beside, np.hstack([M, M + 10]))
    np.testing.assert_array_equal(below, np.vstack([M, M + 10]))
    refused(lambda: T.vertical_stack(x, T.dvector()), TypeMismatchError, "Two matrices or more")
    refused(lambda: T.horizontal_stack(x), TypeMismatchError, "Two matrices or more")


# Split.


def test_theano_s_example_of_split() -> None:
    x, splits = T.vector("x"), T.lvector("splits")
    parts = T.split(x, splits, n_splits=3, axis=0)
    a, b, c = function([x, splits], parts)([0, 1, 2, 3, 4, 5], [3, 2, 1])
    assert (a.tolist(), b.tolist(), c.tolist()) == ([0, 1, 2], [3, 4], [5])


def test_parts_of_known_lengths_are_views() -> None:
    x = T.dmatrix("x")
    parts = T.split(x, [1, 0, 2], 3, axis=1)
    assert [p.type.shape for p in parts] == [(None, 1), (None, 0), (None, 2)]
    assert [v.tolist() for v in computed(parts, {x: M})] == [
        [[0], [3]],
        [[], []],
        [[1, 2], [4, 5]],
    ]
    native = compile_graph(Graph([x], [parts[2] * parts[2]]), {x: (2, 3)})
    assert [k.ops for k in native.kernels] == [("mul",)]


def test_slopes_of_parts() -> None:
    x, splits = T.dvector("x"), T.lvector("splits")
    values: dict[Variable, Any] = {x: [1, 2, 3, 4], splits: [1, 3]}
    for sizes, native in (([1, 3], True), (splits, False)):
        a, b = T.split(x, sizes, 2)
        slope = grad((a.sum() * b**2).sum(), x)
        found = computed([slope, grad(slope[1], x)], values, native=native)
        assert [v.tolist() for v in found] == [[29, 4, 6, 8], [4, 2, 0, 0]]


def test_parts_that_do_not_add_up() -> None:
    x, splits = T.dvector("x"), T.lvector("splits")
    refused(
        lambda: T.split(x, [1, 2], 2)[0].eval({x: [1.0]}),
        ShapeError,
        "Axis 0 of length 1 cannot be split into 2 parts of lengths 1, 2",
    )
    refused(lambda: T.split(x, [1, 2], 3), ShapeError, "split into 3 parts of lengths 1, 2")
    refused(lambda: T.split(x, [-1, 2], 2), ShapeError, "parts of lengths -1, 2")
    refused(lambda: T.split(x, 3, 2), TypeMismatchError, "must be an integer vector")
    f = function([x, splits], T.split(x, splits, 2), mode="NUMBA")
    with pytest.raises(ShapeError, match="cannot be split into 2 parts of lengths 5, 6"):
        f([1, 2], [5, 6])
