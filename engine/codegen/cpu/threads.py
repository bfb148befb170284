"""Loops in parts: threads that do them together, and the step of the table that shares them out.

How many parts a loop has follows from its length alone, and each is computed and added up in the
same way whoever does it, so that results are the same bit for bit however many threads there are.

The parts of one loop are a job.  A ticket says which job it is and which part is next; whoever
raises it by one does that part.  While a job is described the ticket is closed, so that nobody
can take a part of one job with the description of another.  Threads without work look at the
ticket for a moment, then sleep.
"""

from __future__ import annotations

import ctypes
import os
from functools import cache
from threading import Lock, Thread

from engine.codegen.cpu import cache as object_cache
from engine.codegen.cpu.machine import Loaded, to_object
from engine.config import config

# The pool is words, each group of them in a cache line of its own:
#   0 ticket, 64 parts left to be finished, 128 whether it is in use,
#   192 function, 200 its row, 208 parts, 216 the length of the loop,
#   256 how many threads sleep, 264 how many there are, 320 a mutex, 384 a condition.
# The row of `share` is the function of the kernel, the pool, the number of parts and the length
# of the loop; the kernel's own row follows.
IR = """
declare i32 @pthread_mutex_lock(ptr)
declare i32 @pthread_mutex_unlock(ptr)
declare i32 @pthread_cond_wait(ptr, ptr)
declare i32 @pthread_cond_broadcast(ptr)
declare i32 @sched_yield()

; Does one part of a loop: from length * part / parts up to length * (part + 1) / parts.
define internal void @part(ptr %function, ptr %row, i64 %parts, i64 %length, i64 %part) {
  %next = add i64 %part, 1
  %before = mul i64 %length, %part
  %up = mul i64 %length, %next
  %first = udiv i64 %before, %parts
  %last = udiv i64 %up, %parts
  call void %function(ptr %row, i64 %part, i64 %first, i64 %last)
  ret void
}

; Does parts of the job that there is until there are none left.
define internal void @help(ptr %pool) {
entry:
  %left.at = getelementptr i8, ptr %pool, i64 64
  %function.at = getelementptr i8, ptr %pool, i64 192
  %row.at = getelementptr i8, ptr %pool, i64 200
  %parts.at = getelementptr i8, ptr %pool, i64 208
  %length.at = getelementptr i8, ptr %pool, i64 216
  br label %look

look:
  %ticket = load atomic i64, ptr %pool acquire, align 8
  %function = load atomic ptr, ptr %function.at acquire, align 8
  %row = load atomic ptr, ptr %row.at acquire, align 8
  %parts = load atomic i64, ptr %parts.at acquire, align 8
  %length = load atomic i64, ptr %length.at acquire, align 8
  %part = and i64 %ticket, 4294967295
  %some = icmp ult i64 %part, %parts
  br i1 %some, label %take, label %done

take:
  %raised = add i64 %ticket, 1
  %try = cmpxchg ptr %pool, i64 %ticket, i64 %raised acq_rel monotonic, align 8
  %mine = extractvalue { i64, i1 } %try, 1
  br i1 %mine, label %work, label %look

work:
  call void @part(ptr %function, ptr %row, i64 %parts, i64 %length, i64 %part)
  %was = atomicrmw sub ptr %left.at, i64 1 acq_rel, align 8
  br label %look

done:
  ret void
}

; What a thread does for good.
define void @serve(ptr %pool) {
entry:
  %sleeping = getelementptr i8, ptr %pool, i64 256
  %mutex = getelementptr i8, ptr %pool, i64 320
  %condition = getelementptr i8, ptr %pool, i64 384
  br label %serving

serving:
  call void @help(ptr %pool)
  %seen = load atomic i64, ptr %pool acquire, align 8
  br label %watch

watch:
  %turns = phi i64 [ SPINS, %serving ], [ %fewer, %watching ]
  %now = load atomic i64, ptr %pool acquire, align 8
  %new = icmp ne i64 %now, %seen
  br i1 %new, label %serving, label %watching

watching:
  PAUSE
  %fewer = sub i64 %turns, 1
  %tired = icmp eq i64 %fewer, 0
  br i1 %tired, label %sleep, label %watch

sleep:
  %l = call i32 @pthread_mutex_lock(ptr %mutex)
  %s = atomicrmw add ptr %sleeping, i64 1 seq_cst, align 8
  br label %check

check:
  %then = load atomic i64, ptr %pool seq_cst, align 8
  %same = icmp eq i64 %then, %seen
  br i1 %same, label %wait, label %wake

wait:
  %w = call i32 @pthread_cond_wait(ptr %condition, ptr %mutex)
  br label %check

wake:
  %a = atomicrmw sub ptr %sleeping, i64 1 seq_cst, align 8
  %u = call i32 @pthread_mutex_unlock(ptr %mutex)
  br label %serving
}

; A loop in parts, as a step of the table.
define void @share(ptr %row) {
entry:
  %function = load ptr, ptr %row, align 8
  %pool.at = getelementptr i8, ptr %row, i64 8
  %pool = load ptr, ptr %pool.at, align 8
  %parts.at = getelementptr i8, ptr %row, i64 16
  %parts = load i64, ptr %parts.at, align 8
  %length.at = getelementptr i8, ptr %row, i64 24
  %length = load i64, ptr %length.at, align 8
  %own = getelementptr i8, ptr %row, i64 32
  %threads.at = getelementptr i8, ptr %pool, i64 264
  %threads = load atomic i64, ptr %threads.at monotonic, align 8
  %alone = icmp eq i64 %threads, 0
  br i1 %alone, label %serial, label %claim

claim:
  %used = getelementptr i8, ptr %pool, i64 128
  %try = cmpxchg ptr %used, i64 0, i64 1 acquire monotonic, align 8
  %free = extractvalue { i64, i1 } %try, 1
  br i1 %free, label %publish, label %serial

publish:
  %ticket = load atomic i64, ptr %pool monotonic, align 8
  %job = lshr i64 %ticket, 32
  %job.closed = add i64 %job, 1
  %job.open = add i64 %job, 2
  %high = shl i64 %job.closed, 32
  %closed = or i64 %high, 4294967295
  %open = shl i64 %job.open, 32
  store atomic i64 %closed, ptr %pool seq_cst, align 8
  %left.at = getelementptr i8, ptr %pool, i64 64
  %function.to = getelementptr i8, ptr %pool, i64 192
  %row.to = getelementptr i8, ptr %pool, i64 200
  %parts.to = getelementptr i8, ptr %pool, i64 208
  %length.to = getelementptr i8, ptr %pool, i64 216
  store atomic i64 %parts, ptr %left.at release, align 8
  store atomic ptr %function, ptr %function.to release, align 8
  store atomic ptr %own, ptr %row.to release, align 8
  store atomic i64 %parts, ptr %parts.to release, align 8
  store atomic i64 %length, ptr %length.to release, align 8
  store atomic i64 %open, ptr %pool seq_cst, align 8
  %sleeping.at = getelementptr i8, ptr %pool, i64 256
  %sleeping = load atomic i64, ptr %sleeping.at seq_cst, align 8
  %asleep = icmp ne i64 %sleeping, 0
  br i1 %asleep, label %rouse, label %work

rouse:
  %mutex = getelementptr i8, ptr %pool, i64 320
  %condition = getelementptr i8, ptr %pool, i64 384
  %l = call i32 @pthread_mutex_lock(ptr %mutex)
  %b = call i32 @pthread_cond_broadcast(ptr %condition)
  %u = call i32 @pthread_mutex_unlock(ptr %mutex)
  br label %work

work:
  call void @help(ptr %pool)
  br label %wait

wait:
  %turns = phi i64 [ SPINS, %work ], [ %fewer, %again ]
  %left = load atomic i64, ptr %left.at acquire, align 8
  %ready = icmp eq i64 %left, 0
  br i1 %ready, label %leave, label %more

more:
  PAUSE
  %tired = icmp eq i64 %turns, 0
  br i1 %tired, label %yield, label %count

count:
  %less = sub i64 %turns, 1
  br label %again

yield:
  %y = call i32 @sched_yield()
  br label %again

again:
  %fewer = phi i64 [ %less, %count ], [ 0, %yield ]
  br label %wait

leave:
  store atomic i64 0, ptr %used release, align 8
  ret void

serial:
  %empty = icmp eq i64 %parts, 0
  br i1 %empty, label %ret, label %loop

loop:
  %at = phi i64 [ 0, %serial ], [ %following, %loop ]
  call void @part(ptr %function, ptr %own, i64 %parts, i64 %length, i64 %at)
  %following = add i64 %at, 1
  %end = icmp eq i64 %following, %parts
  br i1 %end, label %ret, label %loop

ret:
  ret void
}
"""

