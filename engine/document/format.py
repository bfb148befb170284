"""The format of a graph document: its form, its limits, and the JSON Schema of both."""

from __future__ import annotations

from typing import Any

from engine.document.forms import (
    Anything,
    Boolean,
    Const,
    Form,
    Integer,
    Listing,
    Number,
    Record,
    Row,
    Table,
    Tagged,
    Text,
)
from engine.document.kinds import KINDS, VALUE, Kind, form_of
from engine.document.migrations import VERSION

MAX_NODES = 10_000
MAX_EDGES = 40_000

_PRINTABLE = r"[^\x00-\x1f\x7f-\x9f\u2028\u2029]"

ID = Text("an id of 1 to 32 letters, digits, _ or -", r"[A-Za-z0-9_-]{1,32}")
PORT = Text("the name of a port", r"[A-Za-z_][A-Za-z0-9_]{0,31}(?:\.[0-9]{1,4})?")
PARAM = Text("the name of a parameter", r"[A-Za-z_][A-Za-z0-9_]{0,31}")
SLUG = Text("1 to 64 small letters, digits or -", r"[a-z0-9-]{1,64}")
NAME = Text("a name of 1 to 64 characters on one line", _PRINTABLE + "{1,64}")
OP = Text("the name of an op", r"[A-Za-z_][A-Za-z0-9_.]{0,63}")
TITLE = Text("a line of at most 200 characters", _PRINTABLE + "{0,200}")
SUMMARY = Text("a line of at most 1,000 characters", _PRINTABLE + "{0,1000}")
NOTE = Text("at most 10,000 characters", r"[^\x00-\x08\x0b-\x1f\x7f]{0,10000}")
POINT = Row((Number(-1e9, 1e9), Number(-1e9, 1e9)))
IDS = Listing(ID, MAX_NODES)


def _node(kind: Kind) -> Form:
    settings = Record({s.name: form_of(s) for s in kind.settings})
    fields: dict[str, Form] = {"kind": Const(kind.name), "name": NAME, "params": settings}
    return Record(fields, required=("kind", "name") if kind.needs_name else ("kind",))


OP_NODE = Record(
    {"kind": Const("op"), "op": OP, "name": NAME, "params": Table(PARAM, Anything(), 100)},
    required=("kind", "op"),
)
NODE = Tagged("kind", {"op": OP_NODE} | {name: _node(kind) for name, kind in KINDS.items()})
END = Row((ID, PORT))
EDGE = Record({"from": END, "to": END}, required=("from", "to"))
FUNCTION = Record({"inputs": IDS, "outputs": IDS, "updates": IDS})
BATCH = Record({"size": Integer(1, 10**9), "shuffle": Boolean(), "inputs": IDS}, required=("size",))
TRAINING = Record(
    {
        "function": NAME,
        "cost": ID,
        "steps": Integer(1, 10**12),
        "batch": BATCH,
        "seed": Integer(0),
        "strict": Boolean(),
    }
)
DOCUMENT = Record(
    {
        "$schema": TITLE,
        "format": Const("wiregrad"),
        "version": Integer(VERSION, VERSION),
        "name": SLUG,
        "title": TITLE,
        "summary": SUMMARY,
        "nodes": Table(ID, NODE, MAX_NODES),
        "edges": Listing(EDGE, MAX_EDGES),
        "blocks": Table(NAME, Anything(), MAX_NODES),
        "functions": Table(NAME, FUNCTION, 100),
        "training": TRAINING,
        "layout": Table(ID, POINT, MAX_NODES),
        "notes": Table(ID, Record({"text": NOTE, "at": POINT}, required=("text",)), 1000),
        "view": Record({"x": Number(), "y": Number(), "zoom": Number(0.001, 1000)}),
    },
    required=("format", "version"),
    extra="x-",
)


def schema() -> dict[str, Any]:
    """The form of a document as JSON Schema 2020-12.

    What a schema cannot say is checked besides: wires join nodes that exist, a port takes one
    wire, functions name nodes of the right kind, and the limits on size and depth.
    """
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Wiregrad graph",
        "description": "A computation graph: typed variables, ops, and the wires between them.",
        **DOCUMENT.schema(),
        "$defs": VALUE.definitions(),
    }
