"""The native loop: it walks a table of kernels, for many steps in one call.

It runs without the interpreter and its lock, looks at a control word before every step, and
appends the recorded value of each step to a ring.  It is written in LLVM IR because it needs
atomic loads and stores: a plain read of the control word may be moved out of the loop.
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

from engine.codegen.cpu import cache as object_cache
from engine.codegen.cpu.machine import Loaded, host, to_object

# The request is eight words, in this order; see `Request`.
# table: pairs (address of a kernel, address of its row of arguments), `count` of them.
# control: stop before the next step once it is not 0.
# failed: stop within a step once it is not 0; what is kept has not changed by then.
# ring: 0 or the address of three words, 64 bytes apart: write index, read index, capacity;
#   records of two float64 begin 192 bytes in.  value: the float64 to record.
# first: the number of the step that runs first.  Returns how many steps were done.
IR = """
%request = type { ptr, i64, i64, ptr, ptr, ptr, ptr, i64 }
%move = type { ptr, i64, i64, i64, i64, i64 }
%repeat = type { ptr, i64, ptr, ptr, i64, ptr, ptr, ptr, ptr, ptr }

define i64 @run(ptr %request) {
entry:
  %all = load %request, ptr %request, align 8
  %table = extractvalue %request %all, 0
  %count = extractvalue %request %all, 1
  %steps = extractvalue %request %all, 2
  %control = extractvalue %request %all, 3
  %failed = extractvalue %request %all, 4
  %ring = extractvalue %request %all, 5
  %value = extractvalue %request %all, 6
  %first = extractvalue %request %all, 7
  %end = getelementptr { ptr, ptr }, ptr %table, i64 %count
  %recording = icmp ne ptr %ring, null
  %reading = getelementptr i8, ptr %ring, i64 64
  %sizing = getelementptr i8, ptr %ring, i64 128
  %records = getelementptr i8, ptr %ring, i64 192
  %empty = icmp eq i64 %count, 0
  br label %next

next:
  %done = phi i64 [ 0, %entry ], [ %did, %finished ]
  %enough = icmp sge i64 %done, %steps
  br i1 %enough, label %leave, label %listen

listen:
  %word = load atomic i64, ptr %control acquire, align 8
  %stop = icmp ne i64 %word, 0
  br i1 %stop, label %leave, label %look

look:
  br i1 %recording, label %room, label %start

room:
  %written = load i64, ptr %ring, align 8
  %read = load atomic i64, ptr %reading acquire, align 8
  %capacity = load i64, ptr %sizing, align 8
  %waiting = sub i64 %written, %read
  %full = icmp sge i64 %waiting, %capacity
  br i1 %full, label %leave, label %start

start:
  br i1 %empty, label %record, label %kernel

kernel:
  %at = phi ptr [ %table, %start ], [ %following, %well ]
  %entry.at = load ptr, ptr %at, align 8
  %row.at = getelementptr i8, ptr %at, i64 8
  %row = load ptr, ptr %row.at, align 8
  call void %entry.at(ptr %row)
  %failure = load volatile i64, ptr %failed, align 8
  %ill = icmp ne i64 %failure, 0
  br i1 %ill, label %leave, label %well

well:
  %following = getelementptr i8, ptr %at, i64 16
  %last = icmp eq ptr %following, %end
  br i1 %last, label %record, label %kernel

record:
  br i1 %recording, label %append, label %finished

append:
  %index = load i64, ptr %ring, align 8
  %size = load i64, ptr %sizing, align 8
  %slot = urem i64 %index, %size
  %place = getelementptr { double, double }, ptr %records, i64 %slot
  %number = add i64 %first, %done
  %step = sitofp i64 %number to double
  store double %step, ptr %place, align 8
  %beside = getelementptr i8, ptr %place, i64 8
  %recorded = load double, ptr %value, align 8
  store double %recorded, ptr %beside, align 8
  %index.next = add i64 %index, 1
  store atomic i64 %index.next, ptr %ring release, align 8
  br label %finished

finished:
  %did = add i64 %done, 1
  br label %next

leave:
  ret i64 %done
}

