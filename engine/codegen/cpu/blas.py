"""Products of matrices by the BLAS that SciPy brings along, called by address.

It is loaded only when a graph has a product that is large enough.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, replace
from functools import cache
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from itertools import pairwise
from typing import Any

from engine.codegen.layout import Storage
from engine.codegen.primitives import Matrix, Product

LETTER = {"float32": "s", "float64": "d"}

Argument = str | int | float | tuple[Storage, int]
"""A flag, a length, a factor, or a place: a storage and an offset in elements."""


@dataclass(frozen=True)
class Call:
    """A call of a Fortran routine, all of whose arguments are addresses."""

    routine: str
    dtype: str
    arguments: tuple[Argument, ...]


@cache
def threads() -> tuple[int, int] | None:
    """Where the functions are that get and set how many threads OpenBLAS uses; None without it."""
    library = ctypes.CDLL(_module().__file__)  # which also finds what that is linked to
    for prefix in ("scipy_openblas", "openblas"):
        names = f"{prefix}_get_num_threads", f"{prefix}_set_num_threads"
        if all(hasattr(library, name) for name in names):
            get, put = (ctypes.cast(library[name], ctypes.c_void_p).value or 0 for name in names)
            return get, put
    return None


@cache
def address(routine: str) -> int:
    """Where a routine of BLAS, `dgemm` say, begins."""
    capsule = _module().__pyx_capi__[routine]
    name = ctypes.pythonapi.PyCapsule_GetName
    name.restype, name.argtypes = ctypes.c_char_p, [ctypes.py_object]
    pointer = ctypes.pythonapi.PyCapsule_GetPointer
    pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    return int(pointer(capsule, name(capsule)))


@cache
def _module() -> Any:
    """`scipy.linalg.cython_blas`, which has the routines, without the rest of `scipy.linalg`.

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
    return module


def call(product: Product) -> Call:
    """The call that computes a product.

    BLAS counts along columns first, we along rows, so that it sees every matrix of ours
    transposed and computes the transposed product: y' x' in place of x y.
    """
    m, k, n = product.space
    x, y, target = product.x, product.y, product.target
    dtype = target.storage.dtype
    alpha, beta = product.scale, float(product.adds)
    to = target.storage, target.offset
    if m != 1 and n != 1:
        left, right = _matrix(y, k, n), _matrix(x, m, k)
        factors = (*left[1:], *right[1:], beta, to, max(target.row, n))
        return Call(LETTER[dtype] + "gemm", dtype, (left[0], right[0], n, m, k, alpha, *factors))
    if n == 1:
        matrix, vector, step, out = x, y, y.row, target.row
    else:
        matrix, vector, step, out = y.transposed, x, x.column, target.column
    # As the product of a matrix whose rows belong to the result.
    flag, place, leading = _matrix(matrix, m * n, k)
    sizes = (k, m * n) if flag == "N" else (m * n, k)
    flag = "T" if flag == "N" else "N"
    start = vector.storage, vector.offset
    factors2 = (alpha, place, leading, start, max(step, 1), beta, to, max(out, 1))
    return Call(LETTER[dtype] + "gemv", dtype, (flag, *sizes, *factors2))


THREADED = 1 << 13
"""Multiplications from which on OpenBLAS may use threads of its own."""
SHARED = 1 << 22
"""Multiplications from which on a product of matrices is shared out among ours."""
SHARE = 1 << 21
"""Multiplications that a part has at least."""
PARTS, NARROWEST = 4, 16
"""The most parts, and the fewest rows or columns of one: each reads the other matrix whole."""


def shares(product: Product) -> list[Product]:
    """The products of parts of one matrix by the other, which follow from the lengths alone.

    Our own threads do them: those of OpenBLAS wait for each other, which takes a hundred times
    as long as the product where another program has one of the processors.
    """
    m, k, n = product.space
    work = m * k * n
    parts = min(PARTS, work // SHARE, max(m, n) // NARROWEST)
    if work < SHARED or parts < 2 or 1 in (m, n):
        return [product]
    bounds = [max(m, n) * part // parts for part in range(parts + 1)]
    return [_part(product, start, end) for start, end in pairwise(bounds)]


def _part(product: Product, start: int, end: int) -> Product:
    """Some of the rows of the result, or of the columns if there are more of these."""
    m, k, n = product.space
    x, y, target = product.x, product.y, product.target
    if m >= n:
        target = replace(target, offset=target.offset + start * target.row)
        x = replace(x, offset=x.offset + start * x.row)
        return replace(product, x=x, target=target, space=(end - start, k, n))
    target = replace(target, offset=target.offset + start * target.column)
    y = replace(y, offset=y.offset + start * y.column)
    return replace(product, y=y, target=target, space=(m, k, end - start))


def _matrix(matrix: Matrix, rows: int, columns: int) -> tuple[str, tuple[Storage, int], int]:
    """How BLAS is to read a matrix: as it sees it or transposed, where, and its long stride."""
    place = matrix.storage, matrix.offset
    if matrix.column == 1:
        return "N", place, max(matrix.row, columns)
    return "T", place, max(matrix.column, rows)
