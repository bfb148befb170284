"""Theano's `tensor.nnet`; ops that have the same name in `engine.tensor` are found there."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

from engine.errors import ParameterError
from engine.expression import OPS, Variable
from engine.tensor.nnet import abstract_conv, bn, conv, conv3d2d, ctc, neighbours
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
from engine.tensor.nnet.bn import batch_normalization
from engine.tensor.nnet.conv_shapes import Border, Lengths
from engine.tensor.nnet.nnet import (
    confusion_matrix,
    crossentropy_softmax_1hot_with_bias,
    crossentropy_softmax_argmax_1hot_with_bias,
    crossentropy_softmax_max_and_argmax_1hot,
    crossentropy_softmax_max_and_argmax_1hot_with_bias,
    dropout,
    prepend_0_to_each_row,
    prepend_1_to_each_row,
    prepend_scalar_to_each_row,
    relu,
    softmax_graph,
)

__all__ = [
    "abstract_conv",
    "batch_normalization",
    "bn",
    "confusion_matrix",
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
    "crossentropy_softmax_1hot_with_bias",
    "crossentropy_softmax_argmax_1hot_with_bias",
    "crossentropy_softmax_max_and_argmax_1hot",
    "crossentropy_softmax_max_and_argmax_1hot_with_bias",
    "ctc",
    "dropout",
    "neighbours",
    "prepend_0_to_each_row",
    "prepend_1_to_each_row",
    "prepend_scalar_to_each_row",
    "relu",
    "separable_conv2d",
    "separable_conv3d",
    "softmax_graph",
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


IN_NNET = frozenset({"Activations", "Costs", "Normalisation", "Attention"})


def __getattr__(name: str) -> Any:
    op = OPS.get(name)
    if op is not None and op.category in IN_NNET:
        return op
    raise AttributeError(f"engine.tensor.nnet has no {name!r}.")
