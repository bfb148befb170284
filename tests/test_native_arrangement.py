"""Ops that move elements or run along an axis, in kernels: diagonals, rolls, running sums."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import engine.tensor as T
from engine.codegen.numpy import interpret
from engine.errors import AssertionFailedError, IndexOutOfRangeError
from engine.expression import OPS, Variable
from engine.grad import grad
from tests.test_codegen import assert_same, compiled, kernel_cache

__all__ = ["kernel_cache"]

RNG = np.random.default_rng(11)


def assert_native(outputs: list[Variable], values: dict[Variable, Any]) -> None:
    native = assert_same(outputs, values)
    assert not [k.source for k in native.kernels if k.source.startswith("numpy:")]


@pytest.mark.parametrize("dtype", ["float32", "float64", "int8", "uint64", "bool"])
@pytest.mark.parametrize("shape", [(3, 4), (4, 4), (1, 5), (3, 0), (0, 2)])
def test_running_sums_diagonals_and_rolls(dtype: str, shape: tuple[int, int]) -> None:
    x = T.TensorType(dtype, (None, None))("x")
    outputs = [T.cumsum(x, axis=axis) for axis in (0, 1, None)]
    outputs += [OPS["cumsum"](x.T, axis=0, reverse=True), T.cumprod(x[::-1, ::2], axis=1)]
    if 0 not in shape:
        outputs += [OPS["extract_diag"](x, offset=k) for k in (-1, 0, 1)]
        outputs += [OPS["triangle"](x, lower=b, offset=k) for b in (0, 1) for k in (-1, 0, 1)]
    outputs += [OPS["alloc_diag"](x, offset=k) for k in (-2, 0, 1)]
    outputs += [OPS["shift"](x, axis=a, by=k, value=1) for a in (0, 1) for k in (-1, 1)]
    outputs += [T.roll(x, T.constant(k), axis=a) for k in (-1, 0, 7) for a in (0, 1)]
    values = {x: (RNG.integers(-3, 4, shape)).astype(dtype)}
    assert_native(outputs, values)


def test_a_running_sum_has_the_bits_of_numpy_and_its_gradient_is_native() -> None:
    x = T.fmatrix("x")
    values = {x: RNG.normal(size=(300, 300)).astype("float32")}
    outputs = [T.cumsum(x, axis=0), T.cumsum(x, axis=1)]
    native = compiled(outputs, values)
    native.call()
    for got, expected in zip(native.outputs, interpret(outputs, values), strict=True):
        assert got.tobytes() == expected.tobytes()
    assert_native([grad((T.cumsum(x, axis=1) ** 2).sum(), x)], {x: values[x][:5]})


def test_a_diagonal_is_a_factor_of_a_product_where_it_lies() -> None:
    x, y = T.dtensor3("x"), T.dmatrix("y")
    diagonals = OPS["extract_diag"](x, axis1=0, axis2=1)
    values = {x: RNG.normal(size=(40, 40, 30)), y: RNG.normal(size=(40, 20))}
    assert_native([T.dot(diagonals, y)], values)


def test_choices_and_classes_are_checked() -> None:
    a, choices, y = T.lmatrix("a"), T.dtensor3("choices"), T.TensorType("int8", (None,))("y")
    rows = T.extra_ops.to_one_hot(y, 3)
    outputs = [OPS["choose"](a, choices, m) for m in ("raise", "wrap", "clip")] + [rows]
    values: dict[Variable, Any] = {
        a: np.array([[0, 2, 1], [1, 1, 0]]),
        choices: RNG.normal(size=(3, 2, 3)),
        y: np.array([0, 2, 1, 1], "int8"),
    }
    assert_native(outputs, values)
    assert_native(outputs[1:3], {**values, a: values[a] - 4})
    for outside, of, value in ((outputs[0], a, -1), (outputs[0], a, 3), (rows, y, 3)):
        native = compiled([outside], values)
        native.inputs[of][..., -1] = value
        with pytest.raises(IndexOutOfRangeError, match="There is no"):
            native.call()


def test_what_is_asserted_ends_the_run_before_anything_has_changed() -> None:
    x, n = T.dvector("x"), T.lscalar("n")
    news = [T.opt.assert_op(x + 1, (x.sum() < 9).all(), n > 0), n + 1]
    native = compiled(news, {x: [1.0, 2.0], n: 1}, updates={x: 0, n: 1})
    assert not [k.source for k in native.kernels if k.source.startswith("numpy:")]
    assert native.run(9) == 3
    with pytest.raises(AssertionFailedError):
        native.run(9)
    assert native.inputs[x].tolist() == [4, 5]
    assert native.inputs[n] == 4
