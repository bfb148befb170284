"""Fourier transforms, discrete and fast."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from engine.errors import ParameterError, ShapeError
from engine.expression import OPS, Variable
from engine.makers import composed
from engine.op import Example, Op, Param, Port
from engine.types import (
    COMPLEX,
    DISCRETE,
    EVERY,
    FLOATS,
    TensorType,
    normalize_axis,
    shape_text,
)

CATEGORY = "Fourier transforms"
REAL = frozenset(DISCRETE | FLOATS)
SCALES = ("backward", "ortho", "forward")
NORM = Param(
    "norm",
    "string",
    "backward",
    "which way is divided by the number of points: the inverse (backward), the transform "
    "(forward), or both by its root (ortho)",
    choices=SCALES,
)
AXES = Param("axes", "axis", None, "the axes that are transformed; none means all")


def spectral(x: TensorType) -> str:
    """The dtype of a spectrum: complex64 of float16 and float32, else complex128."""
    if x.dtype in COMPLEX:
        return x.dtype
    return "complex64" if x.dtype in {"float16", "float32"} else "complex128"


def precise(x: Any) -> Any:
    """The array in the dtype that NumPy is to compute in, whatever its version."""
    return x.astype(np.float32) if x.dtype == np.float16 else x


def axes_in_order(axes: Any, ndim: int) -> tuple[int, ...]:
    """The axes in the order given; of a real transform the last one has half the spectrum."""
    if axes is None:
        return tuple(range(ndim))
    given = [axes] if isinstance(axes, int) else list(axes)
    found = tuple(normalize_axis(a, ndim) for a in given)
    if len(set(found)) < len(found) or not found:
        raise ParameterError(
            f"The axes {tuple(given)} cannot be transformed.",
            port="axes",
            expected="one axis or more, each once",
            got=str(tuple(given)),
        )
    return found


# On complex numbers


def _fftn_type(x: TensorType, axes: Any, norm: str) -> TensorType:
    check_axes(x, axes)
    return x.with_dtype(spectral(x))


def check_axes(x: TensorType, axes: Any) -> tuple[int, ...]:
    if not x.ndim:
        raise ShapeError("A number has no spectrum.", expected="an axis or more", got=str(x))
    found = axes_in_order(axes, x.ndim)
    for axis in found:
        if x.shape[axis] == 0:
            raise nothing(axis)
    return found


def nothing(axis: int) -> ShapeError:
    return ShapeError(
        f"There is no spectrum of nothing: axis {axis} is empty.",
        expected="one element or more",
        got="0",
    )


def _transform(inverse: bool) -> Callable[..., Any]:
    def value(x: Any, axes: Any, norm: Any) -> Any:
        over = check_axes(TensorType(x.dtype, x.shape), axes)
        function = np.fft.ifftn if inverse else np.fft.fftn
        found = function(precise(x), axes=over, norm=norm)
        return found.astype(spectral(TensorType(x.dtype)), copy=False)

    return value


def _spectrum(name: str, inverse: bool, symbol: str, doc: str) -> Op:
    """A transform along several axes; its matrix is symmetric, so that it is its own adjoint."""
    return Op(
        name=name,
        symbol=symbol,
        category=CATEGORY,
        method=False,
        doc=doc,
        ports=(Port("x"),),
        params=(AXES, NORM),
        examples=(
            Example(((3, 4),)),
            Example(((2, 3, 4),), {"axes": (2, 0), "norm": "ortho"}),
            Example(((3, 4),), {"axes": (-1,), "norm": "forward"}),
        ),
        infer=_fftn_type,
        numpy=_transform(inverse),
        grad=lambda g, y, x, axes, norm: [OPS[name](g, axes, norm)],
        dtypes=EVERY,
    )


fftn = _spectrum(
    "fftn", False, "ℱₙ", "The Fourier transform along several axes, as complex numbers."
)
ifftn = _spectrum("ifftn", True, "ℱₙ⁻¹", "The inverse of fftn with the same norm.")


# Lengths


def _resized(x: Any, axis: int, n: int) -> Any:
    """Cut off, or filled up with zeros, at the end of an axis."""
    own = x.shape[axis]
    if n <= own:
        return x[(slice(None),) * axis + (slice(0, n),)]
    widths = [(0, n - own if k == axis else 0) for k in range(x.ndim)]
    return np.pad(x, widths)


def _resize_type(x: TensorType, axis: int, n: int) -> TensorType:
    axis = normalize_axis(axis, x.ndim)
    if n < 1:
        raise ParameterError(f"n cannot be {n}.", port="n", expected="1 or more", got=str(n))
    shape = [n if k == axis else own for k, own in enumerate(x.shape)]
    return TensorType(
        x.dtype, shape, [n == 1 if k == axis else b for k, b in enumerate(x.broadcastable)]
    )


resize: Op = Op(
    name="resize",
    symbol="⟷",
    category="Shape",
    hidden=True,
    method=False,
    doc="The tensor with one axis cut off, or filled up with zeros, at its end.",
    ports=(Port("x"),),
    params=(Param("axis", "int", -1, "the axis"), Param("n", "int", 1, "its new length")),
    examples=(
        Example(((2, 3),), {"n": 5}),
        Example(((4, 3),), {"axis": 0, "n": 2}),
    ),
    infer=_resize_type,
    numpy=lambda x, axis, n: _resized(x, normalize_axis(axis, x.ndim), n),
    conjugates=False,
    grad=lambda g, y, x, axis, n: [resize_like(g, x, axis)],
    dtypes=EVERY,
)


def check_alike(x: TensorType, model: TensorType) -> None:
    if x.ndim != model.ndim:
        raise ShapeError(
            "The model must have as many axes.",
            port="model",
            expected=f"{x.ndim} axes",
            got=shape_text(model.shape),
        )


def _resize_like_type(x: TensorType, model: TensorType, axis: int) -> TensorType:
    check_alike(x, model)
    axis = normalize_axis(axis, x.ndim)
    return TensorType(
        x.dtype,
        [model.shape[k] if k == axis else n for k, n in enumerate(x.shape)],
        [model.broadcastable[k] if k == axis else b for k, b in enumerate(x.broadcastable)],
    )


def _resize_like_value(x: Any, model: Any, axis: int) -> Any:
    axis = normalize_axis(axis, x.ndim)
    return _resized(x, axis, model.shape[axis])


resize_like: Op = Op(
    name="resize_like",
    symbol="⟷",
    category="Shape",
    hidden=True,
    method=False,
    doc="The tensor with one axis as long as that of the model: cut off, or filled with zeros.",
    ports=(Port("x"), Port("model")),
    params=(Param("axis", "int", -1, "the axis"),),
    examples=(Example(((2, 5), (2, 3))), Example(((2, 3), (4, 3)), {"axis": 0})),
    infer=_resize_like_type,
    numpy=_resize_like_value,
    conjugates=False,
    grad=lambda g, y, x, model, axis: [resize_like(g, x, axis), None],
    dtypes=EVERY,
)


def _along(op: Op) -> Callable[..., Variable]:
    def body(x: Variable, n: int | None = None, axis: int = -1, norm: str = "backward") -> Variable:
        if n is not None:
            x = resize(x, axis, n)
        return op(x, (axis,), norm)

    return body


LENGTH = Param("n", "int", None, "the number of points: x is cut off or filled up with zeros to it")
ALONG = Param("axis", "int", -1, "the axis that is transformed")
LINES = (
    Example(((2, 4),)),
    Example(((2, 3),), {"n": 5, "norm": "ortho"}),
    Example(((4, 2),), {"n": 3, "axis": 0, "norm": "forward"}),
)

fft = composed(
    "fft",
    symbol="ℱ",
    category=CATEGORY,
    method=False,
    tex=r"\mathcal{{F}} {x}",
    doc="The Fourier transform along one axis, as complex numbers.",
    params=(LENGTH, ALONG, NORM),
    examples=LINES,
    body=_along(fftn),
    dtypes=EVERY,
)

ifft = composed(
    "ifft",
    symbol="ℱ⁻¹",
    category=CATEGORY,
    method=False,
    tex=r"\mathcal{{F}}^{{-1}} {x}",
    doc="The inverse of fft with the same norm.",
    params=(LENGTH, ALONG, NORM),
    examples=LINES,
    body=_along(ifftn),
    dtypes=EVERY,
)
