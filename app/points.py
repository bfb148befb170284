"""Points of a curve, and how many of them become few without losing a peak."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Longer curves are merged piece by piece, so that their length costs no memory.
PIECE = 1_000_000


@dataclass(frozen=True)
class Points:
    """Some points of a curve: int64 steps, rising, and float64 values, of one length."""

    steps: NDArray[np.int64]
    values: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.steps)

    def after(self, step: int) -> Points:
        """The points beyond a step."""
        start = int(np.searchsorted(self.steps, step, side="right"))
        return Points(self.steps[start:], self.values[start:])

    def to_bytes(self) -> bytes:
        """Little-endian float64 pairs of step and value."""
        return np.column_stack([self.steps, self.values]).astype("<f8").tobytes()


NONE = Points(np.empty(0, np.int64), np.empty(0, np.float64))


def join(pieces: Iterable[Points]) -> Points:
    """Several pieces of one curve, in order, as one."""
    all_pieces = [piece for piece in pieces if len(piece)]
    if len(all_pieces) == 1:
        return all_pieces[0]
    if not all_pieces:
        return NONE
    return Points(
        np.concatenate([piece.steps for piece in all_pieces]),
        np.concatenate([piece.values for piece in all_pieces]),
    )


def merge_all(pieces: Iterable[Points], width: int) -> Points:
    """Like `merge` of `join`, in bounded memory however long the curve is."""
    merged = NONE
    waiting: list[Points] = []
    for piece in pieces:
        waiting.append(piece)
        if sum(map(len, waiting)) > PIECE:
            merged, waiting = merge(join([merged, *waiting]), width), []
    return merge(join([merged, *waiting]), width)


def merge(points: Points, width: int) -> Points:
    """At most 2 * width of the points: the least and greatest of each pixel, the first and last.

    NaN counts as the least value, so that a curve that has become NaN shows it.
    """
    if len(points) <= 2 * width:
        return points
    buckets = width - 1
    edges = np.linspace(points.steps[0], points.steps[-1] + 1, buckets + 1)[:-1]
    starts = np.unique(np.searchsorted(points.steps, edges))
    keys = np.where(np.isnan(points.values), -np.inf, points.values)
    kept = np.unique(
        np.concatenate(
            [
                first_equal(keys, starts, np.minimum.reduceat(keys, starts)),
                first_equal(keys, starts, np.maximum.reduceat(keys, starts)),
                [0, len(points) - 1],
            ]
        )
    )
    return Points(points.steps[kept], points.values[kept])


def first_equal(
    keys: NDArray[np.float64], starts: NDArray[np.int64], wanted: NDArray[np.float64]
) -> NDArray[np.int64]:
    """For each stretch of `keys` from one start to the next, where its wanted value is first."""
    lengths = np.diff(starts, append=len(keys))
    places = np.flatnonzero(keys == np.repeat(wanted, lengths))
    stretch = np.searchsorted(starts, places, side="right")
    _, first = np.unique(stretch, return_index=True)
    return places[first]
