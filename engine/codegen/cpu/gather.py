"""Minibatches in the native loop: the rows of `engine.codegen.minibatches` chosen and copied.

Two kinds of lines in the runner's table: one that fills in the numbers of a step's rows, then one
for each input that copies those rows of its data.  Written in LLVM IR for what Numba cannot say:
the high half of a product, and copies of any size.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from engine.codegen.cpu import cache as object_cache
from engine.codegen.cpu import philox
from engine.codegen.cpu.machine import Loaded, to_object
from engine.codegen.minibatches import MIXERS, ROUNDS, Array, Batches

STEP, COUNT, SIZE, HEIGHT, WIDTH, KEY, KEYED, KEYS = 0, 1, 2, 3, 4, 5, 7, 8
"""Words of a deck: the next step, how many rows there are and in a batch, the rectangle's sides,
the key, the epoch that the keys of rounds are for, and those; the rows of the batch follow.  The
key and the epoch are a state of Philox."""
ROWS = KEYS + ROUNDS
NO_EPOCH = -1

AHEAD = 2
"""How many rows early memory is asked for a row: it may lie anywhere, so nothing foresees it."""

IR = f"""
; A line of the table: the row has the address of a deck.
define void @in_order(ptr %row) {{
entry:
  %deck = load ptr, ptr %row
START
  br label %choose

choose:
  %i = phi i64 [ 0, %entry ], [ %i.next, %choose ]
  %at = phi i64 [ %at.first, %entry ], [ %at.next, %choose ]
  %slot = getelementptr i64, ptr %rows, i64 %i
  store i64 %at, ptr %slot
  %at.after = add i64 %at, 1
  %over = icmp eq i64 %at.after, %count
  %at.next = select i1 %over, i64 0, i64 %at.after
  %i.next = add i64 %i, 1
  %last = icmp eq i64 %i.next, %size
  br i1 %last, label %leave, label %choose

leave:
  ret void
}}

define void @shuffled(ptr %row) {{
entry:
  %deck = load ptr, ptr %row
START
  %height.at = getelementptr i64, ptr %deck, i64 {HEIGHT}
  %height = load i64, ptr %height.at
  %width.at = getelementptr i64, ptr %deck, i64 {WIDTH}
  %width = load i64, ptr %width.at
  %keyed = getelementptr i64, ptr %deck, i64 {KEYED}
  br label %choose

choose:
  %i = phi i64 [ 0, %entry ], [ %i.next, %found ]
  %at = phi i64 [ %at.first, %entry ], [ %at.next, %found ]
  %epoch = phi i64 [ %epoch.first, %entry ], [ %epoch.next, %found ]
  %held = load i64, ptr %keyed
  %ready = icmp eq i64 %held, %epoch
  br i1 %ready, label %move, label %begin

begin:
  call void @keys(ptr %deck, i64 %epoch)
  br label %move

move:
  %place = phi i64 [ %at, %choose ], [ %at, %begin ], [ %moved, %move ]
  %line.0 = udiv i64 %place, %width
  %column.0 = urem i64 %place, %width
FEISTEL
  %outside = icmp uge i64 %moved, %count
  br i1 %outside, label %move, label %found

found:
  %slot = getelementptr i64, ptr %rows, i64 %i
  store i64 %moved, ptr %slot
  %at.after = add i64 %at, 1
  %over = icmp eq i64 %at.after, %count
  %at.next = select i1 %over, i64 0, i64 %at.after
  %further = zext i1 %over to i64
  %epoch.next = add i64 %epoch, %further
  %i.next = add i64 %i, 1
  %last = icmp eq i64 %i.next, %size
  br i1 %last, label %leave, label %choose

leave:
  ret void
}}

; The keys of an epoch's rounds: the words of that draw.
define internal void @keys(ptr %deck, i64 %epoch) {{
  %state = getelementptr i64, ptr %deck, i64 {KEY}
  %draw = getelementptr i64, ptr %deck, i64 {KEYED}
  store i64 %epoch, ptr %draw
  %keys = getelementptr i64, ptr %deck, i64 {KEYS}
  %row = alloca [3 x i64]
  store ptr %state, ptr %row
  %keys.at = getelementptr i64, ptr %row, i64 1
  store ptr %keys, ptr %keys.at
  %count.at = getelementptr i64, ptr %row, i64 2
  store i64 {ROUNDS}, ptr %count.at
  call void @words(ptr %row)
  ret void
}}

declare void @words(ptr)

