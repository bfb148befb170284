"""Tensors made of shapes and values, ranges, windows, diagonals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.signal import windows

import engine.tensor as T
from engine import config, function, grad
from engine.errors import EngineError, ParameterError, ShapeError, TypeMismatchError
from engine.expression import Constant, Variable
from tests.targets import computed

M = np.arange(6.0).reshape(2, 3)


def refused(make: Callable[[], Any], error: type[EngineError], text: str) -> None:
    with pytest.raises(error, match=text):
        make()


# The same value everywhere.


@pytest.mark.parametrize(("make", "value"), [(T.zeros, 0), (T.ones, 1), (T.empty, 0)])
def test_zeros_and_ones_of_any_shape(make: Callable[..., Variable], value: int) -> None:
    n, s = T.lscalar("n"), T.lvector("s")
    assert make(3).type == T.TensorType("float64", (3,))
    assert make((2, 1)).broadcastable == (False, True)
    assert make((2, 3), dtype="int32").dtype == "int32"
    assert make(()).ndim == 0
    for shape in ((n, 3), [n, T.constant(3)], T.stack([n, 3]), (n, n + 1)):
        found = make(shape).eval({n: 2})
        assert (found == np.full((2, 3), value)).all()
    assert make(n).eval({n: 4}).shape == (4,)
    refused(lambda: make(s), ShapeError, "length of the shape s is not known")
    refused(lambda: make(-1), ShapeError, r"no tensor of shape \(-1,\)")
    refused(lambda: make((n, 2)).eval({n: -2}), ShapeError, r"no tensor of shape \(-2, 2\)")
    refused(lambda: make(2.5), TypeMismatchError, "A length must be a whole number")


def test_they_follow_floatx(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "floatX", "float32")
    made = [T.zeros(2), T.ones((T.lscalar(), 1)), T.eye(2), T.tri(2), T.identity(2)]
    made.append(T.linspace(0, 1, 3))
    assert {v.dtype for v in made} == {"float32"}


def test_full_has_numpy_s_order_and_alloc_has_theano_s() -> None:
    n, v = T.lscalar("n"), T.dvector("v")
    assert T.full((2, 2), 7.5).eval().tolist() == [[7.5, 7.5], [7.5, 7.5]]
    assert T.full((n, 2), 7, dtype="float32").eval({n: 1}).dtype == np.float32
    given: dict[Variable, Any] = {n: 2, v: [1, 2]}
    for made in (T.alloc(v, n, 2), T.alloc(v, [n, 2]), T.full((n, 2), v)):
        assert computed(made, given, native=False).tolist() == [[1, 2], [1, 2]]
    assert computed(T.alloc(v, 3, v.shape[0]), {v: [1, 2]}).tolist() == [[1, 2]] * 3
    refused(lambda: T.alloc(T.dmatrix(), n), ShapeError, "does not fill the shape")
    refused(lambda: T.alloc(v, 2, 3).eval({v: [1.0]}), ShapeError, r"\(1,\) does not fill")
    refused(lambda: T.alloc(v, n, 2.0), TypeMismatchError, "A length must be a whole number")


def test_a_number_that_fills_a_tensor_is_int64_or_floatx(monkeypatch: pytest.MonkeyPatch) -> None:
    n = T.lscalar("n")
    for fill in (lambda v: T.alloc(v, n, 3), lambda v: T.full((2, n), v)):
        assert [fill(v).dtype for v in (0.0, 1.1, 1, True)] == ["float64"] * 2 + ["int64", "bool"]
        assert fill(np.float32(0)).dtype == "float32"
        assert fill(T.constant(0)).dtype == "int8"
    squares = T.set_subtensor(T.alloc(0.0, n, 3)[:, 1:], T.dmatrix("x") ** 2)
    np.testing.assert_array_equal(squares.eval({n: 1, "x": [[0.1, 3]]}), [[0, 0.1**2, 9]])
    monkeypatch.setattr(config, "floatX", "float32")
    assert T.alloc(0.0, n).dtype == "float32"


def test_slope_of_what_is_stretched() -> None:
    r, n = T.drow("r"), T.lscalar("n")
    cost = (T.alloc(r, n, 2, 3) * T.constant(M)).sum()
    slope = grad(cost, r)
    assert slope.broadcastable == (True, False)
    given: dict[Variable, Any] = {r: [[1, 1, 1]], n: 2}
    assert computed(slope, given, native=False).tolist() == [[6, 10, 14]]


def test_in_the_shape_of_another_tensor() -> None:
    x, i, z = T.fmatrix("x"), T.ivector("i"), T.zvector("z")
    made = [
        T.zeros_like(x),
        x.ones_like(),
        T.ones_like(i, dtype="float64"),
        T.zeros_like(x, opt=True),
        T.full_like(x, 7),
        T.full_like(i, 2.5, dtype="float64"),
        T.fill(x, 5),
        T.zeros_like(z, dtype="float32"),
    ]
    found = computed(made, {x: M, i: [1, 2], z: [1j]})
    dtypes = ["float32", "float32", "float64", "float32", "float32", "float64", "int8"]
    assert [v.dtype.name for v in found] == [*dtypes, "float32"]
    assert [v.ravel()[0] for v in found] == [0, 1, 1, 0, 7, 2.5, 5, 0]


def test_constants_and_what_becomes_a_tensor() -> None:
    n, v = T.lscalar("n"), T.dvector("v")
    assert T.constant(3, "c", dtype="float32").name == "c"
    assert T.constant([1.0, 2.0], ndim=3).type.shape == (1, 1, 2)
    assert T.as_tensor(v) is v
    assert T.as_tensor_variable(v, ndim=2).broadcastable == (True, False)
    assert isinstance(T.as_tensor([[1, 2]]), Constant)
    assert T.as_tensor([1, n]).eval({n: 5}).tolist() == [1, 5]
    refused(lambda: T.as_tensor(T.dmatrix(), ndim=1), ShapeError, "has 2 axes, more than 1")


# Ranges.


def test_dtypes_of_ranges_are_theano_s() -> None:
    u, k, f = T.TensorType("uint8", ())("u"), T.iscalar("k"), T.fscalar("f")
    assert [T.arange(x).dtype for x in (10, k, u, f, 2.5, 2.1)] == [
        "int64",
        "int64",
        "int64",  # of int8, which is what the 0 at the start is, and uint8
        "float32",
        "float32",
        "float64",
    ]
    assert T.arange(u, u, u).dtype == "uint64"
    assert T.arange(0, 1, 0.5).dtype == "float32"
    assert T.arange(k, dtype="float32").dtype == "float32"


@pytest.mark.parametrize(
    "ends", [(4,), (1, 5), (5, 1), (5, 0, -2), (0, 10, 3), (0.0, 1.0, 0.1), (2.5, 0, -0.7), (0,)]
)
def test_ranges_have_a_known_length_where_their_ends_are_known(ends: tuple[Any, ...]) -> None:
    made = T.arange(*ends)
    expected = np.arange(*ends)
    assert made.type.shape == expected.shape
    np.testing.assert_allclose(made.eval(), expected, rtol=1e-6)
    inputs = [T.lscalar() if isinstance(e, int) else T.dscalar() for e in ends]
    free = T.arange(*inputs)
    assert free.type.shape == (None,)
    np.testing.assert_allclose(free.eval(dict(zip(inputs, ends, strict=True))), expected)


def test_a_range_of_one_number_does_not_stretch() -> None:
    assert T.arange(1).broadcastable == (False,)


def test_ranges_that_are_none() -> None:
    n, k = T.lscalar("n"), T.lscalar("k")
    refused(lambda: T.arange(1, 2, 0), ParameterError, "no range from 1 to 2 in steps of 0")
    refused(lambda: T.arange(1, n, k).eval({n: 5, k: 0}), ParameterError, "in steps of 0")
    refused(lambda: T.arange(np.inf), ParameterError, "no range from 0 to inf")
    refused(lambda: T.arange(T.dvector()), TypeMismatchError, "are single numbers")
    refused(lambda: T.arange(T.zscalar()), TypeMismatchError, "Complex numbers have no order")
    refused(lambda: T.arange(2, dtype="bool"), ParameterError, "no range of bool")


def test_slopes_of_ranges() -> None:
    start, stop, step = T.dscalars("start", "stop", "step")
    cost = (T.arange(start, stop, step) * T.constant([1.0, 10.0, 100.0])).sum()
    slopes = grad(cost, [start, stop, step], disconnected_inputs="ignore")
    assert function([start, stop, step], slopes)(0.5, 1.6, 0.5) == [111, 0, 210]


def test_points_at_even_distances() -> None:
    a, b, n = T.dscalar("a"), T.dscalar("b"), T.lscalar("n")
    given: dict[Variable, Any] = {a: -1, b: 2, n: 4}
    made = [
        T.linspace(a, b, n),
        T.linspace(a, b, n, endpoint=False),
        T.logspace(a, b, n),
        T.logspace(a, b, n, base=2.0),
        T.linspace(a, b, 1),
        T.linspace(a, b, 0),
        T.linspace(a, b),
    ]
    expected = [
        np.linspace(-1, 2, 4),
        np.linspace(-1, 2, 4, endpoint=False),
        np.logspace(-1, 2, 4),
        np.logspace(-1, 2, 4, base=2),
        [-1],
        [],
        np.linspace(-1, 2),
    ]
    for found, right in zip(computed(made, given, native=False), expected, strict=True):
        np.testing.assert_allclose(found, right)
    slopes = grad((made[0] * T.constant([1.0, 10.0, 100.0, 1000.0])).sum(), [a, b])
    np.testing.assert_allclose(computed(slopes, given, native=False), [41.0, 1070.0])
    refused(lambda: T.linspace(0, 1, -1), ParameterError, "There cannot be -1 points")
    refused(lambda: T.linspace(0, 1, 2.5), TypeMismatchError, "whole number")


@pytest.mark.parametrize("name", ["bartlett", "blackman", "hamming", "hanning"])
@pytest.mark.parametrize("points", [0, 1, 2, 7, 8])
def test_windows_are_scipy_s(name: str, points: int) -> None:
    made = getattr(T, name)(points)
    assert made.type == T.TensorType("float64", (points,), (False,))
    expected = getattr(windows, "hann" if name == "hanning" else name)(points)
    np.testing.assert_allclose(made.eval(), expected, atol=1e-15)
    n = T.iscalar("n")
    np.testing.assert_allclose(getattr(T, name)(n).eval({n: points}), expected, atol=1e-15)


def test_windows_of_less_than_nothing_are_empty() -> None:
    assert T.extra_ops.bartlett(-3).eval().shape == (0,)
    refused(lambda: T.bartlett(2.5), TypeMismatchError, "whole number")


def test_grids() -> None:
    n = T.lscalar("n")
    for grid, numpy_s in ((T.mgrid, np.mgrid), (T.ogrid, np.ogrid)):
        for found, right in zip(grid[0:5, 0:3], numpy_s[0:5, 0:3], strict=True):
            np.testing.assert_array_equal(found.eval(), right)
            assert found.dtype == "int64"
        for found, right in zip(grid[0:1:3j, 2:-2:-1], numpy_s[0:1:3j, 2:-2:-1], strict=True):
            np.testing.assert_array_equal(found.eval(), right)
        rows, columns = grid[1:n, :2]
        assert rows.eval({n: 4}).shape == numpy_s[1:4, :2][0].shape
        assert columns.eval({n: 4}).shape == numpy_s[1:4, :2][1].shape
    assert T.mgrid[1:n].eval({n: 3}).tolist() == [1, 2]
    refused(lambda: list(T.mgrid), TypeMismatchError, "A grid is indexed")


# Diagonals.


def test_matrices_with_ones_on_a_diagonal() -> None:
    n = T.lscalar("n")
    for ours, numpy_s in ((T.eye, np.eye), (T.tri, np.tri)):
        for arguments in ((3,), (2, 3), (3, 2, 1), (3, 3, -1)):
            found = ours(*arguments)
            np.testing.assert_array_equal(found.eval(), numpy_s(*arguments))
            assert found.type.shape == numpy_s(*arguments).shape
        assert ours(n, dtype="int32").eval({n: 2}).dtype == np.int32
        np.testing.assert_array_equal(ours(n, n + 1, n).eval({n: 1}), numpy_s(1, 2, 1))
        refused(lambda ours=ours: ours(-1), ShapeError, "no tensor of shape")
        refused(lambda ours=ours: ours(n).eval({n: -1}), ShapeError, "no tensor of shape")
        refused(lambda ours=ours: ours(1.5), TypeMismatchError, "whole number")
    assert T.identity(2).eval().tolist() == [[1, 0], [0, 1]]


@pytest.mark.parametrize("k", [-2, -1, 0, 1, 5])
def test_triangles(k: int) -> None:
    x = T.dtensor3("x")
    value = np.arange(24.0).reshape(2, 3, 4) + 1
    value[0, 0, 3] = np.inf  # which is not there any more, and no NaN either
    low, high = computed([T.tril(x, k), x.triu(k)], {x: value})
    np.testing.assert_array_equal(low, np.tril(value, k))
    np.testing.assert_array_equal(high, np.triu(value, k))
    refused(lambda: T.tril(T.dvector()), ShapeError, "has no diagonal")


def test_triangles_keep_the_dtype() -> None:
    b = T.TensorType("bool", (None, None))("b")
    assert T.tril(b).dtype == "bool"
    assert computed(T.triu(b), {b: [[True, True], [True, True]]}).tolist() == [
        [True, True],
        [False, True],
    ]


@pytest.mark.parametrize("offset", [-3, -1, 0, 1, 4])
@pytest.mark.parametrize("axes", [(0, 1), (2, 0), (-1, 1)])
def test_diagonals_are_taken_off_and_put_on(offset: int, axes: tuple[int, int]) -> None:
    value = np.arange(24.0).reshape(2, 3, 4)
    x, d = T.dtensor3("x"), T.dmatrix("d")
    expected = np.diagonal(value, offset, *axes)
    taken = x.diagonal(offset, *axes)
    np.testing.assert_array_equal(computed(taken, {x: value}), expected)
    put = T.alloc_diag(d, offset, *axes)
    square = computed(put, {d: M})
    np.testing.assert_array_equal(np.diagonal(square, offset, *axes), M)
    assert square.sum() == M.sum()
    slope = computed(grad((taken**2).sum() / 2, x), {x: value})
    np.testing.assert_array_equal(np.diagonal(slope, offset, *axes), expected)
    assert slope.sum() == expected.sum()
    np.testing.assert_array_equal(computed(grad((put**2).sum() / 2, d), {d: M}), M)


def test_diag_of_a_vector_and_of_a_matrix() -> None:
    v, m = T.dvector("v"), T.dmatrix("m")
    for k in (-1, 0, 2):
        np.testing.assert_array_equal(computed(T.diag(v, k), {v: [1, 2]}), np.diag([1, 2], k))
        np.testing.assert_array_equal(computed(T.diag(m, k), {m: M}), np.diag(M, k))
    refused(lambda: T.diag(T.dscalar()), ShapeError, "A number is no diagonal")
    refused(lambda: v.diagonal(), ShapeError, "has no diagonal")
    refused(lambda: m.diagonal(0, 1, 1), ShapeError, "both be counted by axis 1")