SPINS = 2000
"""How often a thread looks for work before it sleeps, some 20 microseconds."""

EXPORTS = ("serve", "share")
THREADS = 264
MUTEX, CONDITION = 320, 384
BYTES = 512


class Pool:
    """Threads that wait for parts of loops.

    address: of the memory through which they are told of them.
    """

    def __init__(self, threads: int) -> None:
        """So many threads besides the caller's; none on a computer that has one core for us."""
        self._memory = (ctypes.c_int64 * (BYTES // 8 + 8))()
        start = ctypes.addressof(self._memory)
        self.address = start + -start % 64
        process = ctypes.CDLL(None)
        process.pthread_mutex_init(ctypes.c_void_p(self.address + MUTEX), None)
        process.pthread_cond_init(ctypes.c_void_p(self.address + CONDITION), None)
        serve = code().function("serve", None, ctypes.c_void_p)
        for k in range(threads):
            name = f"wiregrad-kernels-{k + 1}"
            Thread(target=serve, args=(self.address,), name=name, daemon=True).start()
        self._count().value = threads

    def _count(self) -> ctypes.c_int64:
        return ctypes.c_int64.from_address(self.address + THREADS)

    def abandoned(self) -> None:
        """To be told in a process that was forked off: the threads stayed behind."""
        self._count().value = 0


@cache
def code() -> Loaded:
    """The native functions `serve` and `share`."""
    machine = os.uname().machine
    pause = {"x86_64": "call void @llvm.x86.sse2.pause()"}.get(machine, "fence seq_cst")
    ir = IR.replace("SPINS", str(SPINS)).replace("PAUSE", pause)
    if machine == "x86_64":
        ir += "declare void @llvm.x86.sse2.pause()\n"
    loaded, _ = object_cache.load(object_cache.key("threads", ir), lambda: to_object(ir, EXPORTS))
    return loaded


_pools: list[Pool] = []
_making = Lock()


def pool() -> Pool:
    """The threads of this process, as many as there are to be when they are first needed."""
    with _making:
        if not _pools:
            _pools.append(Pool(threads() - 1))
        return _pools[0]


def threads() -> int:
    """How many threads compute: `config.threads`, or for 0 as many as there are cores for us."""
    return config.threads or _cores()


def _cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not every system can keep a process from some of its cores
        return os.cpu_count() or 1


def _forked() -> None:
    global _making
    _making = Lock()  # it may have been held
    while _pools:
        _pools.pop().abandoned()


os.register_at_fork(after_in_child=_forked)
