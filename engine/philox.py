"""Random bits by counting: Philox4x64-10, and the state of a stream of draws.

Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", 2011.

A state is a vector of three uint64: the two words of a key, and the number d of the next draw.
Word i of draw d is word i mod 4 of the block that Philox makes of the counter
(i div 4 + 1, 0, 0, d) under that key.  So every word follows from the state and its place alone,
draws never overlap however large they are, and the words of a draw are those of
`numpy.random.Philox(key=key, counter=(0, 0, 0, d))`, by whose C code they are computed here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

LENGTH = 3
"""The number of words of a state."""


def first_state(entropy: int | Sequence[int] | None, place: Sequence[int] = ()) -> Array:
    """The state of a stream before its first draw.

    entropy: the seed, the same for the same state everywhere; None asks the operating system.
    place: which of the streams of that seed it is; their keys have nothing to do with each other
        (NumPy's SeedSequence derives them).
    """
    seeds = np.random.SeedSequence(entropy, spawn_key=tuple(place))
    return np.append(seeds.generate_state(LENGTH - 1, np.uint64), np.uint64(0))


def generator(state: Array) -> np.random.Generator:
    """NumPy's distributions, drawing on the words of the state's draw."""
    *key, draw = np.asarray(state, np.uint64)
    counter = np.array([0, 0, 0, draw], np.uint64)
    return np.random.Generator(np.random.Philox(key=np.array(key), counter=counter))


def words(state: Array, count: int) -> Array:
    """The first words of the state's draw, as uint64."""
    return np.asarray(generator(state).bit_generator.random_raw(count), np.uint64)
