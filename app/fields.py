"""Types of message fields: each checks a JSON value strictly and names itself in TypeScript.

A field is declared once, as a value of one of these classes. `check` returns the value it was
given or raises RequestError, which says where the value is, what was expected and what came.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from app.errors import RequestError

MAX_SHOWN = 60


class Field(Protocol):
    """What every type of field can do."""

    @property
    def typescript(self) -> str:
        """The field's type in TypeScript."""

    def check(self, value: Any, where: str) -> Any:
        """Return `value` if it is of this type; raises RequestError otherwise."""


def refuse(where: str, expected: str, value: Any) -> RequestError:
    """The error for a value that is not what its declaration says."""
    got = repr(value)
    if len(got) > MAX_SHOWN:
        got = got[:MAX_SHOWN] + "…"
    return RequestError(f"{where} must be {expected}, not {got}.", expected=expected, got=got)


@dataclass(frozen=True)
class Text:
    """A string of bounded length, optionally of a pattern that has a name."""

    most: int = 200
    pattern: str | None = None
    called: str | None = None

    @property
    def typescript(self) -> str:
        return "string"

    def check(self, value: Any, where: str) -> str:
        expected = self.called or f"a text of at most {self.most} characters"
        if not isinstance(value, str) or len(value) > self.most:
            raise refuse(where, expected, value)
        if self.pattern is not None and not re.fullmatch(self.pattern, value):
            raise refuse(where, expected, value)
        return value


@dataclass(frozen=True)
class Choice:
    """One of a few words."""

    words: tuple[str, ...]

    @property
    def typescript(self) -> str:
        return " | ".join(f'"{word}"' for word in self.words)

    def check(self, value: Any, where: str) -> str:
        if not isinstance(value, str) or value not in self.words:
            raise refuse(where, "one of " + ", ".join(self.words), value)
        return value


@dataclass(frozen=True)
class Whole:
    """A whole number between two bounds; `true` is none."""

    least: int = 0
    most: int = 2**53 - 1

    @property
    def typescript(self) -> str:
        return "number"

    def check(self, value: Any, where: str) -> int:
        if type(value) is not int or not self.least <= value <= self.most:
            raise refuse(where, f"a whole number from {self.least} to {self.most}", value)
        return value


@dataclass(frozen=True)
class Number:
    """A finite number, above `above` where that is given."""

    above: float | None = None

    @property
    def typescript(self) -> str:
        return "number"

    def check(self, value: Any, where: str) -> float:
        expected = "a finite number" if self.above is None else f"a number above {self.above:g}"
        if type(value) not in (int, float):
            raise refuse(where, expected, value)
        try:
            number = float(value)
        except OverflowError:
            raise refuse(where, expected, value) from None
        if not math.isfinite(number) or (self.above is not None and number <= self.above):
            raise refuse(where, expected, value)
        return number


@dataclass(frozen=True)
class Flag:
    """True or false."""

    @property
    def typescript(self) -> str:
        return "boolean"

    def check(self, value: Any, where: str) -> bool:
        if type(value) is not bool:
            raise refuse(where, "true or false", value)
        return value


@dataclass(frozen=True)
class Bytes:
    """A binary attachment; only the server sends these."""

    @property
    def typescript(self) -> str:
        return "ArrayBuffer"

    def check(self, value: Any, where: str) -> bytes:
        if not isinstance(value, bytes):
            raise refuse(where, "bytes", value)
        return value


@dataclass(frozen=True)
class Json:
    """Any JSON value; its meaning is checked by the engine."""

    @property
    def typescript(self) -> str:
        return "unknown"

    def check(self, value: Any, where: str) -> Any:
        return value


@dataclass(frozen=True)
class ListOf:
    """A list of bounded length of one type."""

    item: Field
    most: int = 10_000

    @property
    def typescript(self) -> str:
        inner = self.item.typescript
        return f"({inner})[]" if " " in inner else f"{inner}[]"

    def check(self, value: Any, where: str) -> list[Any]:
        if not isinstance(value, list) or len(value) > self.most:
            raise refuse(where, f"a list of at most {self.most} items", value)
        return [self.item.check(item, f"{where}[{i}]") for i, item in enumerate(value)]


@dataclass(frozen=True)
class Pair:
    """A list of exactly two values of given types."""

    first: Field
    second: Field

    @property
    def typescript(self) -> str:
        return f"[{self.first.typescript}, {self.second.typescript}]"

    def check(self, value: Any, where: str) -> list[Any]:
        if not isinstance(value, list) or len(value) != 2:
            raise refuse(where, "a list of two", value)
        return [
            self.first.check(value[0], f"{where}[0]"),
            self.second.check(value[1], f"{where}[1]"),
        ]


@dataclass(frozen=True)
class MapOf:
    """An object with free keys of bounded length and number, and values of one type."""

    item: Field
    most: int = 10_000
    longest_key: int = 200

    @property
    def typescript(self) -> str:
        return f"Record<string, {self.item.typescript}>"

    def check(self, value: Any, where: str) -> dict[str, Any]:
        if not isinstance(value, dict) or len(value) > self.most:
            raise refuse(where, f"an object of at most {self.most} entries", value)
        key = Text(self.longest_key)
        return {
            key.check(name, f"a key of {where}"): self.item.check(item, f"{where}.{name}")
            for name, item in value.items()
        }


@dataclass(frozen=True)
class Maybe:
    """A value or null; in a request it may also be left out, which is null too."""

    item: Field

    @property
    def typescript(self) -> str:
        return f"{self.item.typescript} | null"

    def check(self, value: Any, where: str) -> Any:
        return None if value is None else self.item.check(value, where)


@dataclass(frozen=True)
class Optional:
    """A key that may be left out, which is not the same as null."""

    item: Field

    @property
    def typescript(self) -> str:
        return self.item.typescript

    def check(self, value: Any, where: str) -> Any:
        return self.item.check(value, where)


@dataclass(frozen=True)
class Alias:
    """Another type under a name of its own; `text` is its TypeScript where that says more."""

    name: str
    doc: str
    item: Field
    text: str | None = None

    @property
    def typescript(self) -> str:
        return self.name

    def check(self, value: Any, where: str) -> Any:
        return self.item.check(value, where)


@dataclass(frozen=True)
class Record:
    """An object with declared fields and no others; `docs` has one line for each of them."""

    name: str
    doc: str
    fields: Mapping[str, Field]
    docs: Mapping[str, str]

    @property
    def typescript(self) -> str:
        return self.name

    def check(self, value: Any, where: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise refuse(where, "an object", value)
        for name in value:
            if name not in self.fields:
                known = ", ".join(self.fields) or "no field at all"
                raise RequestError(
                    f"{where} has a field that is not declared.",
                    expected=known,
                    got=repr(name)[:80],
                )
        checked: dict[str, Any] = {}
        for name, field in self.fields.items():
            if name in value:
                checked[name] = field.check(value[name], f"{where}.{name}")
            elif isinstance(field, Maybe):
                checked[name] = None
            elif not isinstance(field, Optional):
                raise RequestError(f"{where} lacks the field {name}.", expected=name)
        return checked


@dataclass(frozen=True)
class Either:
    """One of several records, told apart by the fields they have."""

    records: Sequence[Record]

    @property
    def typescript(self) -> str:
        return " | ".join(record.typescript for record in self.records)

    def check(self, value: Any, where: str) -> dict[str, Any]:
        if isinstance(value, dict):
            for record in self.records:
                if set(value) == set(record.fields):
                    return record.check(value, where)
        forms = " or ".join("{" + ", ".join(record.fields) + "}" for record in self.records)
        raise refuse(where, forms, value)
