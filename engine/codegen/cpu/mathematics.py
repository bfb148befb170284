"""Functions of the C library in kernels: what LLVM may know of them, and their vector versions.

glibc brings versions of exp, tanh and others that compute several elements at once.  LLVM puts
them into loops by itself once a function's declaration names them.  Where there is no such
version, functions of our own take the place of those that training uses most: see `polynomials`.
"""

from __future__ import annotations

import ctypes
import os
import re
from functools import cache

import llvmlite.binding as llvm

from engine.codegen.cpu import polynomials

UNARY = (
    "exp", "exp2", "expm1", "log", "log1p", "log2", "log10", "sin", "cos", "tan", "asin", "acos",
    "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "cbrt", "erf", "erfc",
)  # fmt: skip
BINARY = ("pow", "atan2")
SPECIAL = ("tgamma", "lgamma", "j0", "j1", "y0", "y1")
"""Those that no library has several at once of."""
ROUNDING = ("sqrt", "floor", "ceil", "trunc", "round", "rint", "nearbyint", "fma", "fmod")
IMPLIED = ("exp10", "ldexp", "sincos", "hypot")
"""What LLVM may make of calls of the others: `sincos` of sin and cos."""
MEMORY = ("memcpy", "memmove", "memset", "memcmp", "bcmp")
THREADING = (
    "pthread_mutex_lock", "pthread_mutex_unlock", "pthread_cond_wait", "pthread_cond_broadcast",
    "sched_yield",
)  # fmt: skip
"""By which threads wait for each other."""
OWN = tuple(f"{name}{suffix}" for name in polynomials.FUNCTIONS for suffix in ("", "f"))
"""Those that are our own where they have no vector version."""
LIBRARY = "libmvec.so.1"
PURE = "nounwind willreturn memory(none)"
"""No errno, no exceptions: a call may be moved, doubled or dropped."""


def callable_names() -> frozenset[str]:
    """What kernels may call; the loader of object code knows these names after this."""
    return _scalar_names().union(vector for vector, _ in vector_functions().values())


@cache
def _scalar_names() -> frozenset[str]:
    process = ctypes.CDLL("ucrtbase" if os.name == "nt" else None)
    scalar = (*UNARY, *BINARY, *SPECIAL, *ROUNDING, *IMPLIED)
    found = set()
    for name in (*scalar, *(f"{name}f" for name in scalar), *MEMORY, *THREADING):
        function = getattr(process, name, None)
        if function is not None:
            found.add(name)
            llvm.add_symbol(name, ctypes.cast(function, ctypes.c_void_p).value)
    return frozenset(found)


def vector_functions() -> dict[str, tuple[str, int]]:
    """By C function its vector version, and how many elements that takes.

    Empty where there is no such library.
    """
    return _vector_functions(LIBRARY)


@cache
def _vector_functions(library: str) -> dict[str, tuple[str, int]]:
    try:
        features = llvm.get_host_cpu_features()
        llvm.load_library_permanently(library)
    except RuntimeError:
        return {}
    if not features.get("avx2"):
        return {}
    found: dict[str, tuple[str, int]] = {}
    for name in (*UNARY, *BINARY):
        arguments = "v" if name in UNARY else "vv"
        for function, lanes in ((name, 4), (name + "f", 8)):
            vector = f"_ZGVdN{lanes}{arguments}_{function}"
            if llvm.address_of_symbol(vector):
                found[function] = vector, lanes
    return found


def declared(ir: str) -> tuple[str, list[str]]:
    """The module with its calls of mathematics made plain calls of C functions, and described.

    And the modules of those functions that are our own.
    """
    for type, suffix in (("f64", ""), ("f32", "f")):
        for name in (*UNARY, *BINARY):
            ir = ir.replace(f"@llvm.{name}.{type}(", f"@{name}{suffix}(")
        ir = ir.replace(f"@sqrt{suffix}(", f"@llvm.sqrt.{type}(")
    vectors = vector_functions()
    own: dict[str, str] = {}

    def replace(match: re.Match[str]) -> str:
        name = match[1]
        if name in vectors:
            return match[0]
        ours, own[name] = polynomials.module(name)
        return f"@{ours}("

    ir = re.sub(rf'@"?({"|".join(OWN)})"?\(', replace, ir)
    seen: set[str] = set()
    used: list[str] = []
    notes: list[str] = []

    def describe(match: re.Match[str]) -> str:
        type, name, arguments = match.groups()
        if name in seen:
            return ""
        seen.add(name)
        if name.startswith("llvm."):
            return match.group()
        facts = PURE
        if name in vectors:
            vector, lanes = vectors[name]
            wide = ", ".join([f"<{lanes} x {type}>"] * (arguments.count(",") + 1))
            notes.append(f"declare <{lanes} x {type}> @{vector}({wide})")
            used.append(vector)
            facts += f' "vector-function-abi-variant"="{vector}({vector})"'
        return f"declare {type} @{name}({arguments}) {facts}"

    ir = re.sub(r'declare (double|float) @"?([\w.]+)"?\(([^)]*)\)[^\n]*', describe, ir)
    if used:
        kept = ", ".join(f"ptr @{name}" for name in used)
        notes.append(
            f"@llvm.compiler.used = appending global [{len(used)} x ptr] [{kept}], "
            'section "llvm.metadata"'
        )
    return "\n".join([ir, *notes]) + "\n", list(own.values())
