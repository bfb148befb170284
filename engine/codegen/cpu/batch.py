"""Entries of the runner's table that run once for each entry of a batch.

A row holds the numbers of turns, of moves and of entries, then the moves and the entries, then the
entries' own rows.  A move is a word of those rows, the address there in the first turn, and how
many bytes it moves from turn to turn; an entry is a function and where its row begins.  Words are
counted from the beginning of the row, so that rows can be put into each other.

A batch that is done in parts has such a row for each part, so that threads don't share one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

from engine.codegen.cpu import cache as object_cache
from engine.codegen.cpu.machine import Loaded, to_object
from engine.codegen.cpu.table import Word
from engine.codegen.layout import Storage

IR = """
define void @batch(ptr %row) {
  %turns = load i64, ptr %row
  call void @turns(ptr %row, i64 0, i64 %turns)
  ret void
}

; One part of a batch: the row holds the length of a part's row in words, then a row for each.
define void @part(ptr %rows, i64 %part, i64 %first, i64 %last) {
  %length = load i64, ptr %rows
  %before = mul i64 %length, %part
  %at = add i64 %before, 1
  %row = getelementptr i64, ptr %rows, i64 %at
  call void @turns(ptr %row, i64 %first, i64 %last)
  ret void
}

; An entry that runs while BLAS uses one thread: the row holds the functions that get and set how
; many it uses and the entry's function, then the entry's own row.
define void @alone(ptr %row) {
entry:
  %get = load ptr, ptr %row
  %set.at = getelementptr i64, ptr %row, i64 1
  %set = load ptr, ptr %set.at
  %function.at = getelementptr i64, ptr %row, i64 2
  %function = load ptr, ptr %function.at
  %own = getelementptr i64, ptr %row, i64 3
  %threads = call i32 %get()
  %many = icmp ne i32 %threads, 1
  br i1 %many, label %less, label %work

less:
  call void %set(i32 1)
  br label %work

work:
  call void %function(ptr %own)
  br i1 %many, label %more, label %leave

more:
  call void %set(i32 %threads)
  br label %leave

leave:
  ret void
}

define internal void @turns(ptr %row, i64 %from, i64 %end) {
entry:
  %moves.at = getelementptr i64, ptr %row, i64 1
  %moves = load i64, ptr %moves.at
  %entries.at = getelementptr i64, ptr %row, i64 2
  %entries = load i64, ptr %entries.at
  %first.move = getelementptr i64, ptr %row, i64 3
  %first.entry = getelementptr { i64, i64, i64 }, ptr %first.move, i64 %moves
  %still = icmp eq i64 %moves, 0
  %none = icmp sge i64 %from, %end
  br i1 %none, label %leave, label %turn

turn:
  %t = phi i64 [ %from, %entry ], [ %t.next, %turned ]
  br i1 %still, label %run, label %move

move:
  %m = phi i64 [ 0, %turn ], [ %m.next, %move ]
  %move.at = getelementptr { i64, i64, i64 }, ptr %first.move, i64 %m
  %to = load i64, ptr %move.at
  %base.at = getelementptr i64, ptr %move.at, i64 1
  %base = load i64, ptr %base.at
  %step.at = getelementptr i64, ptr %move.at, i64 2
  %step = load i64, ptr %step.at
  %far = mul i64 %t, %step
  %address = add i64 %base, %far
  %word = getelementptr i64, ptr %row, i64 %to
  store i64 %address, ptr %word
  %m.next = add i64 %m, 1
  %moved = icmp eq i64 %m.next, %moves
  br i1 %moved, label %run, label %move

run:
  %e = phi i64 [ 0, %turn ], [ 0, %move ], [ %e.next, %run ]
  %entry.at = getelementptr { ptr, i64 }, ptr %first.entry, i64 %e
  %function = load ptr, ptr %entry.at
  %start.at = getelementptr i64, ptr %entry.at, i64 1
  %start = load i64, ptr %start.at
  %own = getelementptr i64, ptr %row, i64 %start
  call void %function(ptr %own)
  %e.next = add i64 %e, 1
  %last = icmp eq i64 %e.next, %entries
  br i1 %last, label %turned, label %run

turned:
  %t.next = add i64 %t, 1
  %done = icmp eq i64 %t.next, %end
  br i1 %done, label %leave, label %turn

leave:
  ret void
}
"""


EXPORTS = ("batch", "part", "alone")


@cache
def code() -> Loaded:
    """The native functions `batch`, `part` and `alone`."""
    loaded, _ = object_cache.load(object_cache.key("batch", IR), lambda: to_object(IR, EXPORTS))
    return loaded


def row(
    entries: Sequence[tuple[int, tuple[Word, ...]]],
    turns: int,
    moving: Mapping[Storage, int],
    apart: Mapping[Storage, int],
    part: int = 0,
) -> tuple[Word, ...]:
    """The row that runs entries, each a function's address and its row, for a number of turns.

    moving: by how many elements the place of a storage moves from turn to turn.
    apart: by how many it moves from part to part, for `part`.
    """
    moves = [w for _, words in entries for w in words if isinstance(w, tuple) and w[0] in moving]
    at = 3 + 3 * len(moves) + 2 * len(entries)
    head: list[Word] = [turns, len(moves), len(entries)]
    heads: list[Word] = []
    rows: list[Word] = []
    for address, words in entries:
        heads += [address, at + len(rows)]
        for word in words:
            if not isinstance(word, tuple):
                rows.append(word)
                continue
            storage, offset = word
            place = storage, offset + part * apart.get(storage, 0)
            if storage in moving:
                head += [at + len(rows), place, moving[storage] * storage.itemsize]
                rows.append(0)
            else:
                rows.append(place)
    return (*head, *heads, *rows)
