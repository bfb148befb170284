"""Theano's old `tensor.nnet.conv`, as older programs import it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from engine.expression import Variable
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
    """As nnet.conv2d, with fewer arguments in another order."""
    return abstract_conv.conv2d(input, filters, image_shape, filter_shape, border_mode, subsample)
