"""JSON without its loopholes: no NaN, no infinity, no key twice, no half characters."""

from __future__ import annotations

import json
import math
from typing import Any


def loads(text: str | bytes, **_: Any) -> Any:
    """Parse JSON strictly; raises ValueError, or RecursionError when nested too deeply."""
    value = json.loads(
        text,
        parse_constant=_refuse_constant,
        parse_float=_finite,
        object_pairs_hook=_unique,
    )
    if "\\ud" in (text.decode("utf-8") if isinstance(text, bytes) else text).lower():
        json.dumps(value, ensure_ascii=False).encode("utf-8")  # a lone surrogate raises here
    return value


def dumps(value: Any, **options: Any) -> str:
    """Write JSON; raises ValueError for NaN or infinity."""
    return json.dumps(value, allow_nan=False, **options)


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number too large for float64")
    return number


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) != len(pairs):
        raise ValueError("an object has the same key twice")
    if "__proto__" in record:
        raise ValueError("__proto__ is no key")
    return record
