"""Theano's `tensor.signal.conv`: images and filters without channels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from engine.errors import TypeMismatchError
from engine.expression import Variable, as_variable
from engine.tensor.nnet import abstract_conv
from engine.tensor.nnet.conv_shapes import Border

__all__ = ["conv2d"]


def conv2d(
    input: Any,
    filters: Any,
    image_shape: Sequence[Any] | None = None,
    filter_shape: Sequence[Any] | None = None,
    border_mode: Border = "valid",
    subsample: Sequence[int] = (1, 1),
) -> Variable:
    """Convolve one image or several, ([images,] rows, columns), with one filter or several.

    Gives ([images,] [filters,] rows, columns).
    """
    images, kernels = as_variable(input), as_variable(filters)
    for port, v in (("input", images), ("filters", kernels)):
        if v.ndim not in (2, 3):
            raise TypeMismatchError(
                f"The {port} must have 2 axes, or 3 where there are several, not {v.ndim}.",
                port=port,
                expected="(rows, columns) or (several, rows, columns)",
                got=str(v.type),
                hint="For images with channels there is nnet.conv2d.",
            )
    out = abstract_conv.conv2d(
        _with_channel(images), _with_channel(kernels),
        _told(image_shape), _told(filter_shape), border_mode, subsample,
    )  # fmt: skip
    kept = (images.ndim == 3, kernels.ndim == 3, True, True)
    return out.dimshuffle(*(axis for axis, keep in enumerate(kept) if keep))


def _with_channel(v: Variable) -> Variable:
    return v.dimshuffle("x", "x", 0, 1) if v.ndim == 2 else v.dimshuffle(0, "x", 1, 2)


def _told(shape: Sequence[Any] | None) -> tuple[Any, ...] | None:
    return None if shape is None else (shape[0] if len(shape) == 3 else 1, 1, *shape[-2:])
