"""Kernels by Numba, in whose language they are written: what the translator is held against.

It compiles those that the translator does not know how to.  Only here is Numba imported.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from typing import Any


def numba_ir(text: str, signature: Sequence[str], name: str) -> tuple[str, list[str]]:
    """The kernel as a module of LLVM IR, with a function `name`, and the modules that it calls.

    The function takes, before the kernel's own arguments, the addresses of a result and of an
    error, neither of which there ever is.
    """
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
        types.intp if a == "int" else types.CPointer(getattr(types, a)) for a in signature
    )
    function = _function(text)
    with lock.global_compiler_lock:
        contexts = target.typing_context, target.target_context
        result = compiler.compile_extra(
            *contexts, function, arguments, types.void, flags, {}, pipeline_class=_pipeline()
        )
        ir = result.library.get_llvm_str().replace(result.fndesc.llvm_func_name, name)
        used = dict.fromkeys(result.library._linking_libraries)
        return ir, [library.get_llvm_str() for library in used]


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
