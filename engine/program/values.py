"""Between the numbers that people type in, arrays, and the numbers that people are shown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from engine.errors import ProgramError, ShapeError, TypeMismatchError
from engine.types import COMPLEX, DISCRETE, TensorType, shape_text

Array = np.ndarray[Any, Any]

MAX_SHOWN = 256
"""The most elements of a value that are shown one by one."""

MAX_BYTES = 256 * 2**20
"""The most memory that a single value may take."""

MAX_TOTAL_BYTES = 2**30
"""The most memory that the values of a graph may take together."""


def typed_in(value: Any, type: TensorType) -> Array:
    """The array of a value typed in as a number or nested list.

    Raises TypeMismatchError or ShapeError where it has another rank or shape, is ragged, or does
    not fit into the dtype.
    """
    raw = _regular(value)
    if raw.dtype.kind == "f" and type.dtype == "uint64":
        raw = _exact(value, raw)
    if raw.ndim != type.ndim:
        raise TypeMismatchError(
            f"The value has {_axes(raw.ndim)}, but {type} has {type.ndim}.",
            port="value", expected=_nesting(type.ndim), got=_nesting(raw.ndim),
            hint="Change the value or the shape.",
        )  # fmt: skip
    if any(n not in (None, m) for n, m in zip(type.shape, raw.shape, strict=True)):
        raise ShapeError(
            f"The value has the shape {shape_text(raw.shape)}, not {shape_text(type.shape)}.",
            port="value", expected=shape_text(type.shape), got=shape_text(raw.shape),
            hint="Change the value or the shape.",
        )  # fmt: skip
    return _fitted(raw, type.dtype)


def _regular(value: Any) -> Array:
    try:
        array = np.array(_numbers(value))
    except (ValueError, OverflowError):
        array = None
    if array is None or array.dtype.kind not in "biufc":
        raise ShapeError(
            "The rows of the value are not equally long.",
            port="value", expected="lists of equal length",
            hint="Give every row the same number of entries.",
        )  # fmt: skip
    return array


def _exact(value: Any, raw: Array) -> Array:
    """The value in uint64 if it is of integers that fit: NumPy makes floats of large and small."""
    numbers = np.array(value, object)
    whole = all(type(n) is int and 0 <= n < 2**64 for n in numbers.flat)
    return numbers.astype(np.uint64) if whole else raw


def _numbers(value: Any) -> Any:
    """The nested lists with each {"re", "im"} as a complex number; a document bounds the depth."""
    if isinstance(value, dict):
        return complex(value["re"], value["im"])
    if isinstance(value, list) and any(isinstance(v, dict | list) for v in value):
        return [_numbers(v) for v in value]
    return value


def _fitted(raw: Array, dtype: str) -> Array:
    kind = raw.dtype.kind
    if kind == "c" and dtype not in COMPLEX:
        raise TypeMismatchError(
            f"A complex value does not fit into {dtype}.",
            port="value", expected=dtype, got="a complex number", hint="Use complex128.",
        )  # fmt: skip
    if dtype in DISCRETE and raw.size:
        low, high = (0, 1) if dtype == "bool" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
        whole = kind != "f" or bool(np.all(raw == np.floor(raw)))
        if not whole or int(raw.min()) < low or int(raw.max()) > high:
            raise TypeMismatchError(
                f"The value does not fit into {dtype}.",
                port="value",
                expected=f"whole numbers from {low} to {high}",
                got="a fraction" if not whole else f"{raw.min()} to {raw.max()}",
                hint="Change the value, or choose another dtype.",
            )
    with np.errstate(over="ignore"):
        array = raw.astype(dtype)
    if dtype not in DISCRETE and not np.isfinite(array).all():
        raise TypeMismatchError(
            f"The value is too large for {dtype}.",
            port="value", expected=f"at most {np.finfo(dtype).max:g}", got="a larger number",
            hint="Choose a wider dtype.",
        )  # fmt: skip
    return array


def _axes(ndim: int) -> str:
    return f"{ndim} ax{'i' if ndim == 1 else 'e'}s"


def _nesting(ndim: int) -> str:
    if ndim == 0:
        return "a number"
    return "a list" if ndim == 1 else f"lists nested {ndim} deep"


def initial(
    initialiser: str, type: TensorType, scale: float, seed: Sequence[int], node: str
) -> Array:
    """The first value of a shared variable: the same for the same seed and node, everywhere."""
    shape = tuple(n or 0 for n in type.shape)
    if initialiser in ("zeros", "ones"):
        return np.full(shape, initialiser == "ones", type.dtype)
    key = np.random.SeedSequence([*seed, *node.encode()])
    generator = np.random.Generator(np.random.Philox(key))
    if initialiser == "normal":
        drawn = generator.standard_normal(shape)
        drawn *= scale
    else:
        drawn = generator.random(shape)
        drawn *= 2
        drawn -= 1
        drawn *= scale if initialiser == "uniform" else scale * math.sqrt(6 / max(1, _fans(shape)))
    return drawn.astype(type.dtype, copy=False)


def _fans(shape: tuple[int, ...]) -> int:
    """How many numbers go into and come out of a layer with weights of this shape."""
    if len(shape) < 2:
        return 1 + sum(shape)
    return (shape[0] + shape[1]) * math.prod(shape[2:])


def size(dtype: str, shape: Sequence[int]) -> int:
    """How many bytes a value takes."""
    return np.dtype(dtype).itemsize * math.prod(shape)


def check_size(dtype: str, shape: Sequence[int]) -> int:
    """How many bytes a value takes; ProgramError where that is over the limit."""
    needed = size(dtype, shape)
    if needed > MAX_BYTES:
        raise ProgramError(
            f"A {dtype} value of the shape {shape_text(shape)} takes {bytes_text(needed)}.",
            expected=f"at most {bytes_text(MAX_BYTES)}", got=bytes_text(needed),
            hint="Make it smaller.",
        )  # fmt: skip
    return needed


def bytes_text(n: int) -> str:
    """A size as people read it: 256 MB."""
    amount, units = float(n), ["bytes", "KB", "MB", "GB", "TB"]
    while amount >= 1024 and len(units) > 1:
        amount /= 1024
        units.pop(0)
    return f"{amount:,.3g} {units[0]}" if amount < 1000 else f"{amount:,.0f} {units[0]}"


def shown(array: Array) -> dict[str, Any]:
    """A value as it travels to the canvas: its type, what it is like, and the numbers if few."""
    dtype = array.dtype
    complex_valued = dtype.kind == "c"
    record: dict[str, Any] = {
        "dtype": dtype.name,
        "shape": list(array.shape),
        "data": None,
        "min": None,
        "max": None,
        "mean": None,
        "finite": True,
    }
    if array.size == 0:
        record["data"] = array.tolist()
        return record
    if array.size == 1 and not complex_valued:
        number = array.item()
        finite = math.isfinite(number)
        bounds = number if finite else None
        mean = None if bounds is None else float(bounds)
        record.update(min=bounds, max=bounds, mean=mean, finite=finite)
    elif complex_valued:
        record["finite"] = bool(np.isfinite(array).all())
    else:
        _summarise(array, record)
    if array.size <= MAX_SHOWN:
        plain = array.tolist()
        record["data"] = plain if record["finite"] and not complex_valued else _speakable(plain)
    return record


def _summarise(array: Array, record: dict[str, Any]) -> None:
    """min, max and mean of the finite elements."""
    with np.errstate(all="ignore"):
        total = float(array.sum(dtype="float64"))
        if not math.isfinite(total):
            finite = np.isfinite(array)
            record["finite"] = bool(finite.all())
            array = array[finite]
            if array.size == 0:
                return
            total = float(array.sum(dtype="float64"))
    record["min"], record["max"] = array.min().item(), array.max().item()
    mean = total / array.size
    record["mean"] = mean if math.isfinite(mean) else None


def _speakable(value: Any) -> Any:
    """Nested lists with what JSON has no number for as text, and complex numbers as records."""
    if isinstance(value, list):
        return [_speakable(v) for v in value]
    if isinstance(value, complex):
        return {"re": _speakable(value.real), "im": _speakable(value.imag)}
    if math.isfinite(value):
        return value
    return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
