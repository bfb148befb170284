"""The dtypes that Numba gives to formulas, by which kernels are written."""

from __future__ import annotations

from engine.codegen.cpu.operations import is_signed
from engine.types import FLOATS

_WITHIN_FLOAT32 = {"bool", "int8", "int16", "uint8", "float32"}


def widened(*dtypes: str) -> str:
    """The dtype in which integers and floats are added and multiplied: integers have 64 bits."""
    if not FLOATS.isdisjoint(dtypes):
        return common(*dtypes)
    return "int64" if any(d == "bool" or is_signed(d) for d in dtypes) else "uint64"


def common(*dtypes: str) -> str:
    """The dtype in which numbers are compared, and of a choice between two of one kind."""
    kinds = set(dtypes)
    if len(kinds) == 1:
        return dtypes[0]
    kinds.discard("bool")
    if not kinds.isdisjoint(FLOATS):
        return "float32" if kinds <= _WITHIN_FLOAT32 else "float64"
    signed = max((int(d[3:]) for d in kinds if is_signed(d)), default=0)
    unsigned = max((int(d[4:]) for d in kinds if not is_signed(d)), default=0)
    if not signed:
        return f"uint{unsigned}"
    bits = max(signed, 2 * unsigned)
    return f"int{bits}" if bits <= 64 else "float64"
