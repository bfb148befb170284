"""Every message of the websocket, declared once.

A request has a name, a line of documentation, the fields it carries and the fields of its reply;
the function of the same name handles it. Every request is acknowledged by `{ok: true, …reply}` or
`{ok: false, error: WireError}`. A push goes from the server to the browser. From these
declarations come the strict check of each request and `static/src/protocol.ts`, which
`python -m app.protocol` writes.
"""

from __future__ import annotations

from dataclasses import dataclass

from app.fields import (
    Bytes,
    Choice,
    Flag,
    Json,
    ListOf,
    MapOf,
    Maybe,
    Number,
    Optional,
    Record,
    Text,
    Whole,
)
from app.shapes import (
    DEVICES,
    END,
    FILM_LAW,
    FILM_PAGE,
    FITS,
    GRAPH_LIST_ITEM,
    ID,
    LAW_NAMES,
    MAX_PAGE_STEPS,
    MAX_PATH,
    MAX_STEPS,
    NAME,
    PATCH,
    REPORT,
    REVISION,
    RUN_INFO,
    RUN_STATE,
    SECONDS,
    SOURCE,
    STEP,
    STEPS_PER_SECOND,
    VALUE,
    VERDICTS,
    Declared,
    record,
)


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
    "For a wire of which one end is given, say of every possible other end why it would not do, "
    "and which cards have a port for it.",
    {
        **GRAPH_ID,
        "from": (Maybe(END), "the out-port that the wire starts at"),
        "to": (Maybe(END), "the in-port that the wire ends at"),
    },
    {
        "verdicts": (VERDICTS, "for every port that the other end could be at"),
        "fits": (FITS, "for every card that is offered"),
    },
)

# --- films --------------------------------------------------------------------------------------

request(
    "film_open",
    "Rewrite a function of the graph as it is now, and keep every step to be played. The graph "
    "itself stays as it is.",
    {
        **GRAPH_ID,
        "function": (Maybe(NAME), "its name, null for the one that is trained, or the main one"),
        "strict": (
            Maybe(Flag()),
            "whether laws that may hide something are left out, null as trained",
        ),
        "exclude": (LAW_NAMES, "laws, tags or phases to leave out"),
        "include": (LAW_NAMES, "laws, tags or phases to use all the same"),
        "stop_after": (Maybe(Text(64)), "the last phase, null for all"),
    },
    {
        "film_id": (ID, "the film, to ask for pages of it"),
        "revision": (REVISION, "the revision of the document that it is of"),
        "function": (NAME, "the function that it is of"),
        "nodes_before": (Whole(), "how many nodes the function has as it was written"),
        "nodes_after": (Whole(), "how many after all steps"),
        "cost_before": (Whole(), "its estimated cost as it was written, in elementary operations"),
        "cost_after": (Whole(), "its estimated cost after all steps"),
        "laws": (ListOf(FILM_LAW), "what each law did"),
        "page": (FILM_PAGE, "the first steps"),
    },
)
request(
    "film_page",
    "Some steps of an open film. It stays that of its revision; it is closed when many others are "
    "opened, when it is opened anew for a changed graph, and when the graph is deleted.",
    {
        "film_id": (ID, "the film"),
        "path": (ListOf(Whole(), MAX_PATH), "the steps inside of which to look, none for the film"),
        "start": (Whole(), "the position of the first step"),
        "count": (Whole(1, MAX_PAGE_STEPS), "how many steps; fewer come where they are very large"),
        "frame": (Flag(), "whether the graph before the first step is wanted"),
    },
    {"page": (FILM_PAGE, "the steps")},
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
