"""Random words: Philox4x64-10 as a native step; what it computes says `engine.philox`."""

from __future__ import annotations

from functools import cache

from engine.codegen.cpu import cache as object_cache
from engine.codegen.cpu.machine import Loaded, to_object

MULTIPLIERS = 0xD2E7470EE14C6C93, 0xCA5A826395121157
"""Of the first and the third word of a counter, in every round."""
WEYL = 0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B
"""What is added to the words of the key from round to round."""
ROUNDS = 10

# The row holds the addresses of a state and of the words, and the number of these.
IR = """
define void @words(ptr noalias %row) {
entry:
  %state = load ptr, ptr %row
  %target.at = getelementptr ptr, ptr %row, i64 1
  %target = load ptr, ptr %target.at
  %count.at = getelementptr i64, ptr %row, i64 2
  %count = load i64, ptr %count.at
  %key0 = load i64, ptr %state
  %key1.at = getelementptr i64, ptr %state, i64 1
  %key1 = load i64, ptr %key1.at
  %draw.at = getelementptr i64, ptr %state, i64 2
  %draw = load i64, ptr %draw.at
  %none = icmp sle i64 %count, 0
  br i1 %none, label %leave, label %block

block:
  %number = phi i64 [ 0, %entry ], [ %following, %more ]
  %following = add i64 %number, 1
BLOCK
  %begin = shl i64 %number, 2
  %left = sub i64 %count, %begin
STORES

more:
  %last = icmp sle i64 %left, 4
  br i1 %last, label %leave, label %block

leave:
  ret void
}
"""


def _block() -> str:
    """The words `w0` to `w3` of the block that is made of the counter (following, 0, 0, draw)."""
    lines: list[str] = []
    counter = ["%following", "0", "0", "%draw"]
    keys = ["%key0", "%key1"]
    for n in range(ROUNDS):
        for k, (word, multiplier) in enumerate(zip(counter[::2], MULTIPLIERS, strict=True)):
            lines += [
                f"  %wide{n}.{k} = zext i64 {word} to i128",
                f"  %product{n}.{k} = mul i128 %wide{n}.{k}, {multiplier}",
                f"  %low{n}.{k} = trunc i128 %product{n}.{k} to i64",
                f"  %shifted{n}.{k} = lshr i128 %product{n}.{k}, 64",
                f"  %high{n}.{k} = trunc i128 %shifted{n}.{k} to i64",
            ]
        for k, (high, word) in enumerate(((1, counter[1]), (0, counter[3]))):
            lines += [
                f"  %mixed{n}.{k} = xor i64 %high{n}.{high}, {word}",
                f"  %keyed{n}.{k} = xor i64 %mixed{n}.{k}, {keys[k]}",
            ]
        counter = [f"%keyed{n}.0", f"%low{n}.1", f"%keyed{n}.1", f"%low{n}.0"]
        lines += [f"  %bumped{n}.{k} = add i64 {keys[k]}, {WEYL[k]}" for k in range(2)]
        keys = [f"%bumped{n}.{k}" for k in range(2)]
    return "\n".join([*lines, *(f"  %w{k} = add i64 {counter[k]}, 0" for k in range(4))])


def _stores() -> str:
    """The words put in their places, as many as are left."""
    lines: list[str] = []
    for k in range(4):
        lines += [
            f"  %place{k} = add i64 %begin, {k}",
            f"  %to{k} = getelementptr i64, ptr %target, i64 %place{k}",
            f"  store i64 %w{k}, ptr %to{k}",
        ]
        if k < 3:
            lines += [
                f"  %enough{k} = icmp sle i64 %left, {k + 1}",
                f"  br i1 %enough{k}, label %leave, label %store{k + 1}",
                f"store{k + 1}:",
            ]
    return "\n".join([*lines, "  br label %more"])


@cache
def source() -> str:
    """The function `words` as LLVM IR."""
    return IR.replace("BLOCK", _block()).replace("STORES", _stores())


@cache
def philox() -> Loaded:
    """The native function `words`."""
    name = object_cache.key("philox", source())
    code, _ = object_cache.load(name, lambda: to_object(source(), ["words"]))
    return code
