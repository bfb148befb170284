"""Fourier transforms of real numbers, whose spectrum is known from its first half."""

from __future__ import annotations

from typing import Any

import numpy as np

from engine.errors import ShapeError, TypeMismatchError
from engine.expression import OPS, Variable
from engine.makers import composed
from engine.op import Example, Op, Param, Port
from engine.ops.fft import (
    AXES,
    CATEGORY,
    NORM,
    REAL,
    axes_in_order,
    check_alike,
    check_axes,
    nothing,
    precise,
    spectral,
)
from engine.types import COMPLEX, EVERY, Shape, TensorType, normalize_axis, real_dtype, shape_text


def _half(shape: Shape, axis: int) -> Shape:
    n = shape[axis]
    return (*shape[:axis], None if n is None else n // 2 + 1, *shape[axis + 1 :])


def _rfftn_type(x: TensorType, axes: Any, norm: str) -> TensorType:
    if x.dtype in COMPLEX:
        raise TypeMismatchError(
            "rfftn is of real numbers.",
            port="x",
            expected="a real tensor",
            got=x.dtype,
            hint="Use fftn, or take the real part first.",
        )
    over = check_axes(x, axes)
    shape = _half(x.shape, over[-1])
    pattern = [shape[k] == 1 if k == over[-1] else b for k, b in enumerate(x.broadcastable)]
    return TensorType(spectral(x), shape, pattern)


def _rfftn_value(x: Any, axes: Any, norm: Any) -> Any:
    over = check_axes(TensorType(x.dtype, x.shape), axes)
    found = np.fft.rfftn(precise(x), axes=over, norm=norm)
    return found.astype(spectral(TensorType(x.dtype)), copy=False)


def _rfftn_grad(
    g: Variable, y: Variable, x: Variable, axes: Any, norm: str
) -> list[Variable | None]:
    """The other half of the spectrum is the first one's mirror, and counts as often."""
    weights = OPS["mirrored"](x, axes_in_order(axes, x.ndim)[-1], real_dtype(g.dtype))
    return [irfftn_like(g / weights, x, axes, ADJOINT[norm])]


ADJOINT = {"backward": "forward", "ortho": "ortho", "forward": "backward"}
"""The norm of the inverse transform that is a transform's adjoint."""

rfftn: Op = Op(
    name="rfftn",
    symbol="ℱᵣ",
    category=CATEGORY,
    method=False,
    doc="The Fourier transform of real numbers along several axes; of the last one only the half "
    "of the spectrum that says all.",
    ports=(Port("x"),),
    params=(AXES, NORM),
    examples=(
        Example(((3, 4),)),
        Example(((2, 5),), {"axes": (-1,), "norm": "ortho"}),
        Example(((3, 4, 2),), {"axes": (2, 0), "norm": "forward"}),
    ),
    infer=_rfftn_type,
    numpy=_rfftn_value,
    conjugates=False,
    grad=_rfftn_grad,
    dtypes=REAL,
)


def _mirrored_type(x: TensorType, axis: int, dtype: str) -> TensorType:
    axis = normalize_axis(axis, x.ndim)
    return TensorType(
        dtype,
        [n if k == axis else 1 for k, n in enumerate(_half(x.shape, axis))],
        [k != axis for k in range(x.ndim)],
    )


def _mirrored_value(x: Any, axis: int, dtype: str) -> Any:
    n = x.shape[axis]
    times = np.full(n // 2 + 1, 2, dtype)
    times[0] = 1
    if n % 2 == 0:
        times[-1] = 1
    return times.reshape([-1 if k == axis else 1 for k in range(x.ndim)])


mirrored = Op(
    name="mirrored",
    symbol="×2",
    category=CATEGORY,
    hidden=True,
    method=False,
    doc="How often each number in half a spectrum of x occurs in all of it, along one axis.",
    ports=(Port("x"),),
    params=(Param("axis", "int", 0, "the axis"), Param("dtype", "dtype", "floatX", "the dtype")),
    examples=(
        Example(((2, 4),), {"axis": 1, "dtype": "float64"}),
        Example(((5, 2),), {"dtype": "float32"}),
    ),
    infer=_mirrored_type,
    numpy=_mirrored_value,
    from_shape=True,
    grad=lambda g, y, x, axis, dtype: [None],
)


def _real_part_of(z: Any, length: int, over: tuple[int, ...], norm: Any) -> Any:
    """The real numbers whose spectrum has z as its half, of the given length on the last axis."""
    sizes = [length if k == over[-1] else z.shape[k] for k in over]
    if 0 in sizes or z.shape[over[-1]] == 0:
        raise nothing(over[-1])
    found = np.fft.irfftn(precise(z), s=sizes, axes=over, norm=norm)
    return found.astype(real_dtype(spectral(TensorType(z.dtype))), copy=False)


def _irfftn_type(z: TensorType, odd: bool, axes: Any, norm: str) -> TensorType:
    last = check_axes(z, axes)[-1]
    n = z.shape[last]
    if n == 1 and not odd:
        raise ShapeError(
            f"A spectrum of one number on axis {last} is of one real number, not of an even "
            "number of them.",
            port="z",
            expected="two numbers or more, or odd",
            got=shape_text(z.shape),
            hint="Pass odd=True.",
        )
    length = None if n is None else 2 * (n - 1) + odd
    shape = [length if k == last else m for k, m in enumerate(z.shape)]
    pattern = [length == 1 if k == last else b for k, b in enumerate(z.broadcastable)]
    return TensorType(real_dtype(spectral(z)), shape, pattern)


def _irfftn_value(z: Any, odd: bool, axes: Any, norm: str) -> Any:
    over = axes_in_order(axes, z.ndim)
    return _real_part_of(z, 2 * (z.shape[over[-1]] - 1) + odd, over, norm)


def _half_spectrum(g: Variable, z: Variable, axes: Any, norm: str) -> Variable:
    """The gradient by a half spectrum, from that by the real numbers."""
    weights = mirrored(g, axes_in_order(axes, z.ndim)[-1], g.dtype)
    return rfftn(g, axes, ADJOINT[norm]) * weights


irfftn: Op = Op(
    name="irfftn",
    symbol="ℱᵣ⁻¹",
    category=CATEGORY,
    method=False,
    doc="The real numbers of which rfftn with the same norm gives z.",
    ports=(Port("z"),),
    params=(
        Param("odd", "bool", False, "whether the last axis has an odd number of points"),
        AXES,
        NORM,
    ),
    examples=(
        Example(((3, 4),)),
        Example(((2, 3),), {"odd": True, "axes": (-1,), "norm": "ortho"}),
        Example(((3, 4, 2),), {"axes": (2, 0), "norm": "forward"}),
    ),
    infer=_irfftn_type,
    numpy=_irfftn_value,
    conjugates=False,
    grad=lambda g, y, z, odd, axes, norm: [_half_spectrum(g, z, axes, norm)],
    dtypes=EVERY,
)


def _irfftn_like_type(z: TensorType, model: TensorType, axes: Any, norm: str) -> TensorType:
    check_alike(z, model)
    expected = _half(model.shape, check_axes(z, axes)[-1])
    if any(None not in pair and pair[0] != pair[1] for pair in zip(z.shape, expected, strict=True)):
        raise ShapeError(
            f"{shape_text(z.shape)} is no half spectrum of {shape_text(model.shape)}.",
            port="z",
            expected=shape_text(expected),
            got=shape_text(z.shape),
        )
    return model.with_dtype(real_dtype(spectral(z)))


def _irfftn_like_value(z: Any, model: Any, axes: Any, norm: str) -> Any:
    _irfftn_like_type(TensorType(z.dtype, z.shape), TensorType(z.dtype, model.shape), axes, norm)
    over = axes_in_order(axes, z.ndim)
    return _real_part_of(z, model.shape[over[-1]], over, norm)


irfftn_like: Op = Op(
    name="irfftn_like",
    symbol="ℱᵣ⁻¹",
    category=CATEGORY,
    hidden=True,
    method=False,
    doc="The real numbers of which rfftn gives z, as many as the model has.",
    ports=(Port("z"), Port("model")),
    params=(AXES, NORM),
    examples=(
        Example(((2, 3), (2, 4)), {"axes": (-1,)}),
        Example(((2, 3), (2, 5)), {"norm": "ortho"}),
    ),
    infer=_irfftn_like_type,
    numpy=_irfftn_like_value,
    conjugates=False,
    grad=lambda g, y, z, model, axes, norm: [_half_spectrum(g, z, axes, norm), None],
    dtypes=EVERY,
)


# As in Theano: a batch first, and pairs of real and imaginary parts last

THEANO_NORM = Param(
    "norm",
    "string",
    None,
    "ortho divides both ways by the root of the number of points, no_norm divides neither; none "
    "divides the inverse",
    choices=("ortho", "no_norm"),
)


def _check_batch(x: Variable, least: int, what: str) -> None:
    if x.ndim < least:
        raise ShapeError(
            f"{x.ndim} dimension{'s' * (x.ndim != 1)} are too few for {what}.",
            port="inp",
            expected=f"{least} dimensions or more",
            got=str(x.type),
        )


def _rfft(inp: Variable, norm: str | None = None) -> Variable:
    _check_batch(inp, 2, "a batch of signals")
    scale = "ortho" if norm == "ortho" else "backward"
    z = rfftn(inp, tuple(range(1, inp.ndim)), scale)
    return OPS["stack"]([OPS["real"](z), OPS["imag"](z)], axis=-1)


rfft = composed(
    "rfft",
    symbol="ℱ",
    category=CATEGORY,
    method=False,
    doc="The Fourier transforms of a batch of real signals, over all axes but the first; the last "
    "axis of the result has the real and the imaginary part.",
    params=(THEANO_NORM,),
    examples=(
        Example(((2, 4),)),
        Example(((2, 3, 5),), {"norm": "ortho"}),
        Example(((2, 3),), {"norm": "no_norm"}),
    ),
    body=_rfft,
    dtypes=REAL,
)


def _irfft(inp: Variable, norm: str | None = None, is_odd: bool = False) -> Variable:
    _check_batch(inp, 3, "a batch of spectra in pairs")
    if inp.type.shape[-1] not in (None, 2):
        raise ShapeError(
            "The last axis must be pairs of real and imaginary parts.",
            port="inp",
            expected="length 2 on the last axis",
            got=shape_text(inp.type.shape),
        )
    scale = {"ortho": "ortho", "no_norm": "forward"}.get(norm or "", "backward")
    z = OPS["complex"](inp[..., 0], inp[..., 1])
    return irfftn(z, is_odd, tuple(range(1, z.ndim)), scale)


irfft = composed(
    "irfft",
    symbol="ℱ⁻¹",
    category=CATEGORY,
    method=False,
    doc="The real signals of which rfft with the same norm gives the spectra.",
    ports=(Port("inp"),),
    params=(THEANO_NORM, Param("is_odd", "bool", False, "whether the signals have odd length")),
    examples=(
        Example(((3, 4, 2),)),
        Example(((2, 3, 4, 2),), {"norm": "ortho", "is_odd": True}),
        Example(((3, 4, 2),), {"norm": "no_norm"}),
    ),
    body=_irfft,
    dtypes=REAL,
)
