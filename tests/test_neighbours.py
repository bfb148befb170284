"""Neighbourhoods of images: Theano's values and modes, the way back, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import engine.tensor as T
from engine import function, grad
from engine.errors import ParameterError, ShapeError, TypeMismatchError
from engine.expression import OPS
from engine.types import TensorType
from tests.op_table import Array

images2neibs = T.nnet.neighbours.images2neibs
neibs2images = T.nnet.neighbours.neibs2images
RNG = np.random.default_rng(8)

CASES: list[tuple[tuple[int, ...], tuple[int, int], tuple[int, int] | None, str]] = [
    ((2, 3, 4, 6), (2, 3), None, "valid"),
    ((1, 2, 7, 5), (3, 2), (2, 1), "valid"),
    ((2, 1, 7, 5), (3, 2), None, "ignore_borders"),
    ((1, 1, 2, 5), (3, 2), (1, 2), "ignore_borders"),
    ((1, 2, 4, 5), (3, 5), (2, 1), "wrap_centered"),
    ((1, 2, 5, 7), (3, 3), (2, 3), "wrap_centered"),
    ((2, 1, 5, 4), (3, 2), (2, 2), "half"),
    ((2, 1, 5, 4), (3, 2), (3, 2), "full"),
]


def theano(x: Array, window: tuple[int, int], step: tuple[int, int], mode: str) -> Array:
    """One element after the other, as Theano's Images2Neibs.perform has them."""
    (c, d), (down, right) = window, step
    height, width = x.shape[2:]
    margin_c, margin_d = {"half": (c // 2, d // 2), "full": (c - 1, d - 1)}.get(mode, (0, 0))
    if mode == "wrap_centered":
        rows, columns = -(-height // down), -(-width // right)
        margin_c, margin_d = c // 2, d // 2
    else:
        rows = max(0, (height + 2 * margin_c - c) // down + 1)
        columns = max(0, (width + 2 * margin_d - d) // right + 1)
    out = []
    for image in x.reshape(-1, height, width):
        for a, b in np.ndindex(rows, columns):
            row = []
            for i, j in np.ndindex(c, d):
                at = (a * down + i - margin_c, b * right + j - margin_d)
                if mode == "wrap_centered":
                    at = (at[0] % height, at[1] % width)
                inside = 0 <= at[0] < height and 0 <= at[1] < width
                row.append(image[at] if inside else 0)
            out.append(row)
    return np.reshape(np.array(out, x.dtype), (-1, c * d))


@pytest.mark.parametrize(("shape", "window", "step", "mode"), CASES)
def test_neighbourhoods_are_theanos(
    shape: tuple[int, ...], window: tuple[int, int], step: tuple[int, int] | None, mode: str
) -> None:
    x = RNG.standard_normal(shape)
    images = T.dtensor4("images")
    expected = theano(x, window, step or window, mode)
    found = function([images], images2neibs(images, window, step, mode))(x)
    np.testing.assert_array_equal(found, expected)
    static = images2neibs(TensorType("float64", shape)(), window, step, mode)
    assert static.type.shape == expected.shape


@pytest.mark.parametrize(("shape", "window", "step", "mode"), CASES)
def test_the_gradient_adds_up_where_elements_were_read(
    shape: tuple[int, ...], window: tuple[int, int], step: tuple[int, int] | None, mode: str
) -> None:
    x = T.dtensor4("x")
    neibs = images2neibs(x, window, step, mode)
    weights = RNG.standard_normal(theano(np.zeros(shape), window, step or window, mode).shape)
    g = function([x], grad(T.sum(neibs * weights), x))(np.zeros(shape))
    at = np.arange(1, np.prod(shape) + 1).reshape(shape)  # 0 is the padding
    read = theano(at, window, step or window, mode)
    expected = np.bincount(read.ravel(), weights.ravel(), at.size + 1)[1:].reshape(shape)
    np.testing.assert_allclose(g, expected, atol=1e-12)


def test_the_example_of_the_documentation() -> None:
    """A 10 by 10 image in patches of 5 by 5 and back."""
    images = T.tensor4("images")
    f = function([images], images2neibs(images, (5, 5)))
    image = np.arange(100.0).reshape(1, 1, 10, 10)
    patches = f(image)
    assert patches.shape == (4, 25)
    assert np.array_equal(patches[1], image[0, 0, :5, 5:].ravel())
    neibs = T.matrix("neibs")
    back = neibs2images(neibs, (5, 5), image.shape)
    assert back.type.shape == (1, 1, 10, 10)
    assert np.array_equal(function([neibs], back)(patches), image)


def test_borders_that_were_ignored_come_back_as_zeros() -> None:
    x = RNG.standard_normal((2, 3, 5, 7))
    images = T.dtensor4("images")
    neibs = images2neibs(images, (2, 3), mode="ignore_borders")
    back = neibs2images(neibs, (2, 3), images.shape, mode="ignore_borders")
    expected = x.copy()
    expected[:, :, 4:], expected[:, :, :, 6:] = 0, 0
    np.testing.assert_array_equal(function([images], back)(x), expected)


def test_the_way_back_has_a_gradient() -> None:
    neibs = T.dmatrix("neibs")
    back = neibs2images(neibs, (2, 2), (1, 1, 4, 4))
    g = function([neibs], grad(T.sum(back**2), neibs))(np.arange(16.0).reshape(4, 4))
    assert np.array_equal(g, 2 * np.arange(16.0).reshape(4, 4))


def test_overlaps_are_added_up() -> None:
    ones = np.ones((4, 4))
    neibs = T.dmatrix("neibs")
    f = function([neibs], OPS["neibs2images"](neibs, (1, 1, 3, 3), (2, 2), (1, 1)))
    assert np.array_equal(f(ones)[0, 0], [[1, 2, 1], [2, 4, 2], [1, 2, 1]])


@pytest.mark.parametrize("dtype", ["bool", "int8", "float16", "complex64"])
def test_elements_only_move(dtype: str) -> None:
    x = np.arange(4).reshape(1, 1, 2, 2).astype(dtype)
    images = T.TensorType(dtype, (None,) * 4)("x")
    found = function([images], images2neibs(images, (1, 2)))(x)
    assert found.dtype == dtype
    assert np.array_equal(found, x[0, 0])


@pytest.mark.parametrize("shape", [(0, 2, 4, 4), (2, 0, 4, 4), (1, 1, 0, 4)])
def test_no_images_have_no_neighbourhoods(shape: tuple[int, ...]) -> None:
    x = T.dtensor4("x")
    y = images2neibs(x, (2, 2), mode="ignore_borders")
    out, g = function([x], [y, grad(T.sum(y), x)])(np.ones(shape))
    assert out.shape == (0, 4)
    assert g.shape == shape


@pytest.mark.parametrize("known", [True, False], ids=["when built", "when run"])
@pytest.mark.parametrize(
    ("params", "text"),
    [({"neib_shape": (2, 2)}, r"2 rows, 2 apart, leave 1 of the 5 rows over"),
     ({"neib_shape": (5, 2), "neib_step": (1, 3)}, r"3 apart, leave 1 of the 6 columns over"),
     ({"neib_shape": (6, 2)}, "6 rows do not fit into the 5 rows"),
     ({"neib_shape": (7, 3), "mode": "wrap_centered"}, "7 rows do not fit"),
     ({"neib_shape": (4, 2), "neib_step": (3, 2), "mode": "half"}, "leave 2 of the 9 rows"),
     ({"neib_shape": (2, 2), "neib_step": (2, 2), "mode": "full"}, "leave 1 of the 7 rows")],
)  # fmt: skip
def test_neighbourhoods_that_do_not_fit(params: dict[str, Any], text: str, known: bool) -> None:
    def neighbourhoods() -> Any:
        x = T.TensorType("float64", (1, 1, 5, 6) if known else (None,) * 4)("x")
        y = images2neibs(x, **params)
        assert not known
        return function([x], y)(np.ones((1, 1, 5, 6)))

    with pytest.raises(ShapeError, match=text):
        neighbourhoods()


def test_what_is_refused() -> None:
    with pytest.raises(ParameterError, match="have no centre"):
        images2neibs(T.tensor4(), (2, 3), mode="wrap_centered")
    with pytest.raises(ParameterError, match="neib_step cannot be"):
        images2neibs(T.tensor4(), (2, 3), (0, 1))
    with pytest.raises(ParameterError, match="neib_shape cannot be"):
        images2neibs(T.tensor4(), (2, 3, 4))
    with pytest.raises(TypeMismatchError, match="Images have 4 axes"):
        images2neibs(T.matrix(), (2, 2))
    with pytest.raises(TypeMismatchError, match="rows of a matrix"):
        neibs2images(T.vector(), (2, 2), (1, 1, 4, 4))
    with pytest.raises(ShapeError, match=r"neighbourhoods of shape \(4, 4\), but these have"):
        neibs2images(TensorType("float64", (3, 4))(), (2, 2), (1, 1, 4, 4))
    neibs = T.dmatrix("neibs")
    with pytest.raises(ShapeError, match="but these have"):
        function([neibs], neibs2images(neibs, (2, 2), (1, 1, 4, 4)))(np.ones((4, 3)))
