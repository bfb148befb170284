"""From a kernel's text to object code, by Numba.  Only here is Numba imported, and only when
a kernel is not in the cache."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from typing import Any

from engine.codegen.cpu.machine import to_object
from engine.codegen.cpu.mathematics import declared
from engine.errors import CompileError

ENTRY = "entry"
"""What the native function of every kernel is called."""


def compile_kernel(text: str, signature: Sequence[str], parted: bool = False) -> bytes:
    """Object code of the function `entry(row)`, which runs the kernel on a row of arguments.

    The text is one function `kernel`; signature has for each argument the dtype behind a
    pointer, or "int" for a number of 64 bits.  The row holds 8 bytes for each.
    parted: whether three more numbers say which part of a loop is to be done, which are then
    arguments of `entry` as well.

    Raises CompileError where the compiler is missing or gives up.
    """
    try:
        return _compiled(text, signature, parted)
    except CompileError:
        raise
    except Exception as error:  # whatever a compiler may raise, the graph still runs in NumPy
        raise CompileError(
            f"A kernel could not be compiled: {type(error).__name__}: {error}",
            hint="It runs in NumPy.",
        ) from error


def _compiled(text: str, signature: Sequence[str], parted: bool) -> bytes:
    numba: Any = import_module("numba.core")
    compiler: Any = import_module("numba.core.compiler")
    lock: Any = import_module("numba.core.compiler_lock")
    types = numba.types
    target = import_module("numba.core.registry").cpu_target

    flags = compiler.Flags()
    flags.no_cpython_wrapper = True
    flags.no_cfunc_wrapper = True
    flags.no_compile = True  # the module is optimised and turned into object code by us
    flags.error_model = "numpy"  # division by zero is no error
    flags.noalias = True  # every storage has one pointer
    arguments = tuple(
        types.intp if a == "int" else types.CPointer(getattr(types, a))
        for a in (*signature, *(["int"] * 3 if parted else []))
    )
    function = _function(text)
    with lock.global_compiler_lock:
        contexts = target.typing_context, target.target_context
        result = compiler.compile_extra(
            *contexts, function, arguments, types.void, flags, {}, pipeline_class=_pipeline()
        )
        ir = result.library.get_llvm_str().replace(result.fndesc.llvm_func_name, "kernel")
        # What Numba wrote in Python itself, such as powers of integers.
        used = dict.fromkeys(result.library._linking_libraries)
        libraries = [library.get_llvm_str() for library in used]
    return to_object(declared(ir) + _entry(signature, parted), [ENTRY], libraries)


@cache
def _pipeline() -> Any:
    """Numba's compiler without the passes for what kernels never have: closures, literals to be
    unrolled, array expressions.  It takes little more than half the time."""
    core = import_module("numba.core.compiler")
    untyped: Any = import_module("numba.core.untyped_passes")
    typed: Any = import_module("numba.core.typed_passes")
    machinery: Any = import_module("numba.core.compiler_machinery")
    passes = (
        untyped.TranslateByteCode,
        untyped.FixupArgs,
        untyped.IRProcessing,
        typed.NopythonTypeInference,
        typed.AnnotateTypes,
        typed.NativeLowering,
        typed.NoPythonBackend,
    )

    class KernelCompiler(core.CompilerBase):  # type: ignore[misc, name-defined]
        def define_pipelines(self) -> list[Any]:
            manager = machinery.PassManager("kernel")
            for each in passes:
                manager.add_pass(each, each.__name__)
            manager.finalize()
            return [manager]

    return KernelCompiler


def _function(text: str) -> Any:
    """The kernel as a Python function.  Its text is the emitter's: see `emit`."""
    from engine.codegen.cpu import intrinsics

    space: dict[str, Any] = {"math": math, **intrinsics.names()}
    exec(compile(text, "<kernel>", "exec"), space)  # noqa: S102
    return space["kernel"]


def _entry(signature: Sequence[str], parted: bool) -> str:
    """A function that takes the kernel's arguments from a row of 8 bytes each, as LLVM IR."""
    lines: list[str] = []
    given: list[str] = []
    for k, argument in enumerate(signature):
        type = "i64" if argument == "int" else "ptr"
        lines.append(f"  %at{k} = getelementptr i64, ptr %row, i64 {k}")
        lines.append(f"  %arg{k} = load {type}, ptr %at{k}")
        given.append(f"{type} %arg{k}")
    part = ["i64 %part", "i64 %first", "i64 %last"] if parted else []
    call = ", ".join(["ptr %result", "ptr %error", *given, *part])
    body = "\n".join(lines)
    return f"""
define void @{ENTRY}({", ".join(["ptr %row", *part])}) {{
  %result = alloca ptr
  %error = alloca ptr
{body}
  call i32 @kernel({call})
  ret void
}}
"""
