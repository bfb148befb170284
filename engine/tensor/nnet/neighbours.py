"""Theano's `tensor.nnet.neighbours`: patches of images as rows of a matrix, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from engine.expression import OPS, Variable

__all__ = ["images2neibs", "neibs2images"]

images2neibs = OPS["images2neibs"]


def neibs2images(
    neibs: Any, neib_shape: Sequence[int], original_shape: Any, mode: str = "valid"
) -> Variable:
    """Images of the original shape out of what images2neibs made of them, side by side."""
    return OPS["neibs2images"](neibs, original_shape, neib_shape, None, mode)
