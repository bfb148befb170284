"""Theano's `tensor.nnet`."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

from engine.errors import ParameterError
from engine.graph import Variable
from engine.tensor.nnet import abstract_conv, conv, conv3d2d, neighbours
from engine.tensor.nnet.abstract_conv import (
    conv1d,
    conv2d_grad_wrt_inputs,
    conv2d_grad_wrt_weights,
    conv2d_transpose,
    conv3d,
    conv3d_grad_wrt_inputs,
    conv3d_grad_wrt_weights,
    separable_conv2d,
    separable_conv3d,
)
from engine.tensor.nnet.conv_shapes import Border, Lengths

__all__ = [
    "abstract_conv",
    "conv",
    "conv1d",
    "conv2d",
    "conv2d_grad_wrt_inputs",
    "conv2d_grad_wrt_weights",
    "conv2d_transpose",
    "conv3d",
    "conv3d2d",
    "conv3d_grad_wrt_inputs",
    "conv3d_grad_wrt_weights",
    "neighbours",
    "separable_conv2d",
    "separable_conv3d",
]


def conv2d(
    input: Any,
    filters: Any,
    input_shape: Lengths | None = None,
    filter_shape: Lengths | None = None,
    border_mode: Border = "valid",
    subsample: Sequence[int] = (1, 1),
    filter_flip: bool = True,
    image_shape: Lengths | None = None,
    filter_dilation: Sequence[int] = (1, 1),
    num_groups: int = 1,
    unshared: bool = False,
) -> Variable:
    """As abstract_conv.conv2d; image_shape is the former name of input_shape."""
    if image_shape is not None:
        if input_shape is not None:
            raise ParameterError(
                "input_shape was given twice, once as image_shape.",
                port="input_shape",
                expected="input_shape",
                got="input_shape and image_shape",
            )
        warnings.warn("image_shape is now called input_shape.", DeprecationWarning, stacklevel=2)
        input_shape = image_shape
    return abstract_conv.conv2d(
        input, filters, input_shape, filter_shape, border_mode, subsample, filter_flip,
        filter_dilation, num_groups, unshared,
    )  # fmt: skip
