"""Random numbers in kernels: the words of NumPy's Philox, and what is made of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import engine.tensor as T
from engine import philox
from engine.codegen.numpy import interpret
from engine.errors import ParameterError
from engine.expression import OPS, Variable
from tests.test_codegen import assert_same, compiled, kernel_cache

__all__ = ["kernel_cache"]

Array = np.ndarray[Any, Any]
STATES = [[7, 11, 3], [2**64 - 1, 2**63 + 5, 2**64 - 1], [0, 0, 0]]


def stream() -> Variable:
    return T.TensorType("uint64", (3,))("rng")


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5, 7, 8, 1001])
def test_words_are_those_of_numpy(count: int) -> None:
    rng, x = stream(), T.dvector("x")
    bits = OPS["random_bits"](rng, [OPS["shape"](x)[0]])
    native = compiled([bits], {rng: STATES[0], x: np.zeros(count)})
    for state in STATES:
        native.inputs[rng][...] = np.array(state, np.uint64)
        native.call()
        expected = philox.words(np.array(state, np.uint64), count)
        assert native.outputs[0].tolist() == expected.tolist()
    assert [k.source for k in native.kernels] == ["philox"]


def test_numbers_are_drawn_in_kernels_and_their_bits_are_those_of_numpy() -> None:
    rng, x, low = stream(), T.fmatrix("x"), T.lvector("low")
    shape = x.shape
    outputs = [
        OPS["dropout"](rng, x, 0.3),
        OPS["random_uniform"](rng, -1.0, 2.0, shape),
        OPS["random_integers"](rng, low, 5, shape),
        OPS["random_integers"](rng, -(2**63), 2**63 - 1, shape),
        OPS["random_integers"](rng, 3, 3, shape),
    ]
    values = {
        rng: np.array(STATES[1], np.uint64),
        x: np.random.default_rng(1).normal(size=(20, 3)).astype("float32"),
        low: np.array([-2, 0, 5]),
    }
    native = assert_same(outputs, values)
    assert not any(k.source.startswith("numpy:") for k in native.kernels)
    for got, expected in zip(native.outputs, interpret(outputs, values), strict=True):
        assert got.tobytes() == expected.tobytes()


def test_normal_numbers_are_exact_to_the_last_digits() -> None:
    bits = T.TensorType("uint64", (None,))("bits")
    ends = [0, 1, 2, 2**20, 2**40, 2**62, 2**63 - 1]
    words = np.array([*ends, *(2**64 - 1 - n for n in ends)], np.uint64)
    drawn = np.random.default_rng(2).integers(0, 2**64, 2000, np.uint64)
    values = {bits: np.concatenate([words, drawn])}
    outputs = [OPS["normal_of_bits"](bits), OPS["truncated_normal_of_bits"](bits)]
    native = assert_same(outputs, values)
    assert not any(k.source.startswith("numpy:") for k in native.kernels)
    for got, expected in zip(native.outputs, interpret(outputs, values), strict=True):
        np.testing.assert_array_max_ulp(got, expected, 8)


def test_no_integer_lies_between_ends_in_the_wrong_order() -> None:
    bits, low = T.TensorType("uint64", (None,))("bits"), T.lscalar("low")
    native = compiled([OPS["integers_of_bits"](bits, low, 5)], {bits: [1, 2], low: 6})
    with pytest.raises(ParameterError, match="low is above high"):
        native.call()


def test_words_are_drawn_before_the_kernel_that_needs_them() -> None:
    rng, x, w = stream(), T.dmatrix("x"), T.dmatrix("w")
    out = OPS["dropout"](rng, T.tanh(T.dot(x, w)), 0.5)
    rows = np.random.default_rng(3).normal(size=(40, 30))
    sources = [k.source for k in assert_same([out], {rng: STATES[0], x: rows, w: rows.T}).kernels]
    assert [s[:6] for s in sources] == ["dgemm", "philox", "def ke"]
