"""Forms of JSON values: each is declared once, checks values and states itself as JSON Schema."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

Schema = dict[str, Any]

MAX_INTEGER = 2**53 - 1
"""The largest integer that every JSON reader keeps exact."""


class MisfitError(Exception):
    """A value that does not have its form.

    path: the keys that lead to it, innermost first; each level adds its own on the way out, so
    that checking what fits costs nothing for it.
    """

    def __init__(self, message: str, expected: str | None = None, got: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.expected = expected
        self.got = got
        self.path: list[str] = []


def misfit(expected: str, value: Any) -> MisfitError:
    """The MisfitError of a value that is something else than expected."""
    got = described(value)
    return MisfitError(f"expected {expected}, got {got}", expected, got)


def described(value: Any) -> str:
    """A JSON value in a few words, fit for a sentence."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case dict():
            return "an object"
        case list():
            return "a list" if value else "an empty list"
        case str():
            return repr(value if len(value) <= 40 else value[:40] + "…")
        case _:
            return f"{value:.6g}" if isinstance(value, float) else str(value)[:40]


class Form(Protocol):
    """A set of JSON values."""

    def check(self, value: Any) -> None:
        """Raise MisfitError if the value is not in the set."""

    def schema(self) -> Schema:
        """The same set as JSON Schema 2020-12."""


@dataclass(frozen=True)
class Anything:
    """Any JSON value."""

    def check(self, value: Any) -> None:
        return

    def schema(self) -> Schema:
        return {}


@dataclass(frozen=True)
class Boolean:
    """true or false."""

    def check(self, value: Any) -> None:
        if type(value) is not bool:
            raise misfit("true or false", value)

    def schema(self) -> Schema:
        return {"type": "boolean"}


@dataclass(frozen=True)
class Integer:
    """A whole number within bounds, both included."""

    min: int = -MAX_INTEGER
    max: int = MAX_INTEGER

    def check(self, value: Any) -> None:
        if type(value) is not int:
            raise misfit("a whole number", value)
        if not self.min <= value <= self.max:
            raise misfit(f"a whole number from {self.min} to {self.max}", value)

    def schema(self) -> Schema:
        return {"type": "integer", "minimum": self.min, "maximum": self.max}


@dataclass(frozen=True)
class Number:
    """A number within bounds, both included."""

    min: float | None = None
    max: float | None = None

    def check(self, value: Any) -> None:
        if type(value) is not float and type(value) is not int:
            raise misfit("a number", value)
        if self.min is not None and value < self.min:
            raise misfit(f"a number of at least {self.min:g}", value)
        if self.max is not None and value > self.max:
            raise misfit(f"a number of at most {self.max:g}", value)

    def schema(self) -> Schema:
        bounds = {"minimum": self.min, "maximum": self.max}
        return {"type": "number", **{k: v for k, v in bounds.items() if v is not None}}


@dataclass(frozen=True)
class Text:
    """A string that the pattern matches as a whole; `what` says in words what it is."""

    what: str
    pattern: str
    _regex: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_regex", re.compile(self.pattern))

    def check(self, value: Any) -> None:
        if type(value) is not str or self._regex.fullmatch(value) is None:
            raise misfit(self.what, value)

    def schema(self) -> Schema:
        return {"type": "string", "pattern": f"^(?:{self.pattern})$"}


@dataclass(frozen=True)
class Choice:
    """One of a few strings."""

    values: tuple[str, ...]

    def check(self, value: Any) -> None:
        if type(value) is not str or value not in self.values:
            raise misfit(" or ".join(self.values), value)

    def schema(self) -> Schema:
        return {"enum": list(self.values)}


@dataclass(frozen=True)
class Const:
    """Exactly one string."""

    value: str

    def check(self, value: Any) -> None:
        if value != self.value:
            raise misfit(repr(self.value), value)

    def schema(self) -> Schema:
        return {"const": self.value}


@dataclass(frozen=True)
class Either:
    """A value of the first form or of the second; the second speaks where neither fits."""

    first: Form
    second: Form

    def check(self, value: Any) -> None:
        try:
            self.first.check(value)
        except MisfitError:
            self.second.check(value)

    def schema(self) -> Schema:
        return {"anyOf": [self.first.schema(), self.second.schema()]}


@dataclass(frozen=True)
class Nullable:
    """A value of the form, or null."""

    form: Form

    def check(self, value: Any) -> None:
        if value is not None:
            self.form.check(value)

    def schema(self) -> Schema:
        return {"anyOf": [{"type": "null"}, self.form.schema()]}


@dataclass(frozen=True)
class Listing:
    """A list of values of one form."""

    form: Form
    max: int

    def check(self, value: Any) -> None:
        if type(value) is not list:
            raise misfit("a list", value)
        if len(value) > self.max:
            raise misfit(f"at most {self.max} entries", f"{len(value)} entries")
        check = self.form.check
        for i, item in enumerate(value):
            try:
                check(item)
            except MisfitError as error:
                error.path.append(str(i))
                raise

    def schema(self) -> Schema:
        return {"type": "array", "items": self.form.schema(), "maxItems": self.max}


