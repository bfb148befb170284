"""Products that BLAS adds to other values: where that is the same, and where it is not."""

from __future__ import annotations

import numpy as np
import pytest

import engine.tensor as T
from engine.codegen.native import Native
from engine.codegen.numpy import interpret
from engine.expression import Variable
from tests.test_codegen import Array, assert_same, compiled

RNG = np.random.default_rng(5)


def matrices(*names: str) -> tuple[list[Variable], dict[Variable, Array]]:
    """Square matrices that are worth a call of BLAS, with values."""
    found = [T.dmatrix(name) for name in names]
    return found, {v: RNG.standard_normal((24, 24)) for v in found}


def kernels(native: Native) -> list[str]:
    """How often BLAS is called, and for all else the lines that compute something."""
    return ["gemm" if k.source == "dgemm" else "loops" for k in native.kernels]


def test_a_step_down_a_gradient_is_one_product() -> None:
    (w, x, y), values = matrices("w", "x", "y")
    new = w - 0.37 * T.dot(x.T, y)
    native = compiled([new], values, updates={w: 0})
    (expected,) = interpret([new], values)
    native.call()
    np.testing.assert_allclose(native.inputs[w], expected, rtol=1e-13, atol=1e-13)
    assert kernels(native) == ["gemm"]
    (kernel,) = native.kernels
    assert kernel.ops == ("dot",)


def test_a_product_is_computed_where_its_sum_is_to_be() -> None:
    (x, y, z), values = matrices("x", "y", "z")
    native = assert_same([T.dot(x, y) - 2 * T.dot(y, z)], values)
    assert kernels(native) == ["gemm", "gemm"]
    native = assert_same([T.dot(x, y) + T.dot(y, z) + T.dot(z, x)], values)
    assert kernels(native).count("gemm") == 3


def test_momentum_and_its_step() -> None:
    (w, v, x, y), values = matrices("w", "v", "x", "y")
    speed = 0.9 * v + T.dot(x.T, y)
    news = [w - 0.1 * speed, speed]
    expected = interpret(news, values)
    native = compiled(news, values, updates={w: 0, v: 1})
    native.call()
    for variable, value in zip((w, v), expected, strict=True):
        np.testing.assert_allclose(native.inputs[variable], value, rtol=1e-12, atol=1e-12)


def test_what_others_read_stays_as_it_was() -> None:
    (w, x, y), values = matrices("w", "x", "y")
    product = T.dot(x, y)
    exponential = T.exp(w)
    outputs = [w + product, product * 2, exponential + T.dot(y, x), exponential, product + product]
    assert_same(outputs, values)


def test_an_update_that_its_own_product_reads() -> None:
    (w, x), values = matrices("w", "x")
    news = [w + T.dot(w, x), x - T.dot(w, x)]
    expected = interpret(news, values)
    native = compiled([*news, w * 2], values, updates={w: 0, x: 1})
    native.call()
    for variable, value in zip((w, x), expected, strict=True):
        np.testing.assert_allclose(native.inputs[variable], value, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(native.outputs[2], values[w] * 2)


def test_old_values_are_read_before_a_product_is_added() -> None:
    (w, u, x), values = matrices("w", "u", "x")
    news = [w + T.dot(u, x), u + T.dot(x, w)]
    expected = interpret(news, values)
    native = compiled(news, values, updates={w: 0, u: 1})
    native.call()
    for variable, value in zip((w, u), expected, strict=True):
        np.testing.assert_allclose(native.inputs[variable], value, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("factor", [0.0, 1.0, -2.5])
def test_nothing_that_is_no_number_is_lost(factor: float) -> None:
    (w, x, y), values = matrices("w", "x", "y")
    values[x][3, 4] = np.nan
    with np.errstate(invalid="ignore"):
        assert_same([w + factor * T.dot(x, y)], values)


def test_other_layouts_and_dtypes_are_added_as_before() -> None:
    (w, x, y), values = matrices("w", "x", "y")
    single, row = T.fmatrix("single"), T.drow("row")
    values[single] = values[w].astype("float32")
    values[row] = values[w][:1]
    product = T.dot(x, y)
    outputs = [w.T + product, single + product, row + T.dot(y, x), w[::-1] + T.dot(x, x)]
    assert_same([*outputs, w - T.dot(y, y).T], values)
