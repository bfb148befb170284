"""This computer as LLVM sees it: what it can run, and how object code gets into the process."""

from __future__ import annotations

import ctypes
from collections.abc import Collection, Iterable
from functools import cache
from typing import Any

import llvmlite.binding as llvm
from llvmlite.binding import ffi

from engine.codegen.cpu.mathematics import callable_names
from engine.errors import CompileError


@cache
def host() -> tuple[str, ...]:
    """The triple, and the processor's name and features."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    # A sum of float32 is kept in float64: that alone must not halve how many elements a loop takes.
    llvm.set_option("", "--vectorizer-maximize-bandwidth")
    try:
        features = llvm.get_host_cpu_features().flatten()
    except RuntimeError:  # not known on every platform
        features = ""
    callable_names()
    return llvm.get_process_triple(), llvm.get_host_cpu_name(), features


def target_machine() -> Any:
    """A code generator for this processor; static relocation is what LLVM's loader takes on x86."""
    triple, cpu, features = host()
    relocation = "static" if triple.startswith(("x86", "i")) else "default"
    return llvm.Target.from_triple(triple).create_target_machine(
        cpu=cpu, features=features, opt=3, reloc=relocation, codemodel="jitdefault", jit=True
    )


@cache
def _layout() -> str:
    return str(target_machine().target_data)


def to_object(ir: str, exports: Collection[str], libraries: Iterable[str] = ()) -> bytes:
    """Optimise a module given as LLVM IR, with those it calls, and turn it into object code.

    exports: the functions that are to be called from outside; what these don't need is dropped.
    Several threads may do so at once.
    Raises CompileError where it calls what another process may not find.
    """
    machine = target_machine()
    context = llvm.create_context()
    module = _parsed(ir, context)
    for library in libraries:
        module.link_in(_parsed(library, context))
    for function in module.functions:
        if not function.is_declaration and function.name not in exports:
            function.linkage = "internal"
    module.verify()
    tuning = llvm.create_pipeline_tuning_options(speed_level=3)
    tuning.loop_vectorization = True
    tuning.slp_vectorization = True
    builder = llvm.create_pass_builder(machine, tuning)
    passes = builder.getModulePassManager()
    _beside(ffi.lib.LLVMPY_RunNewModulePassManager)(passes, module, builder)
    ffi.lib.LLVMPY_DisposeNewModulePassManger(passes)  # llvmlite itself never does
    passes.detach()
    # One name that the loader can't find would leave all calls without an address.
    called = {f.name for f in module.functions if f.is_declaration} - callable_names()
    for name in called:
        if not name.startswith("llvm."):
            raise CompileError(f"There is no function {name} here that a kernel could call.")
    return _emitted(module, machine)


def _parsed(ir: str, context: Any) -> Any:
    module = llvm.parse_assembly(ir, context)
    module.triple = host()[0]
    module.data_layout = _layout()
    return module


def _emitted(module: Any, machine: Any) -> bytes:
    """What `machine.emit_object(module)` gives."""
    with ffi.OutputString() as error:
        emit = _beside(ffi.lib.LLVMPY_TargetMachineEmitToMemory)
        memory = emit(machine, module, 1, error)
        if not memory:
            raise CompileError(str(error))
    try:
        size = ffi.lib.LLVMPY_GetBufferSize(memory)
        return ctypes.string_at(ffi.lib.LLVMPY_GetBufferStart(memory), size)
    finally:
        ffi.lib.LLVMPY_DisposeMemoryBuffer(memory)


def _beside(function: Any) -> Any:
    """A function of LLVM's as several threads may call it, each with a context of its own.

    llvmlite itself lets in one thread after the other.
    """
    return getattr(function, "_cfn", function)


class Loaded:
    """Object code in memory.  Its functions may be called for as long as this object lives."""

    def __init__(self, code: bytes) -> None:
        self._engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), target_machine())
        self._engine.add_object_file(llvm.ObjectFileRef.from_data(code))
        self._engine.finalize_object()

    def address(self, name: str) -> int:
        """Where the function of that name begins."""
        return int(self._engine.get_function_address(name))

    def function(self, name: str, result: Any, *arguments: Any) -> Any:
        """The function as a callable that gives the interpreter free while it runs."""
        return ctypes.CFUNCTYPE(result, *arguments)(self.address(name))