; Entries that run again and again.  The row holds: their table, how many they are, the address of
; the number of steps, the moves, how many they are, and the addresses of `failed`, of a word for
; the number of the step, of one that is not 0 if time is to be counted, of words for the time that
; each entry took, and all of them, and of a byte that is not 0 after the last step, or 0.
; A move makes a word in the entries' rows an address that goes from row to row of some memory.  It
; holds: the word's address, that of row 0, the bytes from row to row, the row of the first step,
; after how many rows it starts again, and the row of this step.
define void @loop(ptr %row) {
entry:
  %whole = load %repeat, ptr %row
  %table = extractvalue %repeat %whole, 0
  %count = extractvalue %repeat %whole, 1
  %steps.place = extractvalue %repeat %whole, 2
  %steps = load i64, ptr %steps.place
  %moves = extractvalue %repeat %whole, 3
  %moving = extractvalue %repeat %whole, 4
  %failed = extractvalue %repeat %whole, 5
  %step = extractvalue %repeat %whole, 6
  %timing = extractvalue %repeat %whole, 7
  %time = load i64, ptr %timing
  %timed = icmp ne i64 %time, 0
  %ticks = extractvalue %repeat %whole, 8
  %flag = extractvalue %repeat %whole, 9
  %endless = icmp eq ptr %flag, null
  br i1 %timed, label %clock, label %begin

clock:
  %now = call i64 @llvm.readcyclecounter()
  br label %begin

begin:
  %started = phi i64 [ 0, %entry ], [ %now, %clock ]
  %moves.end = getelementptr %move, ptr %moves, i64 %moving
  %still = icmp eq i64 %moving, 0
  br i1 %still, label %next, label %rewind

rewind:
  %m = phi ptr [ %moves, %begin ], [ %m.next, %rewind ]
  %m.all = load %move, ptr %m
  %m.word = extractvalue %move %m.all, 0
  %m.base = extractvalue %move %m.all, 1
  %m.stride = extractvalue %move %m.all, 2
  %m.first = extractvalue %move %m.all, 3
  %m.now.at = getelementptr %move, ptr %m, i64 0, i32 5
  store i64 %m.first, ptr %m.now.at
  %m.far = mul i64 %m.first, %m.stride
  %m.address = add i64 %m.base, %m.far
  store i64 %m.address, ptr %m.word
  %m.next = getelementptr %move, ptr %m, i64 1
  %m.last = icmp eq ptr %m.next, %moves.end
  br i1 %m.last, label %next, label %rewind

next:
  %done = phi i64 [ 0, %begin ], [ 0, %rewind ], [ %did, %moved ]
  %enough = icmp sge i64 %done, %steps
  br i1 %enough, label %leave, label %start

start:
  store i64 %done, ptr %step
  br label %kernel

kernel:
  %k = phi i64 [ 0, %start ], [ %k.next, %well ]
  %entry.at = getelementptr { ptr, ptr }, ptr %table, i64 %k, i32 0
  %function = load ptr, ptr %entry.at
  %inner.at = getelementptr { ptr, ptr }, ptr %table, i64 %k, i32 1
  %inner = load ptr, ptr %inner.at
  br i1 %timed, label %clocked, label %unclocked

unclocked:
  call void %function(ptr %inner)
  br label %called

clocked:
  %before = call i64 @llvm.readcyclecounter()
  call void %function(ptr %inner)
  %after = call i64 @llvm.readcyclecounter()
  %took = sub i64 %after, %before
  %tick.at = getelementptr i64, ptr %ticks, i64 %k
  %ticked = load i64, ptr %tick.at
  %ticks.new = add i64 %ticked, %took
  store i64 %ticks.new, ptr %tick.at
  br label %called

called:
  %failure = load volatile i64, ptr %failed
  %ill = icmp ne i64 %failure, 0
  br i1 %ill, label %leave, label %well

well:
  %k.next = add i64 %k, 1
  %last = icmp eq i64 %k.next, %count
  br i1 %last, label %advance, label %kernel

advance:
  %did = add i64 %done, 1
  br i1 %endless, label %further, label %ask

ask:
  %answer = load i8, ptr %flag
  %ended = icmp ne i8 %answer, 0
  br i1 %ended, label %leave, label %further

further:
  br i1 %still, label %moved, label %move

move:
  %n = phi ptr [ %moves, %further ], [ %n.next, %move ]
  %n.all = load %move, ptr %n
  %n.word = extractvalue %move %n.all, 0
  %n.base = extractvalue %move %n.all, 1
  %n.stride = extractvalue %move %n.all, 2
  %n.rows = extractvalue %move %n.all, 4
  %n.now = extractvalue %move %n.all, 5
  %n.now.at = getelementptr %move, ptr %n, i64 0, i32 5
  %n.now.next = add i64 %n.now, 1
  %n.round = icmp eq i64 %n.now.next, %n.rows
  %n.row = select i1 %n.round, i64 0, i64 %n.now.next
  store i64 %n.row, ptr %n.now.at
  %n.address = load i64, ptr %n.word
  %n.further = add i64 %n.address, %n.stride
  %n.new = select i1 %n.round, i64 %n.base, i64 %n.further
  store i64 %n.new, ptr %n.word
  %n.next = getelementptr %move, ptr %n, i64 1
  %n.last = icmp eq ptr %n.next, %moves.end
  br i1 %n.last, label %moved, label %move

moved:
  br label %next

leave:
  br i1 %timed, label %total, label %return

total:
  %finished = call i64 @llvm.readcyclecounter()
  %all = sub i64 %finished, %started
  %all.at = getelementptr i64, ptr %ticks, i64 %count
  %all.before = load i64, ptr %all.at
  %all.new = add i64 %all.before, %all
  store i64 %all.new, ptr %all.at
  br label %return

return:
  ret void
}

