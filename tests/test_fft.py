"""Fourier transforms: Theano's pairs, NumPy's complex numbers, and their adjoints."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import engine.tensor as T
from engine.errors import ParameterError, ShapeError, TypeMismatchError
from engine.expression import Variable
from engine.grad import grad
from engine.jacobian import hessian
from engine.types import TensorType

Array = np.ndarray[Any, Any]


def numbers(*shape: int, dtype: str = "float64", seed: int = 0) -> Array:
    rng = np.random.default_rng(seed)
    value = rng.uniform(-1, 1, shape)
    if dtype.startswith("complex"):
        value = value + 1j * rng.uniform(-1, 1, shape)
    return np.asarray(value).astype(dtype)


def computed(build: Callable[[Variable], Variable], value: Array) -> Array:
    x = TensorType(value.dtype, (None,) * value.ndim)("x")
    out = build(x)
    found: Array = out.eval({x: value})
    assert (found.dtype, found.ndim) == (out.dtype, out.ndim)
    return found


def pairs(z: Array) -> Array:
    return np.stack([z.real, z.imag], axis=-1)


# Theano's


@pytest.mark.parametrize("norm", [None, "ortho", "no_norm"])
@pytest.mark.parametrize("shape", [(1, 16), (3, 5), (2, 4, 6), (2, 3, 5), (2, 3, 4, 5)])
def test_rfft_is_over_all_axes_but_the_first(shape: tuple[int, ...], norm: str | None) -> None:
    x = numbers(*shape)
    axes = tuple(range(1, x.ndim))
    expected = np.fft.rfftn(x, axes=axes, norm="ortho" if norm == "ortho" else None)
    found = computed(lambda v: T.fft.rfft(v, norm), x)
    assert found.shape == (*shape[:-1], shape[-1] // 2 + 1, 2)
    np.testing.assert_allclose(found, pairs(expected), atol=1e-13)


@pytest.mark.parametrize("norm", [None, "ortho", "no_norm"])
@pytest.mark.parametrize("odd", [False, True])
@pytest.mark.parametrize("shape", [(1, 9), (2, 4, 3)])
def test_irfft_is_numpys(shape: tuple[int, ...], odd: bool, norm: str | None) -> None:
    z = numbers(*shape, dtype="complex128")
    points = (*shape[1:-1], 2 * (shape[-1] - 1) + odd)
    axes = tuple(range(1, z.ndim))
    own = {None: None, "ortho": "ortho", "no_norm": "forward"}[norm]
    expected = np.fft.irfftn(z, s=points, axes=axes, norm=own)
    found = computed(lambda v: T.fft.irfft(v, norm=norm, is_odd=odd), pairs(z))
    np.testing.assert_allclose(found, expected, atol=1e-13)


@pytest.mark.parametrize("norm", [None, "ortho"])
@pytest.mark.parametrize("points", [8, 9])
def test_irfft_takes_back_what_rfft_did(points: int, norm: str | None) -> None:
    x = numbers(2, 3, points)
    odd = bool(points % 2)
    back = computed(lambda v: T.fft.irfft(T.fft.rfft(v, norm), norm, is_odd=odd), x)
    np.testing.assert_allclose(back, x, atol=1e-14)
    thrice = computed(lambda v: T.fft.irfft(T.fft.rfft(v, "no_norm"), "no_norm", is_odd=odd), x)
    np.testing.assert_allclose(thrice, x * 3 * points, atol=1e-12)


@pytest.mark.parametrize(
    ("dtype", "result"), [("float32", "float32"), ("float64", "float64"), ("int32", "float64")]
)
def test_pairs_are_as_exact_as_what_they_come_from(dtype: str, result: str) -> None:
    assert computed(T.fft.rfft, np.arange(8).reshape(2, 4).astype(dtype)).dtype == result


def test_what_is_no_batch_is_refused() -> None:
    with pytest.raises(ShapeError, match="too few for a batch of signals"):
        T.fft.rfft(T.vector("x"))
    with pytest.raises(ShapeError, match="too few for a batch of spectra"):
        T.fft.irfft(T.matrix("x"))
    with pytest.raises(ShapeError, match="pairs of real and imaginary"):
        T.fft.irfft(TensorType("float64", (2, 4, 3))("x"))
    with pytest.raises(ParameterError, match="norm cannot be 'unit'"):
        T.fft.rfft(T.matrix("x"), norm="unit")


# NumPy's


@pytest.mark.parametrize("dtype", ["float64", "complex128", "float32", "int16"])
@pytest.mark.parametrize("norm", ["backward", "ortho", "forward"])
@pytest.mark.parametrize(("n", "axis"), [(None, -1), (3, -1), (7, 0), (None, 1)])
def test_transforms_along_one_axis(n: int | None, axis: int, norm: Any, dtype: str) -> None:
    x = (10 * numbers(4, 5, dtype="float64")).astype(dtype)
    for op, numpy in ((T.fft.fft, np.fft.fft), (T.fft.ifft, np.fft.ifft)):
        expected = numpy(x, n, axis, norm)
        found = computed(lambda v, op=op: op(v, n, axis, norm), x)
        assert found.dtype == ("complex64" if dtype == "float32" else "complex128")
        close = 1e-5 if dtype == "float32" else 1e-13
        np.testing.assert_allclose(found, expected, rtol=close, atol=10 * close)


@pytest.mark.parametrize("norm", ["backward", "ortho", "forward"])
@pytest.mark.parametrize("axes", [None, (0,), (-1, 0), 2])
def test_transforms_along_several_axes(axes: Any, norm: Any) -> None:
    x, z = numbers(3, 4, 5), numbers(3, 4, 5, dtype="complex128")
    over = (axes,) if isinstance(axes, int) else axes
    for op, numpy in ((T.fft.fftn, np.fft.fftn), (T.fft.ifftn, np.fft.ifftn)):
        found = computed(lambda v, op=op: op(v, axes, norm), z)
        np.testing.assert_allclose(found, numpy(z, axes=over, norm=norm), atol=1e-13)
    half = computed(lambda v: T.fft.rfftn(v, axes, norm), x)
    np.testing.assert_allclose(half, np.fft.rfftn(x, axes=over or (0, 1, 2), norm=norm), atol=1e-13)
    last = (over or (2,))[-1]
    back = computed(lambda v: T.fft.irfftn(v, bool(x.shape[last] % 2), axes, norm), half)
    np.testing.assert_allclose(back, x, atol=1e-14)


def test_the_rank_and_the_lengths_are_known_before_it_runs() -> None:
    x = TensorType("float64", (2, 7))("x")
    assert T.fft.rfft(x).type.shape == (2, 4, 2)
    assert T.fft.fft(x, n=9).type.shape == (2, 9)
    assert T.fft.irfft(T.fft.rfft(x), is_odd=True).type.shape == (2, 7)
    assert T.fft.irfft(T.fft.rfft(x)).type.shape == (2, 6)


def test_what_has_no_spectrum_is_refused() -> None:
    with pytest.raises(ShapeError, match="A number has no spectrum"):
        T.fft.fftn(T.scalar("x"))
    with pytest.raises(ShapeError, match="axis 1 is empty"):
        computed(T.fft.rfft, np.empty((2, 0)))
    with pytest.raises(ParameterError, match="cannot be transformed"):
        T.fft.fftn(T.matrix("x"), axes=(0, -2))
    with pytest.raises(ParameterError, match="n cannot be 0"):
        T.fft.fft(T.matrix("x"), n=0)
    with pytest.raises(TypeMismatchError, match="rfftn is of real numbers"):
        T.fft.rfftn(T.zmatrix("z"))
    with pytest.raises(ShapeError, match="one number on axis 1 is of one real number"):
        T.fft.irfftn(TensorType("complex128", (2, 1))("z"), axes=(1,))
    one = computed(lambda v: T.fft.irfftn(v, True, (1,)), np.array([[3 + 1j]]))
    assert one.tolist() == [[3]]


# Adjoints


@pytest.mark.parametrize("points", [4, 5])
@pytest.mark.parametrize("norm", [None, "ortho", "no_norm"])
def test_the_gradient_of_the_power_is_parsevals(points: int, norm: str | None) -> None:
    """The sum of squares over all of a spectrum is that of the signal, times the points."""
    x = T.dmatrix("x")
    value = numbers(2, points)
    z = T.fft.fft(x, norm="ortho")
    power = (T.sqr(T.real(z)) + T.sqr(T.imag(z))).sum()
    np.testing.assert_allclose(grad(power, x).eval({x: value}), 2 * value, atol=1e-14)
    both = T.fft.irfft(T.fft.rfft(x, norm), norm, is_odd=bool(points % 2))
    scale = points if norm == "no_norm" else 1
    slope = grad((both * numbers(2, points, seed=1)).sum(), x).eval({x: value})
    np.testing.assert_allclose(slope, scale * numbers(2, points, seed=1), atol=1e-13)


def test_a_convolution_by_way_of_the_spectrum_learns() -> None:
    """A circular convolution and its gradients, against sums written out."""
    x, w = T.dmatrix("x"), T.dmatrix("w")
    a, b = numbers(1, 6), numbers(1, 6, seed=1)
    product = T.fft.fft(x) * T.fft.fft(w)
    out = T.real(T.fft.ifft(product))
    expected = [sum(a[0, j] * b[0, (i - j) % 6] for j in range(6)) for i in range(6)]
    np.testing.assert_allclose(out.eval({x: a, w: b})[0], expected, atol=1e-14)
    weights = numbers(1, 6, seed=2)
    found = grad((out * weights).sum(), w).eval({x: a, w: b})[0]
    slopes = [sum(a[0, (i - j) % 6] * weights[0, i] for i in range(6)) for j in range(6)]
    np.testing.assert_allclose(found, slopes, atol=1e-14)


def test_a_spectrum_has_second_derivatives() -> None:
    x = T.dvector("x")
    z = T.fft.rfft(x.dimshuffle("x", 0))
    bent = hessian((T.sqr(z) ** 2).sum(), x).eval({x: np.array([1.0, 2.0, 4.0])})
    np.testing.assert_allclose(bent, bent.T, rtol=1e-12)

    def slope(at: Array) -> Array:
        y = np.fft.rfft(at)
        rows = np.exp(-2j * np.pi * np.outer(np.arange(2), np.arange(3)) / 3)
        found: Array = 4 * (y.real**3 @ rows.real + y.imag**3 @ rows.imag)
        return found

    start = np.array([1.0, 2.0, 4.0])
    for i, unit in enumerate(np.eye(3)):
        row = (slope(start + 1e-5 * unit) - slope(start - 1e-5 * unit)) / 2e-5
        np.testing.assert_allclose(bent[i], row, rtol=1e-6, atol=1e-6)


def test_numpys_and_theanos_transforms_are_behind_one_door() -> None:
    assert T.fft.__all__ == sorted(T.fft.__all__)
    for name in T.fft.__all__:
        assert callable(getattr(T.fft, name))
