"""The protocol as TypeScript: `static/src/protocol.ts` is generated from `app.protocol`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from app.fields import Alias, Either, Field, ListOf, MapOf, Maybe, Optional, Pair, Record
from app.protocol import PUSHES, REQUESTS
from app.shapes import SCALAR, WIRE_ERROR

PROTOCOL_TS = Path(__file__).parent.parent / "static" / "src" / "protocol.ts"

HEADER = """\
// Generated from app/protocol.py by `python -m app.protocol`; change it there.
"""
ACK = """\
/** Every request is answered by its reply with `ok: true`, or by an error. */
export type Ack<Reply> = ({ ok: true } & Reply) | { ok: false; error: WireError };
"""


def write() -> Path:
    """Write `static/src/protocol.ts`; returns its path."""
    PROTOCOL_TS.write_text(render(), encoding="utf-8")
    return PROTOCOL_TS


def render() -> str:
    """The whole file: shared shapes first, then each message, then the two tables of names."""
    seen: dict[str, Alias | Record] = {}
    collect(SCALAR, seen)
    collect(WIRE_ERROR, seen)
    for message in REQUESTS.values():
        collect(message.request, seen)
        collect(message.reply, seen)
    for pushed in PUSHES.values():
        collect(pushed.push, seen)
    parts = [HEADER, *(declaration(field) for field in seen.values()), ACK]
    requests = [
        f"  {m.name}: {{ request: {m.request.name}; reply: {m.reply.name} }};"
        for m in REQUESTS.values()
    ]
    parts.append(table("Requests", "Every request by name.", requests))
    pushes = [f"  {p.name}: {p.push.name};" for p in PUSHES.values()]
    parts.append(table("Pushes", "Every push by name.", pushes))
    return "\n".join(parts)


def collect(field: Field, seen: dict[str, Alias | Record]) -> None:
    """Add the named types that a field is made of to `seen`, inner ones first."""
    for inner in parts_of(field):
        collect(inner, seen)
    if isinstance(field, Alias | Record):
        seen.setdefault(field.name, field)


def parts_of(field: Field) -> Iterator[Field]:
    """The fields directly inside a field."""
    match field:
        case Record():
            yield from field.fields.values()
        case Either():
            yield from field.records
        case Alias() | ListOf() | MapOf() | Maybe() | Optional():
            yield field.item
        case Pair():
            yield field.first
            yield field.second


def declaration(field: Alias | Record) -> str:
    """The exported declaration of a named type."""
    if isinstance(field, Record):
        return interface(field)
    return (
        f"/** {field.doc} */\nexport type {field.name} = {field.text or field.item.typescript};\n"
    )


def interface(record: Record) -> str:
    """One exported interface, every field with its doc line."""
    lines = [f"/** {record.doc} */"]
    if not record.fields:
        lines.append(f"export type {record.name} = Record<string, never>;")
        return "\n".join(lines) + "\n"
    lines.append(f"export interface {record.name} {{")
    asked = record.name.endswith("Request") or record.name == "Patch"
    for name, field in record.fields.items():
        optional = isinstance(field, Optional) or (asked and isinstance(field, Maybe))
        lines.append(f"  /** {record.docs[name]} */")
        lines.append(f"  {name}{'?' if optional else ''}: {field.typescript};")
    lines.append("}")
    return "\n".join(lines) + "\n"


def table(name: str, doc: str, lines: list[str]) -> str:
    """An interface that maps message names to their types."""
    return "\n".join([f"/** {doc} */", f"export interface {name} {{", *lines, "}"]) + "\n"
