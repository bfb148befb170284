"""Numbers that JSON has no number for, as words."""

from __future__ import annotations

import math
from typing import Any


def nested(element: Any) -> Any:
    """Python numbers, nested in lists, in the way that a Value of the protocol has them."""
    if isinstance(element, list):
        return [nested(item) for item in element]
    if isinstance(element, complex):
        return {"re": nested(element.real), "im": nested(element.imag)}
    if isinstance(element, float) and not math.isfinite(element):
        return "NaN" if math.isnan(element) else "Infinity" if element > 0 else "-Infinity"
    return element
