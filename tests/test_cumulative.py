"""Running sums and products, differences: values as NumPy's, slopes right at zeros."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import engine.tensor as T
from engine import grad
from engine.codegen.numpy import interpret
from engine.errors import ShapeError
from tests.targets import computed

M = np.array([[1.0, -2.0, 3.0], [0.5, 4.0, -1.0]])


@pytest.mark.parametrize("axis", [None, 0, 1, -1])
@pytest.mark.parametrize("reverse", [False, True])
def test_running_sums_and_products(axis: Any, reverse: bool) -> None:
    x = T.dmatrix("x")
    outputs = [x.cumsum(axis, reverse=reverse), T.cumprod(x, axis, reverse=reverse)]
    given = M.ravel() if axis is None else M
    along = 0 if axis is None else axis
    turned = np.flip(given, along) if reverse else given
    for found, accumulate in zip(computed(outputs, {x: M}), (np.cumsum, np.cumprod), strict=True):
        expected = accumulate(turned, axis=along)
        np.testing.assert_allclose(found, np.flip(expected, along) if reverse else expected)


def test_small_integers_do_not_wrap_and_float32_is_kept_in_float64() -> None:
    b, u, f = T.bvector("b"), T.TensorType("uint8", (None,))("u"), T.fvector("f")
    assert (b.cumsum().dtype, u.cumprod().dtype, f.cumsum().dtype) == ("int64", "uint64", "float32")
    assert computed(b.cumsum(), {b: [100, 100]}).tolist() == [100, 200]
    assert computed(f.cumsum(), {f: [2**24, 1, 1, -(2**24)]})[-1] == 2


def test_slope_of_a_running_sum() -> None:
    x = T.dmatrix("x")
    w = T.constant(np.array([[1.0, 10, 100], [2, 20, 200]]))
    found = computed(grad((x.cumsum(axis=1) * w).sum(), x), {x: M})
    assert found.tolist() == [[111, 110, 100], [222, 220, 200]]
    flat = computed(grad((x.cumsum() * w.flatten()).sum(), x), {x: M})
    assert flat.tolist() == [[333, 332, 322], [222, 220, 200]]


@pytest.mark.parametrize("zeros", [(), (1,), (0, 2), (0, 1, 2, 3)])
@pytest.mark.parametrize("reverse", [False, True])
def test_slopes_of_a_running_product_are_right_at_zeros(
    zeros: tuple[int, ...], reverse: bool
) -> None:
    value = np.array([2.0, 3, -1, 5])
    value[list(zeros)] = 0
    weights = np.array([1.0, 10, 100, 1000])
    x = T.dvector("x")
    cost = (x.cumprod(0, reverse) * weights).sum()

    def at(*changed: int) -> float:
        """The cost with ones in place of some factors; it is linear in each of them."""
        v = value.copy()
        v[list(changed)] += 1
        run = np.cumprod(v[::-1])[::-1] if reverse else np.cumprod(v)
        return float((run * weights).sum())

    first, second = interpret([grad(cost, x), T.hessian(cost, x)], {x: value})
    np.testing.assert_allclose(first, [at(i) - at() for i in range(4)])
    expected = [
        [0 if i == j else at(i, j) - at(i) - at(j) + at() for j in range(4)] for i in range(4)
    ]
    np.testing.assert_allclose(second, expected)


@pytest.mark.parametrize(("n", "axis"), [(0, 0), (1, -1), (2, 0), (1, 0), (5, 1)])
def test_differences(n: int, axis: int) -> None:
    x = T.dmatrix("x")
    found = computed(T.diff(x, n, axis), {x: M})
    np.testing.assert_array_equal(found, np.diff(M, n, axis))


def test_differences_have_slopes_in_any_number_of_axes() -> None:
    x = T.dmatrix("x")
    found = computed(grad((T.diff(x, axis=1) ** 2).sum(), x), {x: M})
    assert found.tolist() == [[6, -16, 10], [-7, 17, -10]]


def test_there_is_no_such_axis() -> None:
    for name in ("cumsum", "cumprod", "diff"):
        with pytest.raises(ShapeError, match="There is no axis 2"):
            getattr(T, name)(T.dmatrix("x"), axis=2)
