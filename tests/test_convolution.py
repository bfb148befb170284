"""Convolutions: values against loops and SciPy, shapes, gradients, and what is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage, signal

import engine.tensor as T
from engine import function, grad
from engine.errors import ParameterError, ShapeError, TypeMismatchError
from engine.expression import OPS, Variable
from engine.types import TensorType
from tests.op_table import Array

conv = T.nnet.abstract_conv
RNG = np.random.default_rng(4)


def normal(*shape: int) -> Array:
    """Numbers drawn for a tensor."""
    return RNG.standard_normal(shape)


def value(op: Any, *arrays: Array, **params: Any) -> Array:
    """What an op makes of arrays, whose lengths are not known before it runs."""
    inputs = [TensorType(a.dtype, (None,) * a.ndim)() for a in arrays]
    return np.asarray(function(inputs, op(*inputs, **params))(*arrays))


def margins(mode: str, span: int) -> tuple[int, int]:
    """The zeros before and after an axis, said by a name."""
    return {
        "valid": (0, 0),
        "half": (span // 2, span // 2),
        "full": (span - 1, span - 1),
        "same": (span // 2, (span - 1) // 2),
    }[mode]


def by_loops(
    x: Array,
    w: Array,
    ends: Sequence[tuple[int, int]],
    step: Sequence[int],
    gap: Sequence[int],
    flip: bool = True,
    groups: int = 1,
    unshared: bool = False,
) -> Array:
    """A convolution, one product after the other."""
    rank = x.ndim - 2
    window = w.shape[-rank:]
    x = np.pad(x, ((0, 0), (0, 0), *ends))
    spans = [(k - 1) * g + 1 for k, g in zip(window, gap, strict=True)]
    counts = [(n - s) // t + 1 for n, s, t in zip(x.shape[2:], spans, step, strict=True)]
    channels = x.shape[1] // groups
    y = np.zeros((len(x), len(w), *counts), np.result_type(x, w))
    for b, f, *place in np.ndindex(y.shape):
        group = f // (len(w) // groups)
        for c, *k in np.ndindex(channels, *window):
            at = [p * t + i * g for p, t, i, g in zip(place, step, k, gap, strict=True)]
            tap = [n - 1 - i for n, i in zip(window, k, strict=True)] if flip else k
            own = place if unshared else []
            y[(b, f, *place)] += x[(b, group * channels + c, *at)] * w[(f, *own, c, *tap)]
    return y


@st.composite
def convolutions(draw: st.DrawFn) -> tuple[Array, Array, dict[str, Any], Array]:
    """Images, filters, parameters, and what they give."""
    rank = draw(st.integers(1, 3))
    few = st.integers(1, 2)
    window = [draw(st.integers(1, 3)) for _ in range(rank)]
    step, gap = ([draw(few) for _ in range(rank)] for _ in range(2))
    spans = [(k - 1) * g + 1 for k, g in zip(window, gap, strict=True)]
    params: dict[str, Any] = {
        "subsample": tuple(step),
        "filter_dilation": tuple(gap),
        "filter_flip": draw(st.booleans()),
        "num_groups": draw(few),
        "unshared": draw(st.booleans()),
    }
    if draw(st.booleans()):
        ends = [(draw(st.integers(0, 2)), draw(st.integers(0, 2))) for _ in range(rank)]
        params["pad"] = tuple(n for pair in ends for n in pair)
    else:
        params["border_mode"] = draw(st.sampled_from(["valid", "half", "full", "same"]))
        ends = [margins(params["border_mode"], span) for span in spans]
    lengths = [s + draw(st.integers(0, 3)) for s in spans]
    batch, channels, filters = draw(few), draw(few), draw(few)
    groups = params["num_groups"]
    counts = [
        (n + sum(e) - s) // t + 1 for n, e, s, t in zip(lengths, ends, spans, step, strict=True)
    ]
    own = counts if params["unshared"] else []
    x = normal(batch, groups * channels, *lengths)
    w = normal(groups * filters, *own, channels, *window)
    flip, unshared = params["filter_flip"], params["unshared"]
    return x, w, params, by_loops(x, w, ends, step, gap, flip, groups, unshared)


@given(convolutions())
def test_any_convolution_is_what_loops_give(
    case: tuple[Array, Array, dict[str, Any], Array],
) -> None:
    x, w, params, expected = case
    op = OPS[f"conv{x.ndim - 2}d"]
    found = op.evaluate(x, w, **{p.name: p.default for p in op.params} | params)
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)
    static = op(TensorType("float64", x.shape)(), TensorType("float64", w.shape)(), **params)
    assert static.type.shape == expected.shape


@given(convolutions())
def test_gradients_are_the_transposes(case: tuple[Array, Array, dict[str, Any], Array]) -> None:
    """A convolution is linear in each of its inputs: <conv(x, w), g> = <x, by_inputs(g, w)>."""
    x, w, params, y = case
    rank = x.ndim - 2
    g = normal(*y.shape)
    defaults = {p.name: p.default for p in OPS[f"conv{rank}d"].params}
    by_inputs = OPS[f"conv{rank}d_grad_wrt_inputs"].evaluate(g, w, x.shape[2:], **defaults | params)
    by_weights = OPS[f"conv{rank}d_grad_wrt_weights"].evaluate(
        x, g, w.shape[-rank:], **defaults | params
    )
    assert by_inputs.shape == x.shape
    assert by_weights.shape == w.shape
    assert np.sum(by_inputs * x) == pytest.approx(np.sum(y * g), rel=1e-9, abs=1e-9)
    assert np.sum(by_weights * w) == pytest.approx(np.sum(y * g), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("mode", ["valid", "full", "same"])
def test_one_channel_is_what_scipy_gives(mode: str) -> None:
    x, w = normal(1, 1, 7, 6), normal(1, 1, 4, 3)
    expected = signal.convolve2d(x[0, 0], w[0, 0], mode)
    np.testing.assert_allclose(value(T.nnet.conv2d, x, w, border_mode=mode)[0, 0], expected)
    np.testing.assert_allclose(value(T.signal.convolve2d, x[0, 0], w[0, 0], mode=mode), expected)
    turned = signal.convolve2d(x[0, 0], w[0, 0, ::-1, ::-1], mode)
    found = value(T.nnet.conv2d, x, w, border_mode=mode, filter_flip=False)
    np.testing.assert_allclose(found[0, 0], turned)


@pytest.mark.parametrize("mode", ["valid", "full", "same"])
def test_signals_are_convolved_as_numpy_does(mode: str) -> None:
    x, w = normal(9), normal(4)
    np.testing.assert_allclose(value(T.signal.convolve1d, x, w, mode=mode), np.convolve(x, w, mode))


def test_the_longer_signal_may_come_second_where_lengths_are_known() -> None:
    x, w = TensorType("float64", (3,))("x"), TensorType("float64", (8,))("w")
    y = T.convolve1d(x, w, "valid")
    assert y.type.shape == (6,)
    a, b = normal(3), normal(8)
    np.testing.assert_allclose(function([x, w], y)(a, b), np.convolve(a, b, "valid"))


def test_volumes_are_what_scipy_gives() -> None:
    x, w = normal(2, 3, 5, 6, 4), normal(4, 3, 2, 3, 2)
    found = value(T.nnet.conv3d, x, w)
    expected = [
        [sum(signal.convolve(c, k, "valid") for c, k in zip(a, f, strict=True)) for f in w]
        for a in x
    ]
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_films_have_their_channels_after_the_time() -> None:
    x, w = normal(1, 5, 1, 6, 6), normal(1, 3, 1, 3, 3)
    found = value(T.nnet.conv3d2d.conv3d, x, w, border_mode="half")
    expected = ndimage.convolve(x[0, :, 0], w[0, :, 0], mode="constant")
    np.testing.assert_allclose(found[0, :, 0], expected, atol=1e-12)


# Lengths (facts: floor((i + 2p - k - (k-1)(d-1)) / s) + 1).


@pytest.mark.parametrize("i", [5, 8])
@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.parametrize("d", [1, 2])
@pytest.mark.parametrize("s", [1, 2, 3])
@pytest.mark.parametrize("border", ["valid", "half", "full", 0, 2, (1, 2), ((0, 3), 1)])
def test_lengths_are_those_of_the_formula(i: int, k: int, d: int, s: int, border: Any) -> None:
    span = k + (k - 1) * (d - 1)
    ends = [margins(border, span)] * 2 if isinstance(border, str) else [
        (m, m) if isinstance(m, int) else m
        for m in ((border, border) if isinstance(border, int) else border)
    ]  # fmt: skip
    expected = (2, 4, *((i + sum(e) - span) // s + 1 for e in ends))
    x = TensorType("float32", (2, 3, i, i))()
    w = TensorType("float32", (4, 3, k, k))()
    y = T.nnet.conv2d(x, w, border_mode=border, subsample=(s, s), filter_dilation=(d, d))
    assert y.type.shape == expected
    assert (
        conv.get_conv_output_shape(x.type.shape, w.type.shape, border, (s, s), (d, d)) == expected
    )
    ran = function([x, w], y)(np.ones((2, 3, i, i), "f4"), np.ones((4, 3, k, k), "f4"))
    assert ran.shape == expected


def test_half_keeps_odd_filters_lengths_and_same_keeps_all() -> None:
    x = TensorType("float64", (1, 1, 9, 8))()
    odd, even = TensorType("float64", (1, 1, 3, 5))(), TensorType("float64", (1, 1, 4, 2))()
    assert T.nnet.conv2d(x, odd, border_mode="half").type.shape == (1, 1, 9, 8)
    assert T.nnet.conv2d(x, even, border_mode="half").type.shape == (1, 1, 10, 9)
    assert T.nnet.conv2d(x, even, border_mode="same").type.shape == (1, 1, 9, 8)


def test_lengths_that_are_not_known_stay_unknown() -> None:
    x, w = TensorType("float32", (None, 3, None, 8))(), TensorType("float32", (6, 3, 3, None))()
    assert T.nnet.conv2d(x, w).type.shape == (None, 6, None, None)
    assert T.nnet.conv2d(T.ftensor4(), T.dtensor4()).dtype == "float64"


def test_shapes_of_images_and_filters_follow_backwards() -> None:
    top, kernel = (2, 4, 6, 6), (4, 3, 3, 3)
    assert conv.get_conv_gradinputs_shape(kernel, top, "valid", (1, 1)) == (2, 3, 8, 8)
    assert conv.get_conv_gradinputs_shape(kernel, top, "half", (1, 2)) == (2, 3, 6, None)
    grouped = conv.get_conv_gradinputs_shape(kernel, top, (1, (0, 2)), (1, 1), (2, 1), num_groups=2)
    assert grouped == (2, 6, 8, 6)
    image = (2, 6, 8, 8)
    assert conv.get_conv_gradweights_shape(image, top, "valid", (1, 1)) == (4, 6, 3, 3)
    assert conv.get_conv_gradweights_shape(image, top, "half", (1, 1)) == (4, 6, None, None)
    assert conv.get_conv_gradweights_shape(image, (2, 4, 10, 10), "full", (1, 1)) == (4, 6, 3, 3)
    own = conv.get_conv_gradweights_shape(image, top, 1, (1, 1), (2, 4), 2, unshared=True)
    assert own == (4, 6, 6, 3, 3, 2)
    assert conv.check_conv_gradinputs_shape((2, 3, 8, 8), kernel, top, "valid", (1, 1))
    assert not conv.check_conv_gradinputs_shape((2, 3, 9, 8), kernel, top, "valid", (1, 1))
    assert not conv.check_conv_gradinputs_shape((2, 3, 8), kernel, top, "valid", (1, 1))


def test_shapes_may_be_symbolic() -> None:
    n = T.lscalar("n")
    rows = conv.get_conv_output_shape((n, 3, n, None), (4, 3, 3, 3), "half", (2, 1))
    assert rows[0] is n
    assert rows[3] is None
    assert function([n], rows[2])(9) == 5


# Theano's functions.


def test_groups_are_convolutions_of_their_own() -> None:
    x, w = normal(2, 6, 5, 5), normal(4, 3, 3, 3)
    parts = [value(T.nnet.conv2d, x[:, 3 * g : 3 * g + 3], w[2 * g : 2 * g + 2]) for g in (0, 1)]
    np.testing.assert_allclose(value(T.nnet.conv2d, x, w, num_groups=2), np.hstack(parts))


def test_a_separable_convolution_is_a_deep_one_and_a_pointwise_one() -> None:
    x, deep, point = normal(2, 3, 6, 6), normal(6, 1, 3, 3), normal(5, 6, 1, 1)
    found = value(lambda *v: T.nnet.separable_conv2d(*v, 3, border_mode="half"), x, deep, point)
    each = np.concatenate(
        [value(T.nnet.conv2d, x[:, c : c + 1], deep[2 * c : 2 * c + 2], border_mode="half")
         for c in range(3)],
        axis=1,
    )  # fmt: skip
    np.testing.assert_allclose(found, np.einsum("bchw,fc->bfhw", each, point[:, :, 0, 0]))
    volume = value(
        lambda *v: T.nnet.separable_conv3d(*v, 3),
        x[:, :, np.newaxis], deep[:, :, np.newaxis], point[:, :, np.newaxis],
    )  # fmt: skip
    inner = value(lambda *v: T.nnet.separable_conv2d(*v, 3), x, deep, point)
    np.testing.assert_allclose(volume[:, :, 0], inner)


def test_a_causal_convolution_sees_no_later_step() -> None:
    x, w = normal(1, 2, 10), normal(3, 2, 3)
    causal = value(lambda a, b: conv.causal_conv1d(a, b, (3, 2, 3), filter_dilation=2), x, w)
    assert causal.shape == (1, 3, 10)
    later = x.copy()
    later[:, :, 6:] += 1
    changed = value(lambda a, b: conv.causal_conv1d(a, b, (3, 2, 3), filter_dilation=2), later, w)
    np.testing.assert_array_equal(causal[:, :, :6], changed[:, :, :6])
    expected = sum(np.convolve(x[0, c], np.insert(w[0, c], [1, 2], 0))[:10] for c in (0, 1))
    np.testing.assert_allclose(causal[0, 0], expected)
    with pytest.raises(ParameterError, match="filter_shape"):
        conv.causal_conv1d(T.tensor3(), T.tensor3(), (3, 2, None))


def test_a_transposed_convolution_is_the_gradient_by_the_input() -> None:
    x, w = T.dtensor4("x"), T.dtensor4("w")
    params: dict[str, Any] = {"border_mode": (1, (0, 2)), "filter_dilation": (1, 2)}
    y = T.nnet.conv2d(x, w, subsample=(2, 3), **params)
    images, filters = normal(2, 3, 8, 9), normal(4, 3, 3, 2)
    g = normal(*function([x, w], y)(images, filters).shape)
    t = T.dtensor4("t")
    up = T.nnet.conv2d_transpose(t, w, (None, 3, 8, 9), input_dilation=(2, 3), **params)
    assert up.type.shape[2:] == (8, 9)
    by_inputs = grad(T.sum(y * t), x)
    expected = function([x, w, t], by_inputs)(images, filters, g)
    np.testing.assert_allclose(function([t, w], up)(g, filters), expected)


def test_the_output_shape_may_be_an_expression() -> None:
    t, w, n = T.dtensor4("t"), T.dtensor4("w"), T.iscalar("n")
    up = T.nnet.conv2d_transpose(t, w, (None, None, n, 2 * n), input_dilation=(1, 2))
    f = function([t, w, n], up)
    assert f(np.ones((1, 2, 3, 4)), np.ones((2, 5, 2, 2)), 4).shape == (1, 5, 4, 8)
    with pytest.raises(ShapeError, match="give an output of shape"):
        f(np.ones((1, 2, 3, 4)), np.ones((2, 5, 2, 2)), 6)
    assert function([t, w, n], grad(T.sum(up), t))(
        np.ones((1, 2, 3, 4)), np.ones((2, 5, 2, 2)), 4
    ).shape == (1, 2, 3, 4)


@pytest.mark.parametrize("border", ["valid", "half", "full", "same"])
def test_a_transposed_convolution_knows_the_least_image(border: str) -> None:
    t, w = TensorType("float64", (2, 4, 5, 6))("t"), TensorType("float64", (4, 3, 3, 4))("w")
    up = T.conv2d_transpose(t, w, input_dilation=(2, 1), border_mode=border)
    back = T.conv2d(up, w, subsample=(2, 1), border_mode=border)
    assert back.type.shape == (2, 4, 5, 6)
    found = function([t, w], [up, back])(normal(2, 4, 5, 6), normal(4, 3, 3, 4))
    assert found[0].shape == up.type.shape


def test_a_transposed_convolution_crops_what_was_padded() -> None:
    t, w = TensorType("float64", (2, 3, 6))(), TensorType("float64", (3, 5, 4))()
    assert T.conv1d_transpose(t, w).type.shape == (2, 5, 9)
    cropped = T.conv1d_transpose(t, w, pad=(1, 2), filter_dilation=(2,))
    assert cropped.type.shape == (2, 5, 6 + (4 - 1) * 2 - 3)
    assert T.conv1d_transpose(t, w, (8,), input_dilation=(2,), pad=(3,)).type.shape == (2, 5, 8)


def test_gradients_by_weights_take_the_filters_shape() -> None:
    x, t = normal(2, 3, 6, 6), normal(2, 4, 4, 4)
    found = value(lambda a, b: T.nnet.conv2d_grad_wrt_weights(a, b, (4, 3, 3, 3)), x, t)
    expected = np.einsum(
        "bcijkl,bfij->fckl", np.lib.stride_tricks.sliding_window_view(x, (3, 3), (2, 3)), t
    )[:, :, ::-1, ::-1]
    np.testing.assert_allclose(found, expected)
    volume = value(
        lambda a, b: T.nnet.conv3d_grad_wrt_weights(a, b, (4, 3, 1, 3, 3)),
        x[:, :, np.newaxis], t[:, :, np.newaxis],
    )  # fmt: skip
    np.testing.assert_allclose(volume[:, :, 0], expected)
    up = value(
        lambda a, b: T.nnet.conv3d_grad_wrt_inputs(a, b, (2, 3, 1, 6, 6)),
        t[:, :, np.newaxis], volume,
    )  # fmt: skip
    flat = value(lambda a, b: T.nnet.conv2d_grad_wrt_inputs(a, b, (2, 3, 6, 6)), t, expected)
    np.testing.assert_allclose(up[:, :, 0], flat)


def test_images_and_filters_without_channels() -> None:
    image, images, kernel, kernels = normal(6, 5), normal(3, 6, 5), normal(3, 2), normal(4, 3, 2)
    conv2d = T.signal.conv.conv2d
    single = signal.convolve2d(image, kernel, "valid")
    np.testing.assert_allclose(value(conv2d, image, kernel), single)
    np.testing.assert_allclose(
        value(conv2d, image, kernel, subsample=(2, 1), image_shape=(6, 5), filter_shape=(3, 2)),
        single[::2],
    )
    for f, k in zip(value(conv2d, image, kernels, border_mode="full"), kernels, strict=True):
        np.testing.assert_allclose(f, signal.convolve2d(image, k))
    for f, a in zip(value(conv2d, images, kernel), images, strict=True):
        np.testing.assert_allclose(f, signal.convolve2d(a, kernel, "valid"))
    assert value(conv2d, images, kernels).shape == (3, 4, 4, 4)
    with pytest.raises(TypeMismatchError, match="2 axes, or 3"):
        conv2d(T.vector(), T.matrix())


def test_older_interfaces_and_names() -> None:
    x, w = normal(2, 3, 6, 6), normal(4, 3, 3, 3)
    old = value(T.nnet.conv.conv2d, x, w, image_shape=(2, 3, 6, 6), filter_shape=(4, 3, 3, 3))
    np.testing.assert_array_equal(old, value(T.nnet.conv2d, x, w))
    with pytest.warns(DeprecationWarning, match="image_shape is now called input_shape"):
        renamed = value(T.nnet.conv2d, x, w, image_shape=(2, 3, None, 6))
    np.testing.assert_array_equal(old, renamed)
    with pytest.raises(ParameterError, match="input_shape was given twice"):
        T.nnet.conv2d(T.tensor4(), T.tensor4(), (1, 1, 5, 5), image_shape=(1, 1, 5, 5))


# Numbers.


@pytest.mark.parametrize(
    ("x", "w", "dtype"),
    [("float32", "float32", "float32"), ("int32", "float32", "float64"), ("int8", "int8", "int8"),
     ("bool", "float32", "float32"), ("float16", "float16", "float16"),
     ("float32", "complex64", "complex64")],
)  # fmt: skip
def test_dtypes_are_those_of_a_product(x: str, w: str, dtype: str) -> None:
    a, b = (10 * normal(2, 3, 5, 5)).astype(x), (10 * normal(2, 3, 3, 3)).astype(w)
    found = value(T.nnet.conv2d, a, b)
    wide = value(T.nnet.conv2d, a.astype("complex128"), b.astype("complex128"))
    wide = wide if dtype == "complex64" else wide.real
    assert found.dtype == dtype
    if dtype == "int8":
        np.testing.assert_array_equal(found, wide.astype("int64").astype("int8"))
    else:
        tolerance = 2e-3 if dtype == "float16" else 1e-5
        np.testing.assert_allclose(found, wide.astype(dtype), rtol=tolerance, atol=tolerance)


def test_half_precision_is_summed_in_single() -> None:
    ones = np.ones((1, 4096, 1, 1), "float16")
    assert value(T.nnet.conv2d, ones, ones / 2).item() == 2048


@pytest.mark.parametrize("unshared", [True, False])
@pytest.mark.parametrize(("batch", "channels", "filters"), [(0, 2, 4), (3, 0, 4), (3, 2, 0)])
def test_nothing_gives_zeros(batch: int, channels: int, filters: int, unshared: bool) -> None:
    x, w = T.dtensor4("x"), TensorType("float64", (None,) * (6 if unshared else 4))("w")
    y = T.nnet.conv2d(x, w, unshared=unshared, num_groups=2)
    shapes = (batch, channels, 5, 5), (filters, *[3, 3] * unshared, channels // 2, 3, 3)
    f = function([x, w], [y, *grad(T.sum(y), [x, w])])
    out, by_x, by_w = f(*map(np.ones, shapes))
    assert out.shape == (batch, filters, 3, 3)
    assert (by_x.shape, by_w.shape) == shapes
    assert not any(np.any(v) for v in (out, by_x, by_w))


def test_large_images_are_done_in_parts() -> None:
    """One image whose columns would take 300 MB, and a batch that is cut unevenly."""
    x, w = normal(1, 2, 1000, 700), normal(2, 2, 5, 5)
    found = value(T.nnet.conv2d, x, w, border_mode="half")
    expected = signal.fftconvolve(x[0, 1], w[1, 1], "same") + signal.fftconvolve(
        x[0, 0], w[1, 0], "same"
    )
    np.testing.assert_allclose(found[0, 1], expected, atol=1e-9)
    x, w = normal(37, 8, 20, 20), normal(4, 8, 3, 3)
    each = [value(T.nnet.conv2d, a[np.newaxis], w)[0] for a in x]
    np.testing.assert_allclose(value(T.nnet.conv2d, x, w), each, atol=1e-12)


def test_gradients_of_parts_add_up() -> None:
    x, w, g = T.dtensor4("x"), T.dtensor4("w"), T.dtensor4("g")
    y = T.nnet.conv2d(x, w, border_mode="full")
    f = function([x, w, g], grad(T.sum(y * g), [x, w]))
    images, filters, weights = normal(1, 2, 300, 900), normal(2, 2, 3, 3), normal(1, 2, 302, 902)
    by_x, by_w = f(images, filters, weights)
    turned = filters[:, :, ::-1, ::-1]
    expected = sum(signal.fftconvolve(weights[0, k], turned[k, 1], "valid") for k in (0, 1))
    np.testing.assert_allclose(by_x[0, 1], expected, atol=1e-9)
    padded = np.pad(images, ((0, 0), (0, 0), (2, 2), (2, 2)))
    corner = np.sum(padded[0, 1, 2:304, 2:904] * weights[0, 0])
    assert by_w[0, 1, 0, 0] == pytest.approx(corner)


def test_integers_get_zero_gradients_and_pass_on_none() -> None:
    i, w = T.itensor4("i"), T.dtensor4("w")
    of_i = function([i, w], grad(T.sum(T.nnet.conv2d(i, w)), i))
    assert np.array_equal(of_i(np.ones((1, 1, 3, 3), "int32"), np.full((1, 1, 3, 3), 2.0)),
                          np.full((1, 1, 3, 3), 2.0))  # fmt: skip
    y = T.nnet.conv2d(i, i)
    none = function([i], grad(T.sum(y * 1.5), i))(np.ones((1, 1, 3, 3), "int32"))
    assert not none.any()


def test_the_hessian_of_a_product_is_another_convolution() -> None:
    """d/dw of the sum of g times d/dx is conv again: the gradients have gradients."""
    x, w, v = T.dtensor4("x"), T.dtensor4("w"), T.dtensor4("v")
    y = T.nnet.conv2d(x, w, subsample=(2, 1), border_mode="half")
    by_x = grad(T.sum(y**3), x)
    mixed = function([x, w, v], grad(T.sum(by_x * v), w))
    a, b, c = normal(2, 2, 5, 4), normal(3, 2, 3, 3), normal(2, 2, 5, 4)
    step, direction = 1e-6, normal(3, 2, 3, 3)
    f = function([x, w, v], T.sum(by_x * v))
    slope = (f(a, b + step * direction, c) - f(a, b - step * direction, c)) / (2 * step)
    assert np.sum(mixed(a, b, c) * direction) == pytest.approx(slope, rel=1e-5)


# What is refused, and how it is said.

SHAPES: list[tuple[Sequence[int], Sequence[int], Mapping[str, Any], str]] = [
    ((2, 3, 5, 5), (4, 2, 3, 3), {}, "axis 1.*the input has 3 channels but the filters 2"),
    ((2, 6, 5, 5), (4, 6, 3, 3), {"num_groups": 2}, "3 a group.*the filters 6"),
    ((2, 5, 5, 5), (4, 2, 3, 3), {"num_groups": 2}, "5 channels cannot be parted into 2 groups"),
    ((2, 4, 5, 5), (3, 2, 3, 3), {"num_groups": 2}, "3 filters cannot be parted into 2 groups"),
    ((2, 3, 5, 5), (4, 3, 3, 6), {}, r"\(2, 3, 5, 5\).*\(4, 3, 3, 6\).*axis 3.*6 columns"),
    ((2, 3, 5, 5), (4, 3, 3, 6), {"border_mode": (3, 0)}, "6 columns, but the input has 5"),
    ((2, 3, 1, 5), (4, 3, 4, 1), {"border_mode": (1, 0)}, "4 rows.*has 1 with 2 of padding"),
    ((2, 3, 5, 5), (4, 3, 3, 3), {"filter_dilation": (1, 3)}, "3 columns, dilated to 7"),
    ((2, 3, 5, 5), (4, 3, 0, 3), {}, "the filters have no rows"),
    ((2, 3, 5, 5), (4, 2, 3, 3, 3, 3), {"unshared": True}, "filters for 2 rows, but the output"),
]  # fmt: skip


@pytest.mark.parametrize("known", [True, False], ids=["when built", "when run"])
@pytest.mark.parametrize(("image", "filters", "params", "text"), SHAPES)
def test_shapes_that_do_not_fit(
    image: Sequence[int], filters: Sequence[int], params: Mapping[str, Any], text: str, known: bool
) -> None:
    def build(shape: Sequence[int]) -> Variable:
        return TensorType("float64", shape if known else [None] * len(shape))()

    def convolve() -> Any:
        x, w = build(image), build(filters)
        y = T.nnet.conv2d(x, w, **params)
        assert not known
        return function([x, w], y)(np.ones(image), np.ones(filters))

    with pytest.raises(ShapeError, match=text) as caught:
        convolve()
    assert "(batch, channels, rows, columns)" in f"{caught.value.hint} {caught.value.expected}"


def test_wrong_ranks_say_which_axes_there_are() -> None:
    with pytest.raises(TypeMismatchError, match=r"4 axes, \(batch, channels, rows, columns\)") as e:
        T.nnet.conv2d(T.matrix(), T.tensor4())
    assert "dimshuffle('x', 'x', 0, 1)" in (e.value.hint or "")
    with pytest.raises(TypeMismatchError, match=r"filters must have 6 axes.*output rows"):
        T.nnet.conv2d(T.tensor4(), T.tensor4(), unshared=True)
    with pytest.raises(TypeMismatchError, match="depth"):
        T.nnet.conv3d(T.tensor4(), T.tensor5())
    with pytest.raises(TypeMismatchError, match="bool has no arithmetic"):
        T.nnet.conv2d(*(TensorType("bool", (None,) * 4)() for _ in range(2)))
    with pytest.raises(TypeMismatchError, match="in1 must have 2 axes"):
        T.signal.convolve2d(T.vector(), T.matrix())


@pytest.mark.parametrize(
    "params",
    [{"border_mode": "wide"}, {"border_mode": -1}, {"border_mode": (1, 2, 3)},
     {"border_mode": (1, (1, -1))}, {"border_mode": (1.5, 1)}, {"border_mode": ((1, 2, 3), 1)},
     {"subsample": (0, 1)}, {"subsample": (1,)}, {"filter_dilation": (1, 1, 1)},
     {"num_groups": 0}],
    ids=str,
)  # fmt: skip
def test_parameters_that_cannot_be(params: dict[str, Any]) -> None:
    with pytest.raises(ParameterError) as caught:
        T.nnet.conv2d(T.tensor4(), T.tensor4(), **params)
    assert caught.value.port in params
    assert caught.value.expected


def test_pads_of_the_record_are_checked_too() -> None:
    for pad in [(1, 2, 3), (-1, 0), ()]:
        with pytest.raises(ParameterError, match="pad cannot be"):
            T.conv2d(T.tensor4(), T.tensor4(), pad=pad)


def test_shapes_that_are_told_are_checked() -> None:
    x, w = TensorType("float64", (None, 3, 8, 8))("x"), T.dtensor4("w")
    with pytest.raises(ShapeError, match=r"\(2, 4, 8, 8\) that is told of input"):
        T.nnet.conv2d(x, w, input_shape=(2, 4, 8, 8))
    with pytest.raises(ShapeError, match="the input has 3 channels but the filters 5"):
        T.nnet.conv2d(x, w, filter_shape=(2, 5, 3, 3))
    with pytest.raises(ShapeError, match="told of filters"):
        T.nnet.conv2d(x, w, filter_shape=(2, 3, 3))
    known = T.nnet.conv2d(x, w, input_shape=(2, 3, T.constant(8), 8), filter_shape=(4, 3, 3, 3))
    assert known.ndim == 4
    with pytest.raises(ShapeError, match="told of input_shape"):
        T.nnet.conv2d_transpose(T.tensor4(), TensorType("float64", (2, 3, 3, 3))(), (1, 4, 9, 9))
    with pytest.raises(ShapeError, match="told of filter_shape"):
        T.nnet.conv2d_grad_wrt_weights(x, T.tensor4(), (2, 4, 3, 3))


def test_a_gradient_of_the_wrong_shape_is_refused() -> None:
    t, w = TensorType("float64", (1, 2, 3, 3))(), TensorType("float64", (2, 4, 3, 3))()
    with pytest.raises(ShapeError, match=r"give an output of shape \(1, 2, 4, 4\), but"):
        T.nnet.conv2d_grad_wrt_inputs(t, w, (1, 4, 6, 6))
    with pytest.raises(ShapeError, match=r"There are 3 filters.*but results of 2 on axis 1"):
        T.conv2d_transpose(t, TensorType("float64", (3, 2, 3, 3))())
    with pytest.raises(ShapeError, match="shape cannot be"):
        T.conv2d_transpose(t, w, border_mode="full", pad=(4, 4))
    with pytest.raises(TypeMismatchError, match="a vector of 2 integers"):
        OPS["conv2d_grad_wrt_inputs"](t, w, T.dvector())


def test_theano_s_classes_are_the_functions_with_parameters() -> None:
    x, w = normal(2, 3, 6, 5), normal(4, 3, 3, 2)
    options: dict[str, Any] = {"subsample": (2, 1), "border_mode": (1, 0), "filter_flip": False}
    t = value(conv.conv2d, x, w, **options)
    made = conv.AbstractConv2d(x.shape, w.shape, **options)
    np.testing.assert_allclose(value(made, x, w), t)

    by_inputs = conv.AbstractConv2d_gradInputs(x.shape, w.shape, **options)
    expected = value(lambda t, w: conv.conv2d_grad_wrt_inputs(t, w, x.shape, **options), t, w)
    lengths, rows = T.lvector("lengths"), T.lscalar("rows")
    for shape, values in (
        (x.shape[2:], {}),
        (T.constant(x.shape[2:]), {}),
        (lengths, {lengths: x.shape[2:]}),
        ((rows, 5), {rows: 6}),
    ):
        found = by_inputs(T.constant(w), T.constant(t), shape)
        np.testing.assert_allclose(found.eval(values), expected)

    by_weights = conv.AbstractConv2d_gradWeights(kshp=w.shape, **options)
    expected = value(lambda x, t: conv.conv2d_grad_wrt_weights(x, t, w.shape, **options), x, t)
    found = by_weights(T.constant(x), T.constant(t), w.shape[2:])
    assert found.type.shape == w.shape
    np.testing.assert_allclose(found.eval(), expected)

    volume, filters = normal(1, 2, 3, 4, 5), normal(2, 2, 2, 2, 2)
    t3 = value(conv.conv3d, volume, filters)
    np.testing.assert_allclose(value(conv.AbstractConv3d(), volume, filters), t3)
    back = conv.AbstractConv3d_gradInputs()(T.constant(filters), T.constant(t3), volume.shape[2:])
    assert back.type.shape == volume.shape
    onto = conv.AbstractConv3d_gradWeights()(T.constant(volume), T.constant(t3), (2, 2, 2))
    assert onto.eval().shape == filters.shape


# Upsampling.


@pytest.mark.parametrize("ratio", [1, 2, 3, 4])
def test_bilinear_upsampling_is_the_transposed_convolution_that_theano_makes(ratio: int) -> None:
    """Borders repeated, a filter that rises and falls, cropped to ratio times the lengths."""
    image = normal(2, 3, 4, 5)
    wide = np.pad(image, ((0, 0), (0, 0), (1, 1), (1, 1)), mode="edge").reshape(6, 1, 6, 7)
    kernel = conv.bilinear_kernel_2D(ratio).dimshuffle("x", "x", 0, 1)
    margin = 2 * ratio - (ratio - 1) // 2 - 1
    x = T.dtensor4("x")
    up = T.nnet.conv2d_transpose(
        x, kernel, (None, 1, 4 * ratio, 5 * ratio), border_mode=margin,
        input_dilation=(ratio, ratio),
    )  # fmt: skip
    expected = function([x], up)(wide).reshape(2, 3, 4 * ratio, 5 * ratio)
    np.testing.assert_allclose(value(conv.bilinear_upsampling, image, ratio=ratio), expected)
    static = TensorType("float64", (2, 3, 4, 5))()
    assert conv.bilinear_upsampling(static, ratio).type.shape == (2, 3, 4 * ratio, 5 * ratio)


@pytest.mark.parametrize("fraction", [(3, 2), (6, 4), ((5, 3), (4, 3)), ((1, 2), (2, 1))])
def test_fractions_take_some_of_the_rows(fraction: Any) -> None:
    image = normal(1, 2, 5, 4)
    (p, q), (r, s) = fraction if isinstance(fraction[0], tuple) else (fraction, fraction)
    p, q = p // np.gcd(p, q), q // np.gcd(p, q)
    r, s = r // np.gcd(r, s), s // np.gcd(r, s)
    dense = value(lambda x: T.bilinear_upsampling(x, (p, r)), image)
    found = value(conv.bilinear_upsampling, image, frac_ratio=fraction, use_1D_kernel=False)
    np.testing.assert_allclose(found, dense[:, :, ::q, ::s])


def test_bilinear_kernels() -> None:
    (kernel,) = [function([], conv.bilinear_kernel_1D(3, normalize=False))()]
    assert np.array_equal(kernel, [1, 2, 3, 2, 1])
    plane = function([], conv.bilinear_kernel_2D((1, 2)))()
    np.testing.assert_allclose(plane, [[0.5, 1, 0.5]])


def test_upsampling_needs_one_ratio() -> None:
    for ratios in ({}, {"ratio": 2, "frac_ratio": (3, 2)}):
        with pytest.raises(ParameterError, match="either a ratio or a frac_ratio"):
            conv.bilinear_upsampling(T.tensor4(), **ratios)
    with pytest.raises(ParameterError, match="ratio cannot be"):
        T.bilinear_upsampling(T.tensor4(), (0, 1))
    with pytest.raises(TypeMismatchError, match="last two axes"):
        T.bilinear_upsampling(T.vector())
    with pytest.raises(ShapeError, match=r"become \(4, 6\), but output_grad"):
        OPS["bilinear_upsampling_grad"](TensorType("float64", (4, 4))(), [2, 3])
