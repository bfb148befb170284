"""Minibatches: which rows of the data each step of a training loop sees, from its number alone.

The rows come as one endless stream, epoch after epoch, each with all rows in an order of its own;
a batch is the next piece of it.  So each epoch sees each row exactly once, no row is left out for
not filling a batch, and a batch may have the last rows of one epoch and the first of the next.

The order of an epoch is a Feistel network, which needs no memory and finds any place at once: the
rows are laid out in a rectangle, and each round moves a column, or a line, by a hash of where that
is and of the round's key (Black and Rogaway, "Ciphers with arbitrary finite domains", 2002).
A place outside of the data goes through it again until it is a row.  The keys of an epoch are
words of a draw of Philox whose number is the epoch's, so that the order is the same everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isqrt
from typing import Any

import numpy as np

from engine import philox
from engine.expression import Variable

Array = np.ndarray[Any, Any]

ROUNDS = 8
"""Of the Feistel network, half of them for either side of the rectangle."""
MIXERS = (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53)
"""Factors of the hash: the end of MurmurHash3, by Austin Appleby."""


@dataclass(frozen=True)
class Batches:
    """Rows of data, some of them for each step.

    data: for each input all of its rows; contiguous arrays of one length, which are read where
    they are.  size: rows of a batch, no more than there are.  key: two words of Philox's, or None
    for rows that come in order.
    """

    data: Mapping[Variable, Array]
    size: int
    key: tuple[int, int] | None

    @classmethod
    def shuffled(cls, data: Mapping[Variable, Array], size: int, seed: int) -> Batches:
        """Batches in an order that follows from the seed."""
        first, second, _ = philox.first_state(seed, tuple(b"batches")).tolist()
        return cls(data, size, (first, second))

    @property
    def count(self) -> int:
        """How many rows there are."""
        return len(next(iter(self.data.values())))

    @property
    def sides(self) -> tuple[int, int]:
        """The rectangle that the rows are laid out in, about as high as wide."""
        height = isqrt(self.count - 1) + 1
        return height, -(-self.count // height)

    def rows(self, step: int) -> Array:
        """The numbers of the rows that a step sees, as int64; the first step is 1."""
        epoch, at = divmod((step - 1) * self.size, self.count)
        places = np.arange(at, at + self.size)
        begun = self._ordered(epoch, places[places < self.count])
        return np.append(begun, self._ordered(epoch + 1, places[places >= self.count] - self.count))

    def gather(self, step: int, into: Mapping[Variable, Array]) -> None:
        """Copy the rows that a step sees."""
        rows = self.rows(step)
        for v, data in self.data.items():
            np.take(data, rows, axis=0, out=into[v])

    def _ordered(self, epoch: int, places: Array) -> Array:
        """The rows at some places of an epoch."""
        if self.key is None:
            return places
        state = np.array([*self.key, epoch], np.uint64)
        keys = philox.words(state, ROUNDS)
        found = self._moved(places.astype(np.uint64), keys)
        while (outside := found >= self.count).any():
            found[outside] = self._moved(found[outside], keys)
        return found.astype(np.int64)

    def _moved(self, places: Array, keys: Array) -> Array:
        """Where the Feistel network puts places of the rectangle."""
        height, width = map(np.uint64, self.sides)
        line, column = np.divmod(places, width)
        for k in range(0, ROUNDS, 2):
            line = (line + _below(height, column + keys[k])) % height
            column = (column + _below(width, line + keys[k + 1])) % width
        moved: Array = line * width + column
        return moved


def _below(bound: np.uint64, number: Array) -> Array:
    """A hash of 64-bit numbers: below the bound, which has 32 bits at most."""
    shift = np.uint64(33)
    for factor in MIXERS:
        number = (number ^ (number >> shift)) * np.uint64(factor)
    below: Array = ((number >> np.uint64(32)) * bound) >> np.uint64(32)
    return below
