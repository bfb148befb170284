"""Constants of one element as plain numbers, and back."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from engine.expression import OPS, Constant, Variable
from engine.types import INTEGERS

Number = int | float | complex


def number_of(v: Variable) -> Number | None:
    """The value of a constant that has one element and is finite; None for anything else."""
    if not isinstance(v, Constant) or v.data.size != 1:
        return None
    value: Number = v.data.item()
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int):
        return value
    return value if is_finite(value) else None


def is_finite(value: Number) -> bool:
    """Whether the number is neither infinite nor NaN."""
    return math.isfinite(value.real) and math.isfinite(value.imag)


def fits(value: Number, dtype: str) -> bool:
    """Whether the number is finite in the dtype; integers wrap around."""
    return is_finite(value) and is_finite(wrapped(value, dtype))


def wrapped(value: Number, dtype: str) -> Number:
    """The number as the dtype holds it: integers wrap around, floats are rounded or infinite."""
    if dtype in {"float64", "complex128"}:
        return value
    if dtype not in INTEGERS:
        return _rounded(value, dtype) if value else value
    bounds = np.iinfo(dtype)
    return (int(value.real) - int(bounds.min)) % (1 << bounds.bits) + int(bounds.min)


@lru_cache(1024)
def _rounded(value: Number, dtype: str) -> Number:
    with np.errstate(over="ignore"):
        result: Number = np.array(value).astype(dtype).item()
    return result


def constant(value: Number, dtype: str) -> Constant:
    """The number as a scalar constant of the dtype."""
    return Constant(np.array(wrapped(value, dtype), dtype=dtype))


def like(x: Variable, value: Number) -> Variable:
    """The number in the shape and dtype of x."""
    return OPS["fill"](x, constant(value, x.dtype))
