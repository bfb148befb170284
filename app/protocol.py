"""Every message of the websocket, declared once.

A request has a name, a line of documentation, the fields it carries and the fields of its reply;
the function of the same name handles it. Every request is acknowledged by `{ok: true, …reply}` or
`{ok: false, error: WireError}`. A push goes from the server to the browser. From these
declarations come the strict check of each request and `static/src/protocol.ts`, which
`python -m app.protocol` writes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from app.fields import (
    Alias,
    Bytes,
    Choice,
    Either,
    Field,
    Flag,
    Json,
    ListOf,
    MapOf,
    Maybe,
    Number,
    Optional,
    Pair,
    Record,
    Text,
    Whole,
)

Declared = Mapping[str, tuple[Field, str]]


@dataclass(frozen=True)
class Request:
    """A message from the browser, and what its acknowledgement carries beside `ok`."""

    name: str
    doc: str
    request: Record
    reply: Record


@dataclass(frozen=True)
class Push:
    """A message from the server that answers no request."""

    name: str
    doc: str
    push: Record


REQUESTS: dict[str, Request] = {}
PUSHES: dict[str, Push] = {}


def record(name: str, doc: str, fields: Declared) -> Record:
    """A shape with a name of its own in TypeScript; each field has its type and its doc line."""
    return Record(
        name,
        doc,
        {field: kind for field, (kind, _) in fields.items()},
        {field: line for field, (_, line) in fields.items()},
    )


def request(name: str, doc: str, fields: Declared, reply: Declared) -> None:
    """Declare a request."""
    title = pascal(name)
    REQUESTS[name] = Request(
        name,
        doc,
        record(title + "Request", doc, fields),
        record(title + "Reply", f"What {name} answers, beside ok.", reply),
    )


def push(name: str, doc: str, fields: Declared) -> None:
    """Declare a push."""
    PUSHES[name] = Push(name, doc, record(pascal(name) + "Push", doc, fields))


def pascal(name: str) -> str:
    """`graph_open` as `GraphOpen`."""
    return "".join(word.capitalize() for word in name.split("_"))


# --- shapes -------------------------------------------------------------------------------------

NODE_ID = Text(32, r"[A-Za-z0-9_-]{1,32}", "the id of a node")
PORT = Text(64)
END = Pair(NODE_ID, PORT)
ID = Text(16, r"[a-z0-9]{16}", "an id that this server gave")
SLUG = Text(64, r"[a-z0-9-]{1,64}", "a name of lower-case letters, digits and dashes")
NAME = Text(200)
REVISION = Whole()
STEP = Whole(-1)
SECONDS = Number()
STEPS_PER_SECOND = Maybe(Number(above=0))
MAX_STEPS = 10**12

SCALAR = Alias(
    "Scalar",
    "An element of a tensor; NaN and the infinities are words, which JSON has no numbers for.",
    Json(),
    "number | boolean | string | { re: number; im: number }",
)
DATA = Alias("Data", "The elements of a tensor, nested.", Json(), "Scalar | Data[]")
STATES = ("starting", "compiling", "running", "paused", "stopped", "done", "failed", "lost")
RUN_STATE = Alias("RunState", "Where a run is in its life.", Choice(STATES))
DEVICES = ("cpu",)

WIRE_ERROR = record(
    "WireError",
    "Why a request failed: where, what was expected, what came and what to do.",
    {
        "kind": (Text(), "the kind of error, such as type, shape, conflict or not-found"),
        "message": (Text(4000), "one sentence for the person"),
        "node": (Maybe(Text()), "the canvas node it belongs to"),
        "port": (Maybe(Text()), "the port of that node"),
        "expected": (Maybe(Text(4000)), "what would have been right"),
        "got": (Maybe(Text(4000)), "what came instead"),
        "hint": (Maybe(Text(4000)), "what to do"),
    },
)
VALUE = record(
    "Value",
    "A tensor, in full when it has at most 256 elements and as a summary otherwise.",
    {
        "dtype": (Text(), "the dtype's name"),
        "shape": (ListOf(Whole(), 32), "the length of each axis"),
        "data": (Maybe(DATA), "the nested elements, or null when there are too many"),
        "min": (Maybe(SCALAR), "the least element, null when empty or complex"),
        "max": (Maybe(SCALAR), "the greatest element, null when empty or complex"),
        "mean": (Maybe(SCALAR), "the mean, null when empty or complex"),
        "finite": (Flag(), "whether no element is NaN or infinite"),
    },
)
TYPE = record(
    "Type",
    "The type of an out-port.",
    {
        "dtype": (Text(), "the dtype's name"),
        "shape": (ListOf(Maybe(Whole()), 32), "the length of each axis, null where unknown"),
        "text": (Text(), "how the type is shown"),
        "upcast": (Flag(), "whether inputs of several dtypes met in it"),
    },
)
NODE_REPORT = record(
    "NodeReport",
    "What is known about one node.",
    {
        "types": (MapOf(TYPE), "the type of each out-port"),
        "values": (MapOf(VALUE), "the value of each out-port, or of the pseudo-port value"),
        "error": (Maybe(WIRE_ERROR), "why the node has no type or value"),
        "warnings": (ListOf(Text(4000)), "what is allowed but worth a look"),
    },
)
FUNCTION_REPORT = record(
    "FunctionReport",
    "What is known about one function.",
    {"ready": (Flag(), "whether it can be called now")},
)
REPORT = record(
    "Report",
    "Types, values and errors of a whole graph as it stands.",
    {
        "nodes": (MapOf(NODE_REPORT), "by node id"),
        "functions": (MapOf(FUNCTION_REPORT), "by function name"),
        "trainable": (Flag(), "whether Train would start"),
        "problem": (Maybe(Text(4000)), "why it would not"),
        "milliseconds": (Number(), "how long the report took"),
    },
)
PATCH = record(
    "Patch",
    "One change of a document: set the value at a path, or remove it when no value is given.",
    {
        "path": (ListOf(Text(200), 64), "the keys from the document's root"),
        "value": (Optional(Json()), "the new value"),
    },
)
RUN_EVENT = record(
    "RunEvent",
    "A value that was set while a run was going.",
    {
        "step": (Whole(), "the number of steps done before it took effect"),
        "name": (Text(), "the input that was set"),
        "value": (Json(), "its value from then on"),
    },
)
RUN_INFO = record(
    "RunInfo",
    "A run and how it stands.",
    {
        "run_id": (ID, "the run"),
        "graph_id": (ID, "the graph it trains"),
        "title": (Text(), "the graph's title when it started"),
        "state": (RUN_STATE, "where it is in its life"),
        "step": (Whole(), "steps done"),
        "steps": (Whole(), "steps to do"),
        "epoch": (Whole(), "changes when the recorded points are not a continuation"),
        "seed": (Maybe(Whole()), "the seed it was started with, null for the graph's own"),
        "device": (Choice(DEVICES), "where it computes"),
        "started_at": (Number(), "when, in seconds since 1970"),
        "seconds": (SECONDS, "how long it has trained, without compiling and pauses"),
        "cost": (Maybe(SCALAR), "the newest cost"),
        "reason": (Maybe(Text(4000)), "why it ended, when not by being done"),
        "metrics": (ListOf(Text()), "the names of its curves"),
        "events": (ListOf(RUN_EVENT), "what was set on the way"),
    },
)
GRAPH_LIST_ITEM = record(
    "GraphListItem",
    "A graph in the list of graphs.",
    {
        "graph_id": (ID, "the graph"),
        "title": (Text(), "its title"),
        "name": (Text(), "its name"),
        "revision": (REVISION, "its newest revision"),
        "saved_at": (Number(), "when it last changed, in seconds since 1970"),
        "nodes": (Whole(), "how many nodes it has"),
    },
)
VERDICTS = Alias(
    "Verdicts",
    "By node and port: null where a wire fits, or why not.",
    MapOf(MapOf(Maybe(Text(4000)))),
)
SOURCE = Either(
    (
        record("GallerySource", "A copy of a gallery graph.", {"gallery": (SLUG, "its name")}),
        record("GraphSource", "A graph kept by this server.", {"graph_id": (ID, "the graph")}),
        record("DocumentSource", "A document from a file.", {"document": (Json(), "its JSON")}),
        record("EmptySource", "A new, empty graph.", {"empty": (Flag(), "always true")}),
    )
)

# --- graphs -------------------------------------------------------------------------------------

GRAPH_ID = {"graph_id": (ID, "the graph")}

request(
    "graph_open",
    "Open a graph: a copy from the gallery, a stored one, a document from a file, or an empty one.",
    {"source": (SOURCE, "where it comes from")},
    {
        **GRAPH_ID,
        "revision": (REVISION, "the revision of the document"),
        "document": (Json(), "the graph document"),
        "report": (REPORT, "its types and values"),
    },
)
request(
    "graph_edit",
    "Change a document; the change is stored before it is acknowledged. An edit of a revision "
    "that is not the newest is refused as a conflict.",
    {
        **GRAPH_ID,
        "base_revision": (REVISION, "the revision that the patches were made on"),
        "patches": (ListOf(PATCH), "the changes, all or none"),
    },
    {
        "revision": (REVISION, "the new revision"),
        "report": (REPORT, "types and values after the change"),
    },
)
request(
    "graph_list",
    "The graphs that were saved or edited, the newest first.",
    {},
    {"graphs": (ListOf(GRAPH_LIST_ITEM), "the graphs")},
)
request(
    "graph_save",
    "Give a graph a title and keep it in the list.",
    {**GRAPH_ID, "title": (Text(200, r"(?s).*\S.*", "a title"), "its title from now on")},
    {
        "revision": (REVISION, "the new revision"),
        "saved_at": (Number(), "when, in seconds since 1970"),
    },
)
request("graph_delete", "Delete a graph with its revisions and runs.", GRAPH_ID, {})
request(
    "graph_call",
    "Call a function of the graph once: its outputs are computed, then its updates applied.",
    {**GRAPH_ID, "function": (Maybe(NAME), "its name, null for the only or main one")},
    {
        "outputs": (MapOf(VALUE), "the outputs by name"),
        "report": (REPORT, "types and values after the updates"),
    },
)
request(
    "graph_reset",
    "Put the shared variables of a graph back to their initial values.",
    GRAPH_ID,
    {"report": (REPORT, "types and values after the reset")},
)
request(
    "wire_check",
    "For a wire of which one end is given, say of every possible other end why it would not do.",
    {
        **GRAPH_ID,
        "from": (Maybe(END), "the out-port that the wire starts at"),
        "to": (Maybe(END), "the in-port that the wire ends at"),
    },
    {
        "verdicts": (VERDICTS, "for every port that the other end could be at"),
    },
)

# --- runs ---------------------------------------------------------------------------------------

RUN_ID = {"run_id": (ID, "the run")}

request(
    "run_start",
    "Train a graph in a process of its own, from its initial values.",
    {
        **GRAPH_ID,
        "steps": (Maybe(Whole(1, MAX_STEPS)), "how many steps, null for the document's own number"),
        "seed": (Maybe(Whole()), "the seed, null for the document's own"),
        "device": (Choice(DEVICES), "where to compute"),
        "set": (MapOf(Json()), "values of inputs by name, instead of the document's"),
        "steps_per_second": (STEPS_PER_SECOND, "the speed, null for as fast as it goes"),
        "paused": (Optional(Flag()), "whether to wait at step 0 for step or resume"),
    },
    {"run": (RUN_INFO, "the new run")},
)
request(
    "run_control",
    "Pause, resume, single-step or stop a run.",
    {**RUN_ID, "action": (Choice(("pause", "resume", "step", "stop")), "what to do")},
    {"state": (RUN_STATE, "the state of the run when the command was taken")},
)
request(
    "run_speed",
    "Change the speed of a run.",
    {**RUN_ID, "steps_per_second": (STEPS_PER_SECOND, "null for as fast as it goes")},
    {},
)
request(
    "run_set",
    "Set an input of a run, such as its learning rate, between two steps.",
    {**RUN_ID, "name": (NAME, "the input's name"), "value": (Json(), "a number or nested list")},
    {},
)
request(
    "run_subscribe",
    "Receive the frames of a run from a step on: -1 for all, else the last step one has. "
    "When the epoch is not the run's own, everything is sent again.",
    {
        **RUN_ID,
        "after_step": (STEP, "the last step that the client has"),
        "epoch": (Whole(), "the epoch that step belongs to, 0 if none"),
        "width": (Whole(2, 20_000), "how many pixels wide the chart is"),
    },
    {"run": (RUN_INFO, "the run as it stands")},
)
request("run_unsubscribe", "Receive no more frames of a run.", RUN_ID, {})
request(
    "run_list",
    "The runs of one graph or of all, the newest first.",
    {"graph_id": (Maybe(ID), "the graph, null for all")},
    {"runs": (ListOf(RUN_INFO), "the runs")},
)

# --- pushes -------------------------------------------------------------------------------------

push(
    "run_frame",
    "News of a run: the points since the last frame, merged to the subscriber's width, and the "
    "values that changed. The client acknowledges it and only then gets the next.",
    {
        **RUN_ID,
        "epoch": (Whole(), "the epoch of the points"),
        "state": (RUN_STATE, "the state of the run"),
        "step": (Whole(), "steps done"),
        "steps": (Whole(), "steps to do"),
        "seconds": (SECONDS, "how long it has trained"),
        "steps_per_second": (Number(), "how fast it went lately, 0 when it did not"),
        "metric": (Text(), "the curve that the points belong to"),
        "points": (Bytes(), "little-endian float64 pairs of step and value, steps rising"),
        "values": (MapOf(VALUE), "by node id, the outputs and shared variables that changed"),
        "reason": (Maybe(Text(4000)), "why it ended, when not by being done"),
    },
)
push(
    "server_notice",
    "Something that everybody should know, such as a server that stops or a disk that is full.",
    {
        "level": (Choice(("info", "warning", "error")), "how bad it is"),
        "message": (Text(4000), "one sentence"),
    },
)


if __name__ == "__main__":
    from app.typescript import write

    print(write())
