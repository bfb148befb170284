"""Theano's `tensor.nnet.conv3d2d`: films with the channels after the time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from engine.expression import Variable, as_variable
from engine.tensor.nnet import abstract_conv

__all__ = ["conv3d"]

SWAPPED = (0, 2, 1, 3, 4)
"""The order of axes with time and channels swapped."""


def conv3d(
    signals: Any,
    filters: Any,
    signals_shape: Sequence[Any] | None = None,
    filters_shape: Sequence[Any] | None = None,
    border_mode: str = "valid",
) -> Variable:
    """Convolve (batch, time, channels, rows, columns) with (filters, time, channels, ...)."""
    return abstract_conv.conv3d(
        as_variable(signals).dimshuffle(SWAPPED), as_variable(filters).dimshuffle(SWAPPED),
        _swapped(signals_shape), _swapped(filters_shape), border_mode,
    ).dimshuffle(SWAPPED)  # fmt: skip


def _swapped(shape: Sequence[Any] | None) -> list[Any] | None:
    return None if shape is None else [shape[axis] for axis in SWAPPED]
