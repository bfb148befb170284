"""The canonical text of a document: the same graph gives the same text, made for diffs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

WIDTH = 100
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, sort_keys=True).encode


def write(record: Mapping[str, Any]) -> str:
    """Sorted keys, 2-space indent, edges sorted; a node, wire or position starts its own line.

    What fits on a line stays on it, and so does a row of numbers however long.  Floats are
    written so that they come back exactly.
    """
    edges = sorted(record["edges"], key=lambda e: (*e["to"], *e["from"]))
    parts = [
        f"  {_encode(key)}: {_top(edges if key == 'edges' else value)}"
        for key, value in sorted(record.items())
    ]
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _top(value: Any) -> str:
    if isinstance(value, dict | list) and value and not _is_row(value):
        return _broken(value, 2)
    return _encode(value)


def _laid_out(value: Any, indent: int, lead: int) -> str:
    """On one line if it fits behind `lead` characters, else broken; depth is bounded by reading."""
    if not isinstance(value, dict | list) or not value or _is_row(value):
        return _encode(value)
    if _is_small(value):
        line = _encode(value)
        if len(line) + lead <= WIDTH:
            return line
    return _broken(value, indent)


def _is_small(value: Any) -> bool:
    """Whether it has few enough parts to have a chance to fit on a line."""
    parts = [value]
    for part in parts:
        if isinstance(part, dict | list):
            parts += part.values() if isinstance(part, dict) else part
        if len(parts) > WIDTH // 2:
            return False
    return True


def _broken(value: Any, indent: int) -> str:
    inner = " " * (indent + 2)
    if isinstance(value, dict):
        lines = []
        for key, item in sorted(value.items()):
            lead = f"{inner}{_encode(key)}: "
            lines.append(lead + _laid_out(item, indent + 2, len(lead)))
        return "{\n" + ",\n".join(lines) + "\n" + " " * indent + "}"
    lines = [inner + _laid_out(item, indent + 2, len(inner)) for item in value]
    return "[\n" + ",\n".join(lines) + "\n" + " " * indent + "]"


def _is_row(value: Any) -> bool:
    return isinstance(value, list) and not any(isinstance(v, dict | list) for v in value)
