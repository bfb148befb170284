"""From kernels' texts to object code."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from engine.codegen.cpu import cache
from engine.codegen.cpu.machine import Loaded, to_object
from engine.codegen.cpu.mathematics import declared
from engine.codegen.cpu.threads import threads
from engine.codegen.cpu.translate import UntranslatableError, translate
from engine.errors import CompileError

ENTRY = "entry"
"""What the native function of every kernel is called."""


@dataclass(frozen=True)
class Compiled:
    """A kernel that is ready to run.

    name: that of its object code.  from_cache: whether it was compiled before.
    seconds: what it took to compile or to load.
    """

    name: str
    code: Loaded
    from_cache: bool
    seconds: float


Task = tuple[str, Sequence[str], bool]
"""What `compile_kernel` needs to know of a kernel."""


def compile_kernels(kernels: Sequence[Task]) -> Iterator[Compiled]:
    """Kernels, one after the other as soon as they are ready.

    What is not in the cache is compiled, several at a time.
    Raises CompileError like `compile_kernel`.
    """
    names = [cache.key("kernel", text, *signature) for text, signature, _ in kernels]
    found: dict[str, Compiled] = {}
    missing: dict[str, Task] = {}
    for name, kernel in zip(names, kernels, strict=True):
        if name not in found and name not in missing:
            started = time.perf_counter()
            code = cache.find(name)
            if code is None:
                missing[name] = kernel
            else:
                found[name] = Compiled(name, code, True, time.perf_counter() - started)
    with ThreadPoolExecutor(min(len(missing), threads()) or 1) as pool:
        waiting = {name: pool.submit(_timed, *kernel) for name, kernel in missing.items()}
        for name in names:
            if name in waiting:
                compiled, seconds = waiting.pop(name).result()
                code = cache.keep(name, compiled)
                yield Compiled(name, code, False, seconds)
                found[name] = Compiled(name, code, True, 0.0)
            else:
                yield found[name]


def _timed(text: str, signature: Sequence[str], parted: bool) -> tuple[bytes, float]:
    started = time.perf_counter()
    return compile_kernel(text, signature, parted), time.perf_counter() - started


def compile_kernel(text: str, signature: Sequence[str], parted: bool = False) -> bytes:
    """Object code of the function `entry(row)`, which runs the kernel on a row of arguments.

    The text is one function `kernel`; signature has for each argument the dtype behind a
    pointer, or "int" for a number of 64 bits.  The row holds 8 bytes for each.
    parted: whether three more numbers say which part of a loop is to be done, which are then
    arguments of `entry` as well.

    Raises CompileError where the compiler is missing or gives up.
    """
    try:
        return translated(text, signature, parted)
    except UntranslatableError:
        pass
    try:
        return by_numba(text, signature, parted)
    except CompileError:
        raise
    except Exception as error:  # whatever a compiler may raise, the graph still runs in NumPy
        raise CompileError(
            f"A kernel could not be compiled: {type(error).__name__}: {error}",
            hint="It runs in NumPy.",
        ) from error


def translated(text: str, signature: Sequence[str], parted: bool = False) -> bytes:
    """Object code by our own translator; raises UntranslatableError."""
    ir, functions = declared(translate(text, _arguments(signature, parted), "kernel"))
    return to_object(ir + _entry(signature, parted, "void"), [ENTRY], functions)


def by_numba(text: str, signature: Sequence[str], parted: bool = False) -> bytes:
    """Object code by Numba; raises what it raises."""
    from engine.codegen.cpu.reference import numba_ir

    ir, libraries = numba_ir(text, _arguments(signature, parted), "kernel")
    ir, functions = declared(ir)
    entry = _entry(signature, parted, "i32", "result", "error")
    return to_object(ir + entry, [ENTRY], [*libraries, *functions])


def _arguments(signature: Sequence[str], parted: bool) -> list[str]:
    return [*signature, *(["int"] * 3 if parted else [])]


def _entry(signature: Sequence[str], parted: bool, result: str, *unused: str) -> str:
    """A function that takes the kernel's arguments from a row of 8 bytes each, as LLVM IR.

    The kernel stays a function of its own: there LLVM sees at once that no two pointers meet,
    which it would have to be told anew for every access.
    """
    lines = [f"  %{name} = alloca ptr" for name in unused]
    given = [f"ptr %{name}" for name in unused]
    for k, argument in enumerate(signature):
        type = "i64" if argument == "int" else "ptr"
        lines.append(f"  %at{k} = getelementptr i64, ptr %row, i64 {k}")
        lines.append(f"  %arg{k} = load {type}, ptr %at{k}")
        given.append(f"{type} %arg{k}")
    part = ["i64 %part", "i64 %first", "i64 %last"] if parted else []
    body = "\n".join(lines)
    return f"""
define void @{ENTRY}({", ".join(["ptr %row", *part])}) {{
{body}
  call {result} @kernel({", ".join([*given, *part])}) noinline
  ret void
}}
"""
