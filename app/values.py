"""Tensors as the JSON record Value of the protocol."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAX_ELEMENTS = 256


def to_json(value: NDArray[Any]) -> dict[str, Any]:
    """The Value of a tensor of any dtype and shape: its elements if few, and a summary."""
    tensor = np.asarray(value)
    ordered = tensor.size > 0 and tensor.dtype.kind != "c"
    return {
        "dtype": tensor.dtype.name,
        "shape": list(tensor.shape),
        "data": nested(tensor.tolist()) if tensor.size <= MAX_ELEMENTS else None,
        "min": nested(tensor.min().item()) if ordered else None,
        "max": nested(tensor.max().item()) if ordered else None,
        "mean": nested(float(tensor.mean(dtype=np.float64))) if ordered else None,
        "finite": bool(np.isfinite(tensor).all()),
    }


def nested(element: Any) -> Any:
    """Python numbers, nested, with words for what JSON has no number for."""
    if isinstance(element, list):
        return [nested(item) for item in element]
    if isinstance(element, complex):
        return {"re": nested(element.real), "im": nested(element.imag)}
    if isinstance(element, float) and not math.isfinite(element):
        return "NaN" if math.isnan(element) else "Infinity" if element > 0 else "-Infinity"
    return element
