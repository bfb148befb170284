"""The text of an index, as in `0, 1:3, ?`, and the tuple that the indexing ops take."""

from __future__ import annotations

from engine.errors import ParameterError

Entry = int | str | tuple[int | None, int | None, int | None]


def index_of(text: str) -> tuple[Entry, ...]:
    """An entry for each axis: an int, a slice as a triple, "?" for an index that is wired in."""
    return tuple(_entry(part.strip()) for part in text.split(",") if part.strip())


def _entry(part: str) -> Entry:
    if part == "?":
        return part
    bounds = part.split(":")
    try:
        if len(bounds) == 1:
            return int(part)
        if len(bounds) <= 3:
            start, stop, step = [int(b) if b.strip() else None for b in (*bounds, "", "")][:3]
            if step != 0:
                return start, stop, step
    except ValueError:
        pass
    raise ParameterError(
        f"{part!r} is no index.",
        port="index", expected="a whole number, a slice as in 1:3, or ?", got=part,
    )  # fmt: skip
