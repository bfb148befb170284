"""exp and tanh of glibc's vector library in a Numba loop: LLVM puts the vector versions in."""

from __future__ import annotations

from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

llvm.load_library_permanently("libm.so.6")
llvm.load_library_permanently("libmvec.so.1")

LANES = 8
KEPT = "llvm.compiler.used"


def vectorised(scalar: str) -> Any:
    """A float32 function of the C library that has a version for 8 elements (AVX2)."""
    vector = f"_ZGVdN{LANES}v_{scalar}"

    def call(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        module, real = builder.module, ir.FloatType()
        function = module.globals.get(scalar)
        if function is None:
            function = ir.Function(module, ir.FunctionType(real, [real]), scalar)
            function.attributes.add("nounwind")
            function.attributes.add("readnone")
            wide = ir.VectorType(real, LANES)
            keep(module, ir.Function(module, ir.FunctionType(wide, [wide]), vector))
        made = builder.call(function, arguments)
        # llvmlite checks the names of attributes against a list that lacks those in quotes.
        note = f'"vector-function-abi-variant"="_ZGVdN{LANES}v_{scalar}({vector})"'
        set.add(made.attributes, note)
        return made

    @intrinsic
    def function(typing: Any, x: Any) -> Any:
        return types.float32(types.float32), call

    return function


def keep(module: Any, function: Any) -> None:
    """So that a declaration is still there when loops are made vectors."""
    pointer = ir.IntType(8).as_pointer()
    kept = [*getattr(module, "kept", ()), function.bitcast(pointer)]
    module.kept = kept
    array = ir.ArrayType(pointer, len(kept))
    used = module.globals.get(KEPT) or ir.GlobalVariable(module, array, KEPT)
    used.value_type, used.type = array, array.as_pointer()
    used.linkage, used.section = "appending", "llvm.metadata"
    used.initializer = ir.Constant(array, kept)


exp, tanh = vectorised("expf"), vectorised("tanhf")