; A line of the table: the row has the address of the numbers of rows, how many, where row 0 is,
; the bytes of a row, and where to put them.
define void @gather(ptr %row) {{
entry:
  %all = load {{ ptr, i64, ptr, i64, ptr }}, ptr %row
  %rows = extractvalue {{ ptr, i64, ptr, i64, ptr }} %all, 0
  %size = extractvalue {{ ptr, i64, ptr, i64, ptr }} %all, 1
  %data = extractvalue {{ ptr, i64, ptr, i64, ptr }} %all, 2
  %bytes = extractvalue {{ ptr, i64, ptr, i64, ptr }} %all, 3
  %target = extractvalue {{ ptr, i64, ptr, i64, ptr }} %all, 4
  br label %copy

copy:
  %i = phi i64 [ 0, %entry ], [ %i.next, %now ]
  %slot = getelementptr i64, ptr %rows, i64 %i
  %number = load i64, ptr %slot
  %from.offset = mul i64 %number, %bytes
  %from = getelementptr i8, ptr %data, i64 %from.offset
  %to.offset = mul i64 %i, %bytes
  %to = getelementptr i8, ptr %target, i64 %to.offset
  %soon = add i64 %i, {AHEAD}
  %more = icmp ult i64 %soon, %size
  br i1 %more, label %ahead, label %now

ahead:
  %soon.slot = getelementptr i64, ptr %rows, i64 %soon
  %soon.number = load i64, ptr %soon.slot
  %soon.offset = mul i64 %soon.number, %bytes
  %soon.from = getelementptr i8, ptr %data, i64 %soon.offset
  br label %fetch

fetch:
  %line = phi i64 [ 0, %ahead ], [ %line.next, %fetch ]
  %line.at = getelementptr i8, ptr %soon.from, i64 %line
  call void @llvm.prefetch.p0(ptr %line.at, i32 0, i32 3, i32 1)
  %line.next = add i64 %line, 64
  %fetched = icmp uge i64 %line.next, %bytes
  br i1 %fetched, label %now, label %fetch

now:
  call void @llvm.memcpy.p0.p0.i64(ptr %to, ptr %from, i64 %bytes, i1 false)
  %i.next = add i64 %i, 1
  %last = icmp eq i64 %i.next, %size
  br i1 %last, label %leave, label %copy

leave:
  ret void
}}

declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)
declare void @llvm.prefetch.p0(ptr, i32, i32, i32)
"""

START = f"""
  %step = load i64, ptr %deck
  %step.next = add i64 %step, 1
  store i64 %step.next, ptr %deck
  %count.at = getelementptr i64, ptr %deck, i64 {COUNT}
  %count = load i64, ptr %count.at
  %size.at = getelementptr i64, ptr %deck, i64 {SIZE}
  %size = load i64, ptr %size.at
  %rows = getelementptr i64, ptr %deck, i64 {ROWS}
  %done = sub i64 %step, 1
  %seen = mul i64 %done, %size
  %epoch.first = udiv i64 %seen, %count
  %at.first = urem i64 %seen, %count
"""

EXPORTS = ("in_order", "shuffled", "gather")


def deck(batches: Batches) -> Array:
    """The words that the native functions read and write, for batches of the next step."""
    words = np.zeros(ROWS + batches.size, np.int64)
    words[STEP], words[COUNT], words[SIZE] = 1, batches.count, batches.size
    words[[HEIGHT, WIDTH]] = batches.sides
    words[KEY : KEY + 2] = np.array(batches.key or (0, 0), np.uint64).view(np.int64)
    words[KEYED] = NO_EPOCH
    return words


@cache
def functions() -> Loaded:
    """The native functions `in_order`, `shuffled` and `gather`."""
    ir = IR.replace("START", START).replace("FEISTEL", _feistel())
    name = object_cache.key("gather", ir, philox.source())
    code, _ = object_cache.load(name, lambda: to_object(ir, EXPORTS, [philox.source()]))
    return code


def _number(word: int) -> int:
    """A 64-bit word as LLVM writes it."""
    return word - (word >> 63 << 64)


def _feistel() -> str:
    """From %line.0 and %column.0 to %moved."""
    lines = []
    line, column = "%line.0", "%column.0"
    for k in range(ROUNDS):
        odd = k % 2
        moving, beside = (column, line) if odd else (line, column)
        bound = "%width" if odd else "%height"
        lines += [
            f"%key{k}.at = getelementptr i64, ptr %deck, i64 {KEYS + k}",
            f"%key{k} = load i64, ptr %key{k}.at",
            f"%hash{k}.0 = add i64 {beside}, %key{k}",
        ]
        for m, factor in enumerate(MIXERS):
            lines += [
                f"%high{k}.{m} = lshr i64 %hash{k}.{m}, 33",
                f"%mixed{k}.{m} = xor i64 %hash{k}.{m}, %high{k}.{m}",
                f"%hash{k}.{m + 1} = mul i64 %mixed{k}.{m}, {_number(factor)}",
            ]
        lines += [
            f"%hash{k} = lshr i64 %hash{k}.{len(MIXERS)}, 32",
            f"%share{k} = mul i64 %hash{k}, {bound}",
            f"%below{k} = lshr i64 %share{k}, 32",
            f"%sum{k} = add i64 {moving}, %below{k}",
            f"%less{k} = sub i64 %sum{k}, {bound}",
            f"%inside{k} = icmp ult i64 %sum{k}, {bound}",
            f"%moved{k} = select i1 %inside{k}, i64 %sum{k}, i64 %less{k}",
        ]
        line, column = (line, f"%moved{k}") if odd else (f"%moved{k}", column)
    lines += [f"%before = mul i64 {line}, %width", f"%moved = add i64 %before, {column}"]
    return _indented(lines)


def _indented(lines: list[str]) -> str:
    return "\n".join(f"  {line}" for line in lines)
