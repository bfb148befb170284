"""The shapes that messages are made of: each a record with a name, and every field documented."""

from __future__ import annotations

from collections.abc import Mapping

from app.fields import (
    Alias,
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


def record(name: str, doc: str, fields: Declared) -> Record:
    """A shape with a name of its own in TypeScript; each field has its type and its doc line."""
    return Record(
        name,
        doc,
        {field: kind for field, (kind, _) in fields.items()},
        {field: line for field, (_, line) in fields.items()},
    )


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
        "details": (Maybe(Text(4000)), "what only some want to read, such as what an op was given"),
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
        "upcast": (Flag(), "whether its dtype is wider than anybody asked for"),
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
FITS = Alias(
    "Fits",
    "By card: the port of a new node that a wire would join, or null where it has none for it.",
    MapOf(Maybe(PORT)),
)
SOURCE = Either(
    (
        record("GallerySource", "A copy of a gallery graph.", {"gallery": (SLUG, "its name")}),
        record("GraphSource", "A graph kept by this server.", {"graph_id": (ID, "the graph")}),
        record("DocumentSource", "A document from a file.", {"document": (Json(), "its JSON")}),
        record("EmptySource", "A new, empty graph.", {"empty": (Flag(), "always true")}),
    )
)

# --- films --------------------------------------------------------------------------------------

PAGE_STEPS = 50
MAX_PAGE_STEPS = 200
FRAME_NODES = 5_000
MAX_PATH = 8
LAW_NAMES = ListOf(Text(64), 200)

FILM_SOURCE = Either(
    (
        record("FilmLeaf", "A value that is not computed.", {"leaf": (Whole(), "its leaf's id")}),
        record(
            "FilmResult",
            "A value that a node computes.",
            {"node": (Whole(), "the node's id"), "result": (Whole(), "which of its results")},
        ),
    )
)
FILM_TYPE = record(
    "FilmType",
    "The type of a value in a film.",
    {
        "dtype": (Text(), "the dtype's name"),
        "shape": (ListOf(Maybe(Whole()), 32), "the length of each axis, null where unknown"),
        "text": (Text(), "how the type is shown"),
    },
)
FILM_NODE = record(
    "FilmNode",
    "One op applied to inputs, in a film; it is no node of the canvas, but may stem from some.",
    {
        "id": (Whole(), "its number, the same in the whole film"),
        "op": (Text(), "the op's name"),
        "params": (MapOf(Json()), "the op's parameters by name"),
        "inputs": (ListOf(FILM_SOURCE), "what each port reads"),
        "types": (ListOf(FILM_TYPE), "the type of each result"),
        "names": (ListOf(Maybe(Text(4000))), "what people call each result"),
        "origins": (ListOf(NODE_ID), "the canvas nodes that it stems from"),
        "cost": (Whole(), "its estimated cost, in elementary operations"),
    },
)
FILM_VARIABLE = record(
    "FilmVariable",
    "A value that is not computed: an input, a shared variable or a constant.",
    {
        "id": (Whole(), "its number, the same in the whole film"),
        "kind": (Choice(("input", "shared", "constant")), "which of these it is"),
        "name": (Maybe(Text(4000)), "what people call it"),
        "type": (FILM_TYPE, "its type"),
        "data": (Maybe(DATA), "of a small constant its elements, nested"),
        "origins": (ListOf(NODE_ID), "the canvas nodes that it stems from"),
    },
)
FILM_FRAME = record(
    "FilmFrame",
    "A whole graph, between two steps.",
    {
        "nodes": (ListOf(FILM_NODE), "its nodes, by rising id"),
        "outputs": (ListOf(FILM_SOURCE), "where each of its outputs comes from"),
    },
)
FILM_WIRE = record(
    "FilmWire",
    "An input that reads something else from a step on.",
    {
        "reader": (Maybe(Whole()), "the node that reads, null for an output of the graph"),
        "port": (Whole(), "the number of its input, or of the output"),
        "source": (FILM_SOURCE, "what it reads from then on"),
    },
)
FILM_STEP = record(
    "FilmStep",
    "One law applied once: added nodes come, then wires are laid, then removed nodes go.",
    {
        "position": (Whole(), "where in its film it is, from 0"),
        "phase": (Text(), "the law's phase"),
        "rule": (Text(), "the law's name"),
        "why": (Text(4000), "its reason"),
        "tags": (
            ListOf(Text()),
            "what it may hide or show: erases_nan, shows_nan, hides_error; and other marks",
        ),
        "before": (Text(10_000), "what was replaced, as text"),
        "after": (Text(10_000), "its replacement, as text"),
        "before_tex": (Text(10_000), "what was replaced, as TeX"),
        "after_tex": (Text(10_000), "its replacement, as TeX"),
        "old": (FILM_SOURCE, "what was replaced"),
        "new": (FILM_SOURCE, "its replacement"),
        "removed": (ListOf(Whole(), 10**6), "the ids of the nodes that went"),
        "added": (ListOf(FILM_NODE, 10**6), "the nodes that came"),
        "wires": (ListOf(FILM_WIRE, 10**6), "the inputs that were connected anew"),
        "nodes_before": (Whole(), "how many nodes there were"),
        "nodes_after": (Whole(), "how many there are now"),
        "cost_before": (Whole(), "the estimated cost of the graph before"),
        "cost_after": (Whole(), "the estimated cost of the graph now"),
        "seconds": (SECONDS, "how long it took"),
        "inside": (Whole(), "steps inside of it, such as in a loop's body; film_page shows them"),
    },
)
FILM_LAW = record(
    "FilmLaw",
    "What one law did in a film.",
    {
        "phase": (Text(), "its phase"),
        "rule": (Text(), "its name"),
        "why": (Text(4000), "its reason"),
        "tags": (ListOf(Text()), "what it may hide, and other marks"),
        "steps": (Whole(), "how often it was applied, inside of loops too"),
        "nodes": (Whole(-(2**53)), "by how many nodes the graph grew"),
        "cost": (Whole(-(2**53)), "by how much its estimated cost grew"),
        "seconds": (SECONDS, "how long that took"),
    },
)
FILM_PAGE = record(
    "FilmPage",
    "Some steps of a film, complete by themselves.",
    {
        "format": (Text(), "always wiregrad-film"),
        "version": (Whole(), "which form this is"),
        "path": (ListOf(Whole(), MAX_PATH), "the steps inside of which the film is"),
        "length": (Whole(), "how many steps the film has"),
        "total": (Whole(), "how many with those inside of them"),
        "start": (Whole(), "the position of the first step here"),
        "next": (Maybe(Whole()), "the position of the next page, null after the last"),
        "frame": (
            Maybe(FILM_FRAME),
            f"the graph before the first step; null if not wanted or of over {FRAME_NODES:,} nodes",
        ),
        "steps": (ListOf(FILM_STEP), "what happened"),
        "leaves": (ListOf(FILM_VARIABLE, 10**6), "the variables that the frame and steps name"),
        "warnings": (ListOf(Text(4000)), "laws that failed, phases that were cut short"),
    },
)
