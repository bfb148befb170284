"""The text of an index, as in `0, 1:3, ?`, and the tuple that the indexing ops take."""

from __future__ import annotations

from engine.errors import ParameterError
from engine.ops.index import REST, WIRED, Bound, Entry

NEW = ("new", "None")
"""How a new axis is written."""


def index_of(text: str) -> tuple[Entry, ...]:
    """The entries of an index that is written as in Python.

    They are whole numbers, slices such as `1:3` and `::-1`, `...` for all axes between, `new` or
    `None` for a new axis of length 1, and `?` for an index or a bound that is wired in.
    Raises ParameterError, which names the part that is none of these.
    """
    return tuple(_entry(part.strip()) for part in text.split(",") if part.strip())


def _entry(part: str) -> Entry:
    if part in (WIRED, REST):
        return part
    if part in NEW:
        return None
    bounds = part.split(":")
    try:
        if len(bounds) == 1:
            return int(part)
        if len(bounds) <= 3:
            start, stop, step = (_bound(b.strip()) for b in (*bounds, "", "")[:3])
            if step != 0:
                return start, stop, step
    except ValueError:
        pass
    raise ParameterError(
        f"{part!r} is no index.",
        port="index", expected="a whole number, a slice as in 1:3, ?, ..., or new", got=part,
        hint="Write what is taken of each axis, as in 0, 1:3, ::-1, ?.",
    )  # fmt: skip


def _bound(text: str) -> Bound:
    if text == WIRED:
        return text
    return int(text) if text else None
