"""Windows that slide along the last axes of a tensor: how many there are and where they lie.

Convolutions, poolings and neighbourhoods read a tensor through such windows; their gradients add
back where they read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.errors import ShapeError, TypeMismatchError
from engine.types import DISCRETE, Shape, TensorType

AXES = {1: ("steps",), 2: ("rows", "columns"), 3: ("depth", "rows", "columns")}
"""The names of the axes that windows slide along, by how many there are."""

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Slide:
    """How a window slides along one axis.

    window: how many elements it holds.  step: how far it is from one window to the next.
    spacing: how far its elements lie apart.  before, after: how many elements are first put at
    either end of the axis.
    """

    window: int
    step: int = 1
    spacing: int = 1
    before: int = 0
    after: int = 0

    @property
    def span(self) -> int:
        """How much of the axis a window covers."""
        return (self.window - 1) * self.spacing + 1

    def padded(self, length: int) -> int:
        """The length of the axis with what is put at its ends."""
        return self.before + length + self.after

    def count(self, length: int) -> int:
        """How many windows there are."""
        return max(0, (self.padded(length) - self.span) // self.step + 1)

    def elements(self, k: int, windows: slice) -> slice:
        """Where, in the padded axis, the k-th element of each of some windows lies."""
        first = k * self.spacing
        return slice(first + windows.start * self.step, first + windows.stop * self.step, self.step)


def padded(x: Array, slides: Sequence[Slide], value: Any = 0) -> Array:
    """The tensor with the value put at the ends of its last axes."""
    if not any(s.before or s.after for s in slides):
        return x
    out = np.full(padded_shape(x.shape, slides), value, x.dtype)
    unpadded(out, slides)[...] = x
    return out


def padded_shape(shape: Sequence[int], slides: Sequence[Slide]) -> tuple[int, ...]:
    """The shape that a tensor has once it is padded."""
    lead = len(shape) - len(slides)
    ends = (s.padded(n) for s, n in zip(slides, shape[lead:], strict=True))
    return (*shape[:lead], *ends)


def unpadded(x: Array, slides: Sequence[Slide]) -> Array:
    """A view of a padded tensor without what was put at its ends."""
    lengths = x.shape[x.ndim - len(slides) :]
    ends = zip(slides, lengths, strict=True)
    return part_of(x, (..., *(slice(s.before, n - s.after) for s, n in ends)))


def part_of(x: Array, at: tuple[Any, ...]) -> Array:
    """A view of part of a tensor, of which some axes are only known when it runs."""
    view: Array = x[at]
    return view


# Shapes that are given, and shapes that are known in part.


def differ(first: Shape, second: Shape) -> bool:
    """Whether two shapes cannot be the same: of other ranks, or of other lengths where known."""
    pairs = zip(first, second, strict=False)
    return len(first) != len(second) or any(
        None not in pair and pair[0] != pair[1] for pair in pairs
    )


def lengths_of(t: TensorType, value: Any, count: int, port: str = "shape") -> Shape:
    """The lengths of some axes, in a vector of integers; None where its value is not known."""
    if t.ndim != 1 or t.dtype not in DISCRETE or t.shape[0] not in (None, count):
        raise TypeMismatchError(
            f"The {port} must be a vector of {count} integers, a length for each axis, not {t}.",
            port=port,
            expected=f"{count} integers",
            got=str(t),
        )
    return (None,) * count if value is None else lengths_in(value, count, port)


def lengths_in(value: Any, count: int, port: str = "shape") -> tuple[int, ...]:
    """The lengths that an array of integers holds; ShapeError where they cannot be lengths."""
    lengths = tuple(int(n) for n in value)
    if len(lengths) != count or min(lengths) < 0:
        raise ShapeError(
            f"The {port} cannot be {lengths}.",
            port=port,
            expected=f"{count} lengths of 0 or more",
            got=str(lengths),
        )
    return lengths
