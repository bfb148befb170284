"""Products of matrices by the BLAS that SciPy brings along, called by address.

It is loaded only when a graph has a product that is large enough.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from typing import Any

from engine.codegen.layout import Access, Storage
from engine.codegen.primitives import Product

LETTER = {"float32": "s", "float64": "d"}
ROW, INNER, COLUMN = range(3)

Argument = str | int | float | tuple[Storage, int]
"""A flag, a length, a factor, or a place: a storage and an offset in elements."""


@dataclass(frozen=True)
class Call:
    """A call of a Fortran routine, all of whose arguments are addresses."""

    routine: str
    dtype: str
    arguments: tuple[Argument, ...]


@cache
def address(routine: str) -> int:
    """Where a routine of BLAS, `dgemm` say, begins."""
    capsule = _routines()[routine]
    name = ctypes.pythonapi.PyCapsule_GetName
    name.restype, name.argtypes = ctypes.c_char_p, [ctypes.py_object]
    pointer = ctypes.pythonapi.PyCapsule_GetPointer
    pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    return int(pointer(capsule, name(capsule)))


@cache
def _routines() -> dict[str, Any]:
    """The capsules of `scipy.linalg.cython_blas`, without the rest of `scipy.linalg`.

    That would take longer to import than most graphs take to compile.
    """
    import scipy  # finds the libraries that SciPy brings along

    package = PathFinder.find_spec("scipy.linalg", scipy.__path__)
    places = package.submodule_search_locations if package else None
    spec = PathFinder.find_spec("scipy.linalg.cython_blas", places)
    assert spec is not None
    assert spec.loader is not None
    module: Any = module_from_spec(spec)
    spec.loader.exec_module(module)
    return dict(module.__pyx_capi__)


def is_readable(access: Access, loops: Sequence[int]) -> bool:
    """Whether BLAS can read an operand where it lies: one stride of a matrix must be 1."""
    strides = [stride(access, k) for k in loops]
    return all(s > 0 for s in strides) and (len(loops) == 1 or 1 in strides)


def stride(access: Access, loop: int) -> int:
    """How many elements lie between two turns of a loop."""
    strides = access.buffer.strides
    return sum(i.step * s for i, s in zip(access.indices, strides, strict=True) if i.axis == loop)


def call(product: Product) -> Call:
    """The call that computes a product.

    BLAS counts along columns first, we along rows, so that it sees every matrix of ours
    transposed and computes the transposed product: y' x' in place of x y.
    """
    m, k, n = (e.length for e in product.space)
    x, y, target = product.x, product.y, product.target
    dtype = target.storage.dtype
    rows = any(i.axis == ROW for i in target.indices)
    columns = any(i.axis == COLUMN for i in target.indices)
    to = _place(target)
    if rows and columns:
        left, right = _matrix(y, INNER, COLUMN), _matrix(x, ROW, INNER)
        sizes = (n, m, k)
        arguments = (left[0], right[0], *sizes, 1.0, *left[1:], *right[1:], 0.0, to, max(n, 1))
        return Call(LETTER[dtype] + "gemm", dtype, arguments)
    matrix, vector, outer = (x, y, ROW) if rows else (y, x, COLUMN)
    # As the product of a matrix whose rows belong to the result.
    flag, place, leading = _matrix(matrix, outer, INNER)
    length = m if rows else n
    sizes2 = (k, length) if flag == "N" else (length, k)
    flag = "T" if flag == "N" else "N"
    step = stride(vector, INNER)
    arguments2 = (flag, *sizes2, 1.0, place, leading, _place(vector), step, 0.0, to, 1)
    return Call(LETTER[dtype] + "gemv", dtype, arguments2)


def _place(access: Access) -> tuple[Storage, int]:
    strides = access.buffer.strides
    return access.storage, sum(i.start * s for i, s in zip(access.indices, strides, strict=True))


def _matrix(access: Access, row: int, column: int) -> tuple[str, tuple[Storage, int], int]:
    """How BLAS is to read a matrix: as it sees it or transposed, where, and its long stride."""
    down, across = stride(access, row), stride(access, column)
    return ("N", _place(access), down) if across == 1 else ("T", _place(access), across)