declare i64 @llvm.readcyclecounter()

; A Fortran routine as a step: the row holds its address, then the addresses of its arguments.
define void @blas11(ptr %row) {
ARGUMENTS11
  ret void
}

define void @blas13(ptr %row) {
ARGUMENTS13
  ret void
}

; Fail if a flag is set: the row holds the address of the word `failed`, then that of the flag.
define void @guard(ptr %row) {
  %failed = load ptr, ptr %row
  %flag.at = getelementptr ptr, ptr %row, i64 1
  %flag = load ptr, ptr %flag.at
  %byte = load i8, ptr %flag
  %word = zext i8 %byte to i64
  store i64 %word, ptr %failed
  ret void
}
"""


EXPORTS = ("run", "loop", "blas11", "blas13", "guard")


def _call(arguments: int) -> str:
    lines = ["  %routine = load ptr, ptr %row"]
    for k in range(1, arguments + 1):
        lines.append(f"  %at{k} = getelementptr ptr, ptr %row, i64 {k}")
        lines.append(f"  %arg{k} = load ptr, ptr %at{k}")
    given = ", ".join(f"ptr %arg{k}" for k in range(1, arguments + 1))
    return "\n".join([*lines, f"  call void %routine({given})"])


@cache
def runner() -> Loaded:
    """The native functions `run`, `loop`, `blas11`, `blas13` and `guard`."""
    ir = IR.replace("ARGUMENTS11", _call(11)).replace("ARGUMENTS13", _call(13))
    code, _ = object_cache.load(object_cache.key("runner", ir), lambda: to_object(ir, EXPORTS))
    return code


class Request(ctypes.Structure):
    """What the loop is to do: addresses, and numbers; one argument is faster to pass than eight."""

    _fields_ = [
        ("table", ctypes.c_int64),
        ("count", ctypes.c_int64),
        ("steps", ctypes.c_int64),
        ("control", ctypes.c_int64),
        ("failed", ctypes.c_int64),
        ("ring", ctypes.c_int64),
        ("value", ctypes.c_int64),
        ("first", ctypes.c_int64),
    ]


def counts_time() -> bool:
    """Whether loops may read the processor's counter; elsewhere that can be forbidden."""
    return host()[0].startswith(("x86", "i"))


@cache
def run() -> Any:
    """`run(address of a Request)`: how many steps were done."""
    return runner().function("run", ctypes.c_int64, ctypes.c_void_p)
