"""Windows in native kernels: pooling, convolution and their gradients against the reference."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import engine.tensor as T
from engine import grad
from engine.codegen.native import Native
from engine.expression import OPS, Variable
from engine.types import TensorType
from tests.test_codegen import assert_same

Array = np.ndarray[Any, Any]
Values = dict[Variable, Array]

MODES = ("max", "sum", "average_inc_pad", "average_exc_pad")


def assert_native(outputs: list[Variable], values: Values) -> Native:
    """The kernels give what NumPy gives, and nothing is left to NumPy."""
    native = assert_same(outputs, values)
    left = [k.source for k in native.kernels if k.source.startswith("numpy:")]
    assert not left
    return native


def drawn(dtype: str, *shape: int, seed: int = 0) -> Array:
    """Small whole numbers, so that there are ties and sums are exact."""
    return np.random.default_rng(seed).integers(-3, 4, shape).astype(dtype)


def images(dtype: str, rank: int) -> Variable:
    return TensorType(dtype, (None,) * (rank + 2))()


# Pooling.

POOLINGS = [
    {"ws": (2, 2), "ignore_border": True},
    {"ws": (2, 3), "ignore_border": False},
    {"ws": (3, 2), "ignore_border": False, "stride": (2, 1)},
    {"ws": (1, 2), "ignore_border": True, "stride": (3, 3)},
    {"ws": (2, 2), "ignore_border": True, "stride": (1, 1), "pad": (1, 1)},
    {"ws": (3, 3), "ignore_border": True, "stride": (2, 2), "pad": (1, 2)},
    {"ws": (5, 9), "ignore_border": False, "stride": (5, 5)},
    {"ws": (9, 9), "ignore_border": True},
    {"ws": (3,), "ignore_border": True, "stride": (2,), "pad": (1,)},
    {"ws": (2,), "ignore_border": False},
    {"ws": (2, 1, 3), "ignore_border": False, "stride": (1, 2, 2)},
    {"ws": (2, 2, 2), "ignore_border": True, "pad": (1, 0, 1)},
]


@pytest.mark.parametrize(("dtype", "first", "step"), [("float64", 0, 1), ("int16", 1, 4)])
def test_any_pooling_and_its_gradient(dtype: str, first: int, step: int) -> None:
    outputs: list[Variable] = []
    values: Values = {}
    others = zip(POOLINGS, itertools.cycle(MODES[1:]), strict=False)
    cases = [*others, *((params, "max") for params in POOLINGS)]
    for params, mode in cases[first::step]:
        rank = len(params["ws"])
        x = images(dtype, rank)
        values[x] = drawn(dtype, 2, 3, *(7, 6, 5)[:rank])
        y = OPS[f"pool_{rank}d"](x, **params, mode=mode)
        outputs.append(y)
        if dtype.startswith("float"):
            outputs.append(grad((y * y).sum(), x))
        if mode == "max":
            v = images(dtype, rank)
            values[v] = drawn(dtype, 2, 3, *(7, 6, 5)[:rank], seed=1)
            outputs.append(OPS["max_pool_rop"](x, v, **params))
    assert_native(outputs, values)


@pytest.mark.parametrize("shape", [(0, 3, 4, 4), (2, 0, 4, 4), (2, 3, 0, 4), (1, 1, 1, 1)])
@pytest.mark.parametrize("mode", MODES[::3])
def test_pooling_of_nothing_and_of_one_element(shape: tuple[int, ...], mode: str) -> None:
    x = T.ftensor4()
    outputs: list[Variable] = []
    for params in POOLINGS[1:5:3]:
        y = OPS["pool_2d"](x, **params, mode=mode)
        outputs += [y, grad(y.sum(), x)]
    assert_native(outputs, {x: drawn("float32", *shape)})


def test_pooling_of_axes_that_stretch() -> None:
    x = TensorType("float64", (1, None, 1, None), (True, False, True, False))()
    outputs: list[Variable] = []
    for mode, params in itertools.product(MODES, (POOLINGS[1], POOLINGS[4])):
        y = OPS["pool_2d"](x, **params, mode=mode)
        outputs += [y, grad((y * y).sum(), x)]
    assert_native(outputs, {x: drawn("float64", 1, 3, 1, 6)})


def test_what_is_no_number_is_greatest_and_gets_no_gradient() -> None:
    x = T.dtensor4()
    value = drawn("float64", 2, 2, 6, 6)
    value[0, 0, 1, 1] = value[1, 1, 5, 0] = np.nan
    value[0, 1] = -np.inf
    outputs: list[Variable] = []
    for params in POOLINGS[1:5]:
        y = OPS["pool_2d"](x, **params, mode="max")
        outputs += [y, grad(y.sum(), x)]
    assert_native(outputs, {x: value})


def test_every_tie_gets_the_whole_gradient() -> None:
    x = T.dmatrix()
    for stride in ((2, 2), (1, 1)):
        y = OPS["pool_2d"](x, (2, 2), True, stride)
        native = assert_native([grad(y.sum(), x)], {x: np.zeros((4, 4))})
        expected = {2: 1.0, 1: 4.0}[stride[0]]
        assert native.outputs[0][1, 1] == expected


def test_a_pooled_view_is_read_where_it_lies() -> None:
    x = T.dtensor4()
    y = OPS["pool_2d"](x.dimshuffle(1, 0, 3, 2)[::-1, :, 1:, ::2], (2, 2), False, (1, 2))
    assert_native([y, grad((y * y).sum(), x)], {x: drawn("float64", 2, 3, 6, 5)})


def test_an_activation_and_its_pooling_share_their_loops_over_images() -> None:
    x, b = T.ftensor4(), T.fvector()
    y = T.maximum(x + b.dimshuffle("x", 0, "x", "x"), np.float32(0))
    pooled = OPS["pool_2d"](y, (2, 2), True)
    (kernel,) = assert_native(
        [pooled], {x: drawn("float32", 2, 3, 6, 6), b: drawn("float32", 3)}
    ).kernels
    assert kernel.source.count("for i0 in") == 1
