"""Windows in native kernels: pooling, convolution and their gradients against the reference."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import engine.tensor as T
from engine import grad
from engine.codegen.native import Native
from engine.codegen.numpy import interpret
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


# Convolution.

CONVOLUTIONS = [
    ((6, 5), (3, 2), {}),
    ((6, 5), (3, 2), {"border_mode": "full", "filter_flip": False}),
    ((6, 5), (3, 3), {"border_mode": "half", "subsample": (2, 1), "num_groups": 2}),
    ((6, 5), (2, 2), {"pad": (1, 0, 2, 3), "filter_dilation": (2, 3), "subsample": (1, 2)}),
    ((6, 5), (1, 1), {}),
    ((6, 5), (1, 1), {"subsample": (2, 2), "num_groups": 4}),
    ((6, 5), (6, 5), {"filter_dilation": (1, 1)}),
    ((5, 4), (2, 3), {"unshared": True}),
    ((9,), (3,), {"border_mode": "same", "num_groups": 2}),
    ((4, 5, 3), (2, 1, 2), {"subsample": (1, 2, 1), "border_mode": "half"}),
]
"""Lengths of images and of filters, and parameters."""

Case = tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]


def convolved(
    case: Case, dtype: str, values: Values, batch: int = 2, channels: int = 4, filters: int = 4
) -> list[Variable]:
    """A convolution and its gradients by image and filters."""
    lengths, window, params = case
    rank = len(lengths)
    params = {"subsample": (1,) * rank, "filter_dilation": (1,) * rank, **params}
    inner = channels // params.get("num_groups", 1)
    own: tuple[int, ...] = ()
    if params.get("unshared"):
        own = tuple(n - k + 1 for n, k in zip(lengths, window, strict=True))
    x, w = images(dtype, rank), images(dtype, rank + len(own))
    values[x] = drawn(dtype, batch, channels, *lengths)
    values[w] = drawn(dtype, filters, *own, inner, *window, seed=1)
    y = OPS[f"conv{rank}d"](x, w, **params)
    g = images(dtype, rank)
    (values[g],) = interpret([y * 0 + 1], values)
    values[g] *= drawn(dtype, *values[g].shape, seed=2)
    backwards = OPS[f"conv{rank}d_grad_wrt_inputs"](g, w, x.shape[2:], **params)
    return [y, backwards, OPS[f"conv{rank}d_grad_wrt_weights"](x, g, w.shape[-rank:], **params)]


@pytest.mark.parametrize(
    ("dtype", "size", "products"), [("float64", 4, 12), ("float32", 16, 24), ("int32", 4, 0)]
)
def test_any_convolution_and_its_gradients(dtype: str, size: int, products: int) -> None:
    outputs: list[Variable] = []
    values: Values = {}
    for case in CONVOLUTIONS:
        outputs += convolved(case, dtype, values, channels=size, filters=size)
    native = assert_native(outputs, values)
    # Those that are large enough, but for integers and where each place has its own filters.
    batches = [k for k in native.kernels if k.source.startswith("for each entry")]
    assert len(batches) == products


@pytest.mark.parametrize("sizes", [(0, 4, 4), (2, 0, 4), (2, 4, 0), (1, 1, 1), (3, 1, 16)])
def test_convolutions_of_few(sizes: tuple[int, int, int]) -> None:
    values: Values = {}
    outputs = [
        v
        for case in (CONVOLUTIONS[1], CONVOLUTIONS[6])
        for v in convolved(case, "float32", values, *sizes)
    ]
    assert_native(outputs, values)


def test_images_and_filters_may_be_views_of_other_dtypes() -> None:
    x, w = T.ftensor4(), T.dtensor4()
    y = T.nnet.conv2d(x.dimshuffle(0, 3, 1, 2)[:, :, ::2], w.dimshuffle(1, 0, 2, 3)[::-1])
    values = {x: drawn("float32", 3, 12, 7, 8), w: drawn("float64", 8, 9, 3, 2)}
    assert_native([y, *grad((y * y).sum(), [x, w])], values)


def test_axes_that_stretch_are_convolved() -> None:
    x = TensorType("float64", (1, 1, None, None), (True, True, False, False))()
    w = TensorType("float64", (1, 1, None, None), (True, True, False, False))()
    y = T.nnet.conv2d(x, w, border_mode="full")
    values = {x: drawn("float64", 1, 1, 7, 8), w: drawn("float64", 1, 1, 3, 2)}
    assert_native([y, *grad((y * y).sum(), [x, w])], values)


def test_another_batch_of_images_compiles_nothing() -> None:
    names = []
    for batch in (3, 5):
        values: Values = {}
        outputs = convolved(CONVOLUTIONS[0], "float32", values, batch, 8, 8)
        outputs.append(OPS["pool_2d"](outputs[0], (2, 2), True))
        names.append([k.name for k in assert_native(outputs, values).kernels])
    assert names[0] == names[1]


def test_patches_take_no_more_memory_for_a_larger_batch() -> None:
    peaks = []
    for batch in (2, 12):
        values: Values = {}
        outputs = convolved(CONVOLUTIONS[0], "float64", values, batch, 16, 16)
        native = assert_native(outputs, values)
        own = sum(v.nbytes for v in values.values()) + sum(v.nbytes for v in native.outputs)
        peaks.append(native.peak_bytes - own)
    assert abs(peaks[1] - peaks[0]) < 20_000


def test_large_batches_are_done_in_parts() -> None:
    values: Values = {}
    grouped = (12, 12), (3, 3), {"num_groups": 2, "border_mode": "half"}
    outputs = [
        v
        for case in (((12, 12), (3, 3), {}), grouped)
        for v in convolved(case, "float32", values, 19, 16, 16)
    ]
    native = assert_native(outputs, values)
    first = [a.copy() for a in native.outputs]
    for _ in range(5):
        native.call()
        for a, b in zip(first, native.outputs, strict=True):
            assert a.tobytes() == b.tobytes()


def test_a_step_of_a_convolutional_network_leaves_nothing_to_numpy() -> None:
    x, y = T.ftensor4("x"), T.fmatrix("y")
    w1, b1, w2, w3 = T.ftensor4("w1"), T.fvector("b1"), T.ftensor4("w2"), T.fmatrix("w3")
    h = T.nnet.relu(T.nnet.conv2d(x, w1) + b1.dimshuffle("x", 0, "x", "x"))
    h = T.signal.pool.pool_2d(h, (2, 2), ignore_border=True)
    h = T.nnet.relu(T.nnet.conv2d(h, w2))
    h = T.signal.pool.pool_2d(h, (2, 2), ignore_border=True)
    loss = -(y * T.log(T.nnet.softmax(T.dot(h.flatten(2), w3)))).sum()
    values = {
        x: drawn("float32", 3, 1, 14, 14),
        y: np.eye(3, dtype="float32"),
        w1: drawn("float32", 8, 1, 3, 3) / 8,
        b1: drawn("float32", 8),
        w2: drawn("float32", 8, 8, 3, 3) / 32,
        w3: drawn("float32", 32, 3) / 8,
    }
    assert_native([loss, *grad(loss, [w1, b1, w2, w3])], values)
