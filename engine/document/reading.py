"""JSON from strangers: bounded in size and depth, without loopholes, copied into plain values."""

from __future__ import annotations

import json
import re
from math import isfinite
from typing import Any

from engine.errors import DocumentError

MAX_CHARACTERS = 4 * 1024 * 1024
MAX_DEPTH = 64
MAX_NUMBERS = 1_000_000
MAX_INTEGER = 2**64
FORBIDDEN_KEYS = frozenset({"__proto__", "constructor", "prototype"})
"""Keys that change what an object is once a browser has read it."""

_SURROGATE = re.compile("[\ud800-\udfff]")


def read(text: str | bytes) -> tuple[Any, int]:
    """The value of a JSON text, and about how long it is; as `plain`.

    Raises DocumentError where the text is not strict JSON or over the limits.
    """
    if len(text) > MAX_CHARACTERS:
        raise too_large(f"{len(text):,} characters")
    try:
        if isinstance(text, bytes):
            text = text.decode("utf-8-sig")
        value = json.loads(text, parse_constant=_constant, object_pairs_hook=_unique)
    except DocumentError:
        raise
    except UnicodeDecodeError as error:
        raise DocumentError(
            "The file is not UTF-8 text.", expected="JSON in UTF-8", hint="Choose a graph file."
        ) from error
    except RecursionError:
        raise _too_deep() from None
    except json.JSONDecodeError as error:
        raise DocumentError(
            f"The text is not JSON: line {error.lineno}, column {error.colno}: {error.msg}.",
            expected="JSON",
        ) from error
    except ValueError as error:  # an integer with more digits than Python reads
        raise _too_large_number() from error
    return plain(value)


def plain(value: Any) -> tuple[Any, int]:
    """A deep copy in dicts, lists, strings and finite numbers, and about how long its text is.

    Raises DocumentError for anything else.  Counts while it copies and stops at the first limit,
    so that a bomb is never unpacked.
    """
    root: list[Any] = [None]
    stack: list[tuple[Any, Any, Any, int]] = [(value, root, 0, 0)]
    numbers = characters = 0
    while stack:
        part, holder, key, depth = stack.pop()
        kind = type(part)
        if kind is str:
            characters += len(part)
            if not part.isascii() and _SURROGATE.search(part):
                raise _half_character()
        elif kind is dict:
            if depth == MAX_DEPTH:
                raise _too_deep()
            characters += 2 * len(part)
            copy: dict[str, Any] = {}
            for name, item in part.items():
                characters += _key(name)
                copy[name] = item
                if type(item) is not bool and item is not None:
                    stack.append((item, copy, name, depth + 1))
            part = copy
        elif kind is list or kind is tuple:
            if depth == MAX_DEPTH:
                raise _too_deep()
            characters += 2 * len(part)
            part = list(part)
            if _PLAIN.issuperset(map(type, part)):
                numbers += len(part)
                for item in part:
                    _number(item)
            else:
                stack.extend((item, part, i, depth + 1) for i, item in enumerate(part))
        elif kind is int or kind is float:
            numbers += 1
            _number(part)
        elif part is not None and kind is not bool:
            raise DocumentError(
                f"A graph holds plain JSON, no {kind.__name__}.",
                expected="an object, list, string, number, true, false or null",
                got=kind.__name__,
            )
        holder[key] = part
        if numbers > MAX_NUMBERS:
            raise DocumentError(
                f"The graph holds more than {MAX_NUMBERS:,} numbers.",
                expected=f"at most {MAX_NUMBERS:,} numbers",
                hint="Keep large data outside the graph.",
            )
        if characters > MAX_CHARACTERS:
            raise too_large(f"more than {MAX_CHARACTERS:,} characters")
    return root[0], characters + 8 * numbers


_PLAIN = frozenset({int, float})


def _number(value: float) -> None:
    if type(value) is int:
        if not -MAX_INTEGER < value < MAX_INTEGER:
            raise _too_large_number()
    elif not isfinite(value):
        raise DocumentError(
            "A graph holds finite numbers only.",
            expected="a finite number",
            got=str(value),
            hint="Make infinities inside the graph, for example 1 / 0.",
        )


def _key(name: Any) -> int:
    if type(name) is not str:
        raise DocumentError(f"The key {name!r} is no string.", expected="a string")
    if name in FORBIDDEN_KEYS:
        raise DocumentError(
            f"{name!r} cannot be a key in a graph.", got=name, hint="Choose another name."
        )
    if not name.isascii() and _SURROGATE.search(name):
        raise _half_character()
    return len(name)


def _constant(name: str) -> Any:
    raise DocumentError(
        f"{name} is no JSON number.", expected="a finite number", got=name,
        hint="Make infinities inside the graph, for example 1 / 0.",
    )  # fmt: skip


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise DocumentError(
            f"An object has the key {twice!r} twice.", expected="each key once", got=twice
        )
    return record


def too_large(got: str) -> DocumentError:
    """The error of a document that is over the limit on text."""
    return DocumentError(
        f"The graph is too large: {got}.",
        expected=f"at most {MAX_CHARACTERS:,} characters",
        got=got,
        hint="Keep large data outside the graph.",
    )


def _too_deep() -> DocumentError:
    return DocumentError(
        f"The graph is nested more than {MAX_DEPTH} levels deep.",
        expected=f"at most {MAX_DEPTH} levels",
    )


def _too_large_number() -> DocumentError:
    return DocumentError(
        "The graph has an integer that does not fit into 64 bits.",
        expected="-2⁶⁴ to 2⁶⁴",
        hint="Write it as a float, for example 1e20.",
    )


def _half_character() -> DocumentError:
    return DocumentError(
        "A text in the graph holds half of a character (a lone surrogate).",
        expected="whole Unicode characters",
    )
