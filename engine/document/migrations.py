"""From every older version of the format to the present one, one pure function for each step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from engine.errors import DocumentError

VERSION = 1

Record = dict[str, Any]

MIGRATIONS: Mapping[int, Callable[[Record], Record]] = {}
"""By version: the same graph in the next version.  A step, once published, never changes."""


def migrate(
    record: Record,
    steps: Mapping[int, Callable[[Record], Record]] = MIGRATIONS,
    newest: int = VERSION,
) -> Record:
    """The record in the newest version; DocumentError where its version is newer or unknown."""
    version = record.get("version")
    if type(version) is not int or version < 1:
        raise DocumentError(
            "The graph does not say which version of the format it has.",
            port="version", expected=f"1 to {newest}", got=repr(version)[:40],
        )  # fmt: skip
    if version > newest:
        raise DocumentError(
            f"This graph was saved by a newer Wiregrad: it has version {version} of the format, "
            f"and this one reads up to {newest}.",
            port="version", expected=f"1 to {newest}", got=str(version),
            hint="Update Wiregrad to open it.",
        )  # fmt: skip
    while version < newest:
        record = steps[version](record)
        version += 1
        record = {**record, "version": version}
    return record
