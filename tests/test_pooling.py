"""Pooling: values against loops, Theano's lengths, ties, gradients, and what is refused."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

import engine.tensor as T
from engine import function, grad
from engine.errors import ParameterError, ShapeError, TypeMismatchError
from engine.expression import OPS
from engine.types import TensorType
from tests.op_table import Array

MODES = ("max", "sum", "average_inc_pad", "average_exc_pad")
pool_2d = T.signal.pool.pool_2d
RNG = np.random.default_rng(6)


def theano_length(n: int, window: int, stride: int, pad: int, ignore: bool) -> int:
    """What Theano 1.0's Pool.out_shape says of an axis."""
    n += 2 * pad
    if ignore:
        return n // stride if window == stride else max((n - window) // stride + 1, 0)
    if stride >= window:
        return (n - 1) // stride + 1
    return max(0, (n - 1 - window + stride) // stride) + 1


def by_loops(
    x: Array, ws: Sequence[int], ignore: bool, stride: Sequence[int], pad: Sequence[int], mode: str
) -> Array:
    """Pooling as Theano's Pool.perform does it: one window after the other."""
    rank = len(ws)
    lengths = x.shape[x.ndim - rank :]
    wide = np.pad(x, [(0, 0)] * (x.ndim - rank) + [(p, p) for p in pad])
    counts = [theano_length(*facts, ignore) for facts in zip(lengths, ws, stride, pad, strict=True)]
    out = np.zeros((*x.shape[: x.ndim - rank], *counts))
    for place in np.ndindex(*counts):
        at: list[Any] = []
        for p, w, s, d, n in zip(place, ws, stride, pad, lengths, strict=True):
            start, end = p * s, min(p * s + w, n + 2 * d)
            if mode != "average_inc_pad":
                start, end = max(start, d), min(end, n + d)
            at.append(slice(start, end))
        part = wide[(..., *at)]
        axes = tuple(range(-rank, 0))
        fold = {"max": np.max, "sum": np.sum}.get(mode, np.mean)
        out[(..., *place)] = fold(part, axis=axes)
    return out


@st.composite
def poolings(draw: st.DrawFn) -> tuple[Array, dict[str, Any]]:
    """A tensor with distinct elements, and parameters."""
    rank = draw(st.integers(1, 3))
    ws = tuple(draw(st.integers(1, 3)) for _ in range(rank))
    stride = draw(st.none() | st.tuples(*[st.integers(1, 4)] * rank))
    ignore = draw(st.booleans())
    pad = tuple(draw(st.integers(0, w - 1)) for w in ws) if ignore else None
    shape = [draw(st.integers(1, 2)) for _ in range(draw(st.integers(0, 2)))]
    shape += [draw(st.integers(1, 6)) for _ in range(rank)]
    x = RNG.permutation(np.prod(shape)).reshape(shape).astype("float64")
    mode = draw(st.sampled_from(MODES))
    return x, {"ws": ws, "ignore_border": ignore, "stride": stride, "pad": pad, "mode": mode}


@given(poolings())
def test_any_pooling_is_what_loops_give(case: tuple[Array, dict[str, Any]]) -> None:
    x, params = case
    ws = params["ws"]
    op = OPS[f"pool_{len(ws)}d"]
    expected = by_loops(
        x, ws, params["ignore_border"], params["stride"] or ws, params["pad"] or (0,) * len(ws),
        params["mode"],
    )  # fmt: skip
    found = op.evaluate(x, **params)
    np.testing.assert_allclose(found, expected)
    assert op(TensorType("float64", x.shape)(), **params).type.shape == expected.shape


@given(poolings())
def test_gradients_are_the_transposes(case: tuple[Array, dict[str, Any]]) -> None:
    """Pooling is linear in what it picks: <pool(x), g> = <x, gradient(g)>, and twice over."""
    x, params = case
    rank = len(params["ws"])
    y = OPS[f"pool_{rank}d"].evaluate(x, **params)
    g = RNG.standard_normal(y.shape)
    if params["mode"] == "max":
        windows = {name: v for name, v in params.items() if name != "mode"}
        back = OPS["max_pool_grad"].evaluate(x, g, **windows)
        np.testing.assert_allclose(OPS["max_pool_rop"].evaluate(x, x, **windows), y)
    else:
        lengths = x.shape[x.ndim - rank :]
        back = OPS["average_pool_grad"].evaluate(g, lengths, **params)
    assert back.shape == x.shape
    assert np.sum(back * x) == pytest.approx(np.sum(y * g))


@pytest.mark.parametrize("window", range(1, 5))
@pytest.mark.parametrize("stride", range(1, 5))
def test_lengths_are_theanos(window: int, stride: int) -> None:
    for n, pad, ignore in itertools.product(range(1, 9), range(window), (True, False)):
        if pad and not ignore:
            continue
        x = TensorType("float32", (n,))("x")
        y = T.signal.pool.pool_1d(x, (window,), ignore, (stride,), (pad,))
        assert y.type.shape == (theano_length(n, window, stride, pad, ignore),)
        unknown = T.signal.pool.pool_1d(T.fvector(), (window,), ignore, (stride,), (pad,))
        assert unknown.type.shape == (None,)


def test_the_borders_of_the_documentation() -> None:
    """(5, 5) by (2, 2) gives (2, 2) where borders are ignored, (3, 3) otherwise."""
    x = TensorType("float64", (5, 5))("x")
    assert pool_2d(x, (2, 2), ignore_border=True).type.shape == (2, 2)
    assert pool_2d(x, (2, 2), ignore_border=False).type.shape == (3, 3)
    f = function([x], pool_2d(x, (2, 2), ignore_border=False))
    assert np.array_equal(f(np.arange(25.0).reshape(5, 5))[:, 2], [9, 19, 24])


def test_all_axes_before_the_pooled_ones_are_a_batch() -> None:
    x = RNG.standard_normal((2, 3, 4, 4, 6))
    v = T.dtensor5("v")
    flat = function([v], pool_2d(v, (2, 3), True))(x)
    volume = function([v], T.signal.pool.pool_3d(v, (2, 2, 3), True))(x)
    assert flat.shape == (2, 3, 4, 2, 2)
    np.testing.assert_array_equal(flat[0, 0, 0, 0, 0], x[0, 0, 0, :2, :3].max())
    np.testing.assert_array_equal(volume, np.maximum(flat[:, :, ::2], flat[:, :, 1::2]))


def test_a_running_maximum_is_what_scipy_gives() -> None:
    x = RNG.standard_normal((9, 8))
    v = T.dmatrix("v")
    found = function([v], pool_2d(v, (3, 3), True, (1, 1), (1, 1)))(x)
    expected = ndimage.maximum_filter(x, 3, mode="constant", cval=-np.inf)
    np.testing.assert_array_equal(found, expected)


def test_padding_is_never_greatest() -> None:
    x = T.dmatrix("x")
    f = function([x], pool_2d(x, (2, 2), True, pad=(1, 1)))
    assert np.array_equal(f(-np.ones((2, 2))), -np.ones((2, 2)))
    i = T.TensorType("int8", (None,) * 2)("i")
    least = function([i], pool_2d(i, (2, 2), True, pad=(1, 1)))(np.full((2, 2), -128, "int8"))
    assert np.array_equal(least, np.full((2, 2), -128))


def test_averages_count_the_padding_or_do_not() -> None:
    x = T.dmatrix("x")
    ones = np.ones((3, 3))
    inc = function([x], pool_2d(x, (2, 2), True, pad=(1, 1), mode="average_inc_pad"))(ones)
    exc = function([x], pool_2d(x, (2, 2), True, pad=(1, 1), mode="average_exc_pad"))(ones)
    assert np.array_equal(inc, [[0.25, 0.5], [0.5, 1]])
    assert np.array_equal(exc, np.ones((2, 2)))


@pytest.mark.parametrize(
    ("mode", "given_dtype", "dtype"),
    [("max", "int8", "int8"), ("max", "bool", "bool"), ("sum", "int8", "int64"),
     ("sum", "float32", "float32"), ("average_exc_pad", "int8", "float32"),
     ("average_inc_pad", "int64", "float64"), ("sum", "complex64", "complex64"),
     ("average_exc_pad", "float16", "float16")],
)  # fmt: skip
def test_dtypes_are_those_of_the_reductions(mode: str, given_dtype: str, dtype: str) -> None:
    x = T.TensorType(given_dtype, (None, None))("x")
    found = function([x], pool_2d(x, (1, 2), True, mode=mode))(np.array([[100, 101]], given_dtype))
    assert found.dtype == dtype
    if mode != "max":
        assert found[0, 0] == (201 if mode == "sum" else 100.5)


def test_half_precision_is_summed_in_single() -> None:
    x = T.TensorType("float16", (None,))("x")
    total = function([x], T.pool_1d(x, (4096,), True, mode="sum"))(np.ones(4096, "float16"))
    assert total.item() == 4096


# Gradients.


def test_every_tie_gets_the_whole_gradient() -> None:
    """As Theano has it, and as the maximum over an axis has it here."""
    x = T.dmatrix("x")
    g = function([x], grad(T.sum(3 * pool_2d(x, (2, 2), True)), x))
    assert np.array_equal(g([[5, 5, 1, 2], [5, 0, 3, 3]]), [[3, 3, 0, 0], [3, 0, 3, 3]])
    overlapping = function([x], grad(T.sum(pool_2d(x, (1, 2), True, (1, 1))), x))
    assert np.array_equal(overlapping([[1, 9, 2]]), [[0, 2, 0]])


def test_what_is_left_out_has_no_gradient() -> None:
    x = T.dmatrix("x")
    g = function([x], grad(T.sum(pool_2d(x, (2, 2), True, mode="sum")), x))(np.ones((3, 5)))
    assert np.array_equal(g, [[1, 1, 1, 1, 0], [1, 1, 1, 1, 0], [0, 0, 0, 0, 0]])


def test_not_a_number_spreads_but_its_gradient_does_not() -> None:
    x = T.dvector("x")
    y = T.pool_1d(x, (2,), True)
    f = function([x], [y, grad(T.sum(y), x)])
    out, g = f([np.nan, 1, 3, 2])
    assert np.array_equal(out, [np.nan, 3], equal_nan=True)
    assert np.array_equal(g, [0, 0, 1, 0])


def test_a_gradient_has_a_gradient() -> None:
    """d/dv of <d max(x)^2 / dx, v> picks 2 v where x is greatest."""
    x, v = T.dmatrix("x"), T.dmatrix("v")
    first = grad(T.sum(pool_2d(x, (2, 2), True) ** 2), x)
    second = function([x, v], grad(T.sum(first * v), x))
    ones = np.ones((2, 4))
    found = second([[1, 2, 3, 4], [8, 7, 6, 5]], ones)
    assert np.array_equal(found, [[0, 0, 0, 0], [2, 0, 2, 0]])


def test_greatest_elements_where_they_are() -> None:
    x = T.dmatrix("x")
    y = T.signal.pool.max_pool_2d_same_size(x, (2, 2))
    f = function([x], [y, grad(T.sum(y * y), x)])
    kept, g = f([[1, 4, 2, 2, 9], [3, 0, 1, 0, 9], [7, 7, 7, 7, 7]])
    assert np.array_equal(kept, [[0, 4, 2, 2, 0], [0, 0, 0, 0, 0], [0, 0, 0, 0, 0]])
    # Of two that tie, each gives its value to both, and so has a part in each.
    assert np.array_equal(g[0, :2], [0, 8])
    assert np.array_equal(g[0, 2:4], [8, 8])


@pytest.mark.parametrize("mode", MODES)
def test_nothing_pools_to_nothing(mode: str) -> None:
    x = T.dtensor3("x")
    y = pool_2d(x, (2, 2), False, (1, 1), mode=mode)
    f = function([x], [y, grad(T.sum(y), x)])
    for shape in ((0, 4, 4), (2, 0, 4), (2, 4, 0)):
        out, g = f(np.ones(shape))
        assert out.shape == tuple(n and (n if i == 0 else 3) for i, n in enumerate(shape))
        assert g.shape == shape


# Theano's arguments, and what is refused.


def test_older_names_of_arguments() -> None:
    x = TensorType("float64", (6, 8))("x")
    with pytest.warns(DeprecationWarning, match="ds is now called ws"):
        assert pool_2d(x, ds=(2, 2), ignore_border=True).type.shape == (3, 4)
    with pytest.warns(DeprecationWarning, match="st is now called stride"):
        assert pool_2d(x, (2, 2), True, st=(1, 1)).type.shape == (5, 7)
    with pytest.warns(DeprecationWarning, match="padding is now called pad"):
        assert pool_2d(x, (3, 3), True, padding=(1, 1)).type.shape == (2, 3)
    old = T.signal.downsample
    with pytest.warns(UserWarning, match="ignore_border"):
        assert old.max_pool_2d(x, (4, 4)).type.shape == (2, 2)
    assert old.max_pool_2d_same_size is T.signal.pool.max_pool_2d_same_size
    with pytest.raises(ParameterError, match="ws was given twice"):
        pool_2d(x, (2, 2), True, ds=(2, 2))
    with pytest.warns(UserWarning, match="ignore_border"):
        assert pool_2d(x, (4, 4)).type.shape == (2, 2)
    with pytest.raises(ParameterError, match="needs the lengths of a window"):
        pool_2d(x, ignore_border=True)


@pytest.mark.parametrize(
    ("params", "text", "port"),
    [({"ws": (2,)}, "2 axes has 2 lengths, not 1", "ws"),
     ({"ws": (0, 2)}, "ws cannot be", "ws"),
     ({"ws": (2, 2), "stride": (1,)}, "stride cannot be", "stride"),
     ({"ws": (2, 2), "stride": (0, 1)}, "stride cannot be", "stride"),
     ({"ws": (2, 2), "pad": (1, 2)}, "nothing but padding", "pad"),
     ({"ws": (2, 2), "pad": (-1, 0)}, "pad cannot be", "pad"),
     ({"ws": (2, 2), "pad": (1, 1), "ignore_border": False}, "cannot be padded", "pad"),
     ({"ws": (2, 2), "mode": "median"}, "mode cannot be", "mode")],
)  # fmt: skip
def test_parameters_that_cannot_be(params: dict[str, Any], text: str, port: str) -> None:
    with pytest.raises(ParameterError, match=text) as caught:
        pool_2d(T.matrix(), **{"ignore_border": True, **params})
    assert caught.value.port == port


def test_inputs_that_cannot_be() -> None:
    with pytest.raises(TypeMismatchError, match="2 axes to pool along, but the input has 1"):
        pool_2d(T.vector(), (2, 2), True)
    with pytest.raises(TypeMismatchError, match="no greatest one"):
        pool_2d(T.zmatrix(), (2, 2), True)
    four = TensorType("float64", (4, 4))("x")
    with pytest.raises(ShapeError, match=r"gives \(2, 2\), but output_grad has the shape \(3, 2\)"):
        OPS["max_pool_grad"](four, TensorType("float64", (3, 2))(), (2, 2))
    with pytest.raises(ShapeError, match="does not fit an input of shape"):
        OPS["max_pool_rop"](four, TensorType("float64", (4, 3))(), (2, 2))
    with pytest.raises(ShapeError, match="but output_grad has the shape"):
        OPS["average_pool_grad"](four, [4, 4], (2, 2))


# Windows that are computed.


@given(poolings())
def test_windows_may_be_computed(case: tuple[Array, dict[str, Any]]) -> None:
    x, params = case
    rank = len(params["ws"])
    names = [n for n in ("ws", "stride", "pad") if params[n] is not None]
    pool = getattr(T.signal.pool, f"pool_{rank}d")
    v, numbers = T.TensorType("float64", (None,) * x.ndim)("v"), T.lvectors(names)
    known = pool(v, **params)
    computed = pool(v, **{**params, **dict(zip(names, numbers, strict=True))})
    cost = (known * T.arange(known.size).reshape(known.shape)).sum()
    other = (computed * T.arange(computed.size).reshape(computed.shape)).sum()
    f = function([v, *numbers], [computed, grad(other, v)])
    expected = function([v], [known, grad(cost, v)])(x)
    for found, value in zip(f(x, *(params[n] for n in names)), expected, strict=True):
        np.testing.assert_allclose(found, value, rtol=1e-12, atol=1e-9)


def test_a_pyramid_of_windows_covers_any_image() -> None:
    x = T.dtensor4("x")
    ws = tuple((n + 2) // 3 for n in x.shape[2:])
    out = pool_2d(x, ws=ws, stride=tuple(n // 3 for n in x.shape[2:]), ignore_border=True)
    image = RNG.random((1, 2, 7, 9))
    found = out.eval({x: image})
    assert found.shape == (1, 2, 3, 3)
    assert found[0, 1, 1, 2] == image[0, 1, 2:5, 6:9].max()
    assert pool_2d(T.constant(image), ws=[T.constant(2), 2], ignore_border=True).owner.op.name == (
        "pool_2d"
    )


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", ["bool", "int8", "float16", "float32", "complex64"])
def test_computed_windows_keep_the_dtypes(mode: Any, dtype: str) -> None:
    if mode == "max" and dtype == "complex64":
        with pytest.raises(TypeMismatchError, match="no greatest"):
            pool_2d(T.tensor(dtype, (None, None)), T.lvector(), ignore_border=True)
        return
    x, ws = T.constant(np.arange(12).reshape(3, 4).astype(dtype)), T.lvector("ws")
    computed = pool_2d(x, ws, ignore_border=False, mode=mode)
    known = pool_2d(x, (2, 3), ignore_border=False, mode=mode)
    assert computed.dtype == known.dtype
    np.testing.assert_allclose(computed.eval({ws: [2, 3]}), known.eval())


def test_computed_windows_that_cannot_be() -> None:
    x, ws, s, p = T.dmatrix("x"), *T.lvectors("ws", "s", "p")
    out = pool_2d(x, ws, ignore_border=True, stride=s, pad=p)
    for numbers in (([0, 2], [1, 1], [0, 0]), ([2, 2], [1, 0], [0, 0]), ([2, 2], [1, 1], [2, 0])):
        with pytest.raises(AssertionError, match="Windows and strides are 1 or more"):
            out.eval({x: np.eye(4), **dict(zip((ws, s, p), numbers, strict=True))})
    with pytest.raises(AssertionError, match="needs ignore_border"):
        pool_2d(x, (2, 2), ignore_border=False, pad=p).eval({x: np.eye(4), p: [1, 1]})
    with pytest.raises(ShapeError, match="2 axes to pool along"):
        pool_2d(T.dvector(), ws, ignore_border=True)
    with pytest.raises(ParameterError, match="mode cannot be"):
        pool_2d(x, ws, ignore_border=True, mode="least")
    with pytest.raises(TypeMismatchError, match="whole number"):
        pool_2d(x, T.dvector(), ignore_border=True)
    assert pool_2d(T.zeros((0, 3)), ws, ignore_border=False).eval({ws: [2, 2]}).shape == (0, 2)
