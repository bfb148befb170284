"""The table that the runner walks, in words of 8 bytes: functions, and the rows they are given."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.codegen.layout import Storage
from engine.codegen.memory import Arena
from engine.codegen.primitives import Walk


@dataclass(frozen=True)
class At:
    """The address of a word of the table itself."""

    word: int


Word = int | tuple[Storage, int] | At
"""A number, or a place: a storage and an offset in elements, or a word of the table."""


@dataclass(frozen=True)
class Entry:
    """A native function, and the words in its row.

    storages: all memory that it touches.
    """

    address: int
    words: tuple[Word, ...]
    storages: tuple[Storage, ...]

    def times(self, seconds: float) -> list[float]:
        """What it took, and what each entry in it took, in seconds."""
        return [seconds]


@dataclass(frozen=True)
class LoopEntry(Entry):
    """The function that runs other entries again and again.

    words: how often, or where it is told so; then the addresses of other words, as the runner's
    `loop` takes them.
    body: the entries.  walks: of the memory that they touch, what moves from step to step.
    ticks: what the processor has counted in each of them, and in all the loop.
    """

    body: tuple[Entry, ...]
    walks: Mapping[Storage, Walk]
    ticks: np.ndarray[Any, Any]

    @classmethod
    def of(
        cls,
        address: int,
        words: tuple[Word, ...],
        body: Sequence[Entry],
        walks: Mapping[Storage, Walk],
        ticks: np.ndarray[Any, Any],
    ) -> LoopEntry:
        """An entry that touches what its body touches."""
        used = [walks[s].storage if s in walks else s for e in body for s in e.storages]
        used += [word[0] for word in words if isinstance(word, tuple)]
        return cls(address, words, tuple(dict.fromkeys(used)), tuple(body), walks, ticks)

    def times(self, seconds: float) -> list[float]:
        """What went by between the entries, and what each took, of the given time."""
        *inside, total = self.ticks.tolist()
        self.ticks[:] = 0
        shares = [seconds * own / max(total, 1) for own in inside]
        parts = [t for e, own in zip(self.body, shares, strict=True) for t in e.times(own)]
        return [seconds - sum(shares), *parts]


class Table:
    """Entries laid out: for each its function and the address of its row, then the rows.

    words: all of them.
    """

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.words: list[Word] = []
        self._add(entries)

    def _add(self, entries: Sequence[Entry]) -> int:
        start = len(self.words)
        self.words += [0] * (2 * len(entries))
        for k, entry in enumerate(entries):
            row = self._loop(entry) if isinstance(entry, LoopEntry) else self._append(entry.words)
            self.words[start + 2 * k : start + 2 * k + 2] = entry.address, At(row)
        return start

    def _append(self, words: Sequence[Word]) -> int:
        self.words += words
        return len(self.words) - len(words)

    def _loop(self, entry: LoopEntry) -> int:
        """The body's entries, what moves in them (see the runner's `loop`), and then the row."""
        start = self._add(entry.body)
        end = len(self.words)
        for place in range(start, end):
            word = self.words[place]
            if isinstance(word, tuple) and word[0] in entry.walks:
                self.words[place] = 0
                self.words += _move(place, entry.walks[word[0]], word[1])
        moves = (len(self.words) - end) // MOVE_WORDS
        steps, *rest = entry.words
        if isinstance(steps, int):
            steps = At(self._append([steps]))
        return self._append([At(start), len(entry.body), steps, At(end), moves, *rest])

    def fill(
        self, words: ctypes.Array[ctypes.c_int64], arena: Arena
    ) -> dict[Storage, list[tuple[int, int]]]:
        """Write it down.

        Gives what is left to be filled in: for memory that lies elsewhere the numbers of the words
        that are to point into it, and how many bytes behind its beginning.
        """
        elsewhere: dict[Storage, list[tuple[int, int]]] = {}
        table = ctypes.addressof(words)
        for k, word in enumerate(self.words):
            match word:
                case int():
                    words[k] = word
                case At():
                    words[k] = table + 8 * word.word
                case (storage, offset) if storage in arena:
                    words[k] = arena.address(storage) + offset * storage.itemsize
                case (storage, offset):
                    elsewhere.setdefault(storage, []).append((k, offset * storage.itemsize))
        return elsewhere


MOVE_WORDS = 6
"""Of a move of the runner's `loop`."""


def _move(place: int, walk: Walk, offset: int) -> list[Word]:
    storage = walk.storage
    stride = walk.stride * storage.itemsize
    base = storage, walk.offset + offset
    return [At(place), base, stride, walk.first, walk.rows or -1, walk.first]
