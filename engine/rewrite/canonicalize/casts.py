"""Casts."""

from __future__ import annotations

import numpy as np

from engine.expression import Apply, Variable
from engine.ops.logic import cast
from engine.rewrite.phases import canonicalize
from engine.rewrite.view import View
from engine.types import INTEGERS


def keeps_values(dtype: str, wider: str) -> bool:
    """Whether every number of a dtype is one of the other as well.

    NumPy also calls it safe to cast integers of 64 bits to floats of 53.
    """
    cut = dtype in {"int64", "uint64"} and wider not in INTEGERS
    return bool(np.can_cast(dtype, wider, "safe")) and not cut


@canonicalize.computed(["cast"], example=lambda x: cast(x, "float64"))
def cast_to_own_dtype(node: Apply, view: View) -> Variable | None:
    """What has the dtype already needs no cast."""
    return node.inputs[0] if node.inputs[0].dtype == node.out.dtype else None


@canonicalize.computed(["cast"], example=lambda x: cast(cast(x, "complex128"), "complex64"))
def cast_once(node: Apply, view: View) -> Variable | None:
    """A cast to a dtype that holds every value changes nothing before the next cast."""
    inner = node.inputs[0].owner
    if inner is None or inner.op is not cast:
        return None
    x, last = inner.inputs[0], node.out.dtype
    if not keeps_values(x.dtype, inner.out.dtype):
        return None
    if x.dtype in INTEGERS and inner.out.dtype not in INTEGERS and last in INTEGERS:
        # Too large a float is the largest integer, too large an integer wraps around.
        return cast(x, last) if keeps_values(x.dtype, last) else None
    return cast(x, last)


@canonicalize.computed(
    ["cast"], example=lambda x: cast(cast(x, "int32"), "int8"), dtype="int64", domain=(-999, 999)
)
def cut_bits_once(node: Apply, view: View) -> Variable | None:
    """Of an integer only the lowest bits are left in the end, whatever was cut off before."""
    inner = node.inputs[0].owner
    if inner is None or inner.op is not cast:
        return None
    (x,) = inner.inputs
    dtypes = x.dtype, inner.out.dtype, node.out.dtype
    if not INTEGERS.issuperset(dtypes):
        return None
    middle, last = (np.iinfo(dtype).bits for dtype in dtypes[1:])
    return cast(x, node.out.dtype) if middle >= last else None