@dataclass(frozen=True)
class Row:
    """A list of a fixed length, each entry with its own form."""

    forms: tuple[Form, ...]

    def check(self, value: Any) -> None:
        if type(value) is not list or len(value) != len(self.forms):
            raise misfit(f"a list of {len(self.forms)}", value)
        for i, form in enumerate(self.forms):
            try:
                form.check(value[i])
            except MisfitError as error:
                error.path.append(str(i))
                raise

    def schema(self) -> Schema:
        return {
            "type": "array",
            "prefixItems": [form.schema() for form in self.forms],
            "items": False,
            "minItems": len(self.forms),
        }


@dataclass(frozen=True)
class Table:
    """An object with any keys of one form and values of another."""

    key: Text
    form: Form
    max: int

    def check(self, value: Any) -> None:
        if type(value) is not dict:
            raise misfit("an object", value)
        if len(value) > self.max:
            raise misfit(f"at most {self.max} entries", f"{len(value)} entries")
        key_check, check = self.key.check, self.form.check
        for key, item in value.items():
            try:
                key_check(key)
                check(item)
            except MisfitError as error:
                error.path.append(str(key))
                raise

    def schema(self) -> Schema:
        return {
            "type": "object",
            "propertyNames": self.key.schema(),
            "additionalProperties": self.form.schema(),
            "maxProperties": self.max,
        }


@dataclass(frozen=True)
class Record:
    """An object with known keys; `extra` is a prefix of further keys that are let through."""

    fields: Mapping[str, Form]
    required: tuple[str, ...] = ()
    extra: str | None = None

    def check(self, value: Any) -> None:
        if type(value) is not dict:
            raise misfit("an object", value)
        for key in self.required:
            if key not in value:
                raise MisfitError(f"{key!r} is missing", key, "nothing")
        for key, item in value.items():
            form = self.fields.get(key)
            if form is None:
                if self.extra is not None and key.startswith(self.extra):
                    continue
                known = ", ".join(self.fields) or "nothing"
                raise MisfitError(f"{key!r} is unknown here", known, key)
            try:
                form.check(item)
            except MisfitError as error:
                error.path.append(key)
                raise

    def schema(self) -> Schema:
        out: Schema = {
            "type": "object",
            "properties": {key: form.schema() for key, form in self.fields.items()},
            "required": list(self.required),
            "additionalProperties": False,
        }
        if self.extra is not None:
            out["patternProperties"] = {f"^{re.escape(self.extra)}": {}}
        return out


@dataclass(frozen=True)
class Tagged:
    """An object whose form is chosen by one of its keys."""

    tag: str
    forms: Mapping[str, Form]

    def check(self, value: Any) -> None:
        if type(value) is not dict:
            raise misfit("an object", value)
        if self.tag not in value:
            raise MisfitError(f"{self.tag!r} is missing", self.tag, "nothing")
        tag = value[self.tag]
        form = self.forms.get(tag) if type(tag) is str else None
        if form is None:
            error = misfit(" or ".join(self.forms), tag)
            error.path.append(self.tag)
            raise error
        form.check(value)

    def schema(self) -> Schema:
        return {"oneOf": [form.schema() for form in self.forms.values()]}


COMPLEX = Record({"re": Number(), "im": Number()}, required=("re", "im"))


@dataclass(frozen=True)
class Tensor:
    """A number, true, false, {"re", "im"}, or a nested list of them; no deeper than `rank`."""

    rank: int

    def check(self, value: Any) -> None:
        stack: list[tuple[Any, int]] = [(value, 0)]
        while stack:
            part, depth = stack.pop()
            if type(part) is list:
                if depth == self.rank:
                    raise MisfitError(
                        f"expected at most {self.rank} nested lists, got more",
                        f"rank {self.rank} at most",
                        "a higher rank",
                    )
                if not _NUMBERS.issuperset(map(type, part)):
                    stack.extend((item, depth + 1) for item in reversed(part))
            elif type(part) is dict:
                COMPLEX.check(part)
            elif type(part) not in _NUMBERS:
                raise misfit("a number or a nested list of numbers", part)

    def schema(self) -> Schema:
        return {"$ref": f"#/$defs/tensor{self.rank}"}

    def definitions(self) -> Schema:
        """The schemas of this rank and of all lower ones, which refer to each other."""
        out: Schema = {"tensor0": {"anyOf": [{"type": ["number", "boolean"]}, COMPLEX.schema()]}}
        for rank in range(1, self.rank + 1):
            rows = {"type": "array", "items": {"$ref": f"#/$defs/tensor{rank - 1}"}}
            out[f"tensor{rank}"] = {"anyOf": [{"$ref": "#/$defs/tensor0"}, rows]}
        return out


_NUMBERS = frozenset({int, float, bool})
