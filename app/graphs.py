"""The graphs that are open: each with its document, its program and the values it holds now."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from app import weights
from app.errors import ConflictError
from app.storage import StoredGraph, StoredGraphs
from engine import document
from engine.document import Document
from engine.program import Program
from engine.program.values import shown

MAX_OPEN = 32
# What the canvas needs and no value depends on.
APPEARANCE = (["layout"], ["notes"], ["view"], ["title"], ["summary"], ["name"])


class OpenGraph:
    """One graph in memory. Everything here is on disk too, so it may be dropped at any time."""

    def __init__(self, stored: StoredGraph, storage: StoredGraphs) -> None:
        self.graph_id = stored.graph_id
        self.revision = stored.revision
        self.storage = storage
        self.lock = threading.RLock()
        self.document = document.parse(stored.document)
        self.program = Program(self.document)
        # Of shared variables and of optimisers' memories, by id; the program leaves out what does
        # not fit the document any more.
        self.held: dict[str, NDArray[Any]] = weights.unpack(stored.held) if stored.held else {}
        self._report: dict[str, Any] | None = None

    def report(self) -> dict[str, Any]:
        """Types, values and errors as they are now."""
        with self.lock:
            if self._report is None:
                self._report = self.program.report(self.held or None)
            return self._report

    def edit(self, base_revision: int, patches: Sequence[dict[str, Any]]) -> float:
        """Apply patches, all or none, and store the result; returns the time of storing.

        Raises ConflictError when `base_revision` is not the newest one and DocumentError when the
        result would be no document.
        """
        with self.lock:
            if base_revision != self.revision:
                raise ConflictError(
                    "The graph has been changed elsewhere in the meantime.",
                    expected=f"revision {self.revision}",
                    got=f"revision {base_revision}",
                    hint="Open it again and repeat the change.",
                )
            edited = self.document.edit(patches)
            same_meaning = all(patch["path"][:1] in APPEARANCE for patch in patches)
            program = self.program if same_meaning else Program(edited)
            self.revision, saved_at = self.storage.revise(
                self.graph_id, base_revision, patches, **summary(edited)
            )
            before, self.document, self.program = self.document, edited, program
            if not same_meaning:
                self.held = {
                    node: value
                    for node, value in self.held.items()
                    if edited.nodes.get(node) == before.nodes.get(node)
                }
                self._report = None
            return saved_at

    def call(self, function: str | None) -> dict[str, Any]:
        """Call a function once and hold what it updated; returns its outputs as Values by name."""
        with self.lock:
            outputs, state = self.program.call(function, self.held or None)
            self.hold(state)
            return {name: shown(value) for name, value in outputs.items()}

    def hold(self, state: dict[str, NDArray[Any]]) -> None:
        """Take over the values that shared variables and optimisers have now."""
        with self.lock:
            self.storage.hold(self.graph_id, weights.pack(state))
            self.held = state
            self._report = None

    def reset(self) -> None:
        """Put every shared variable back to its initial value."""
        with self.lock:
            self.storage.hold(self.graph_id, None)
            self.held = {}
            self._report = None


class Graphs:
    """All graphs of a server, of which the last used are open."""

    def __init__(self, storage: StoredGraphs) -> None:
        self.storage = storage
        self._open: OrderedDict[str, OpenGraph] = OrderedDict()
        self._lock = threading.Lock()

    def create(self, new: Document) -> OpenGraph:
        """Store a document as a new graph."""
        return self._keep(OpenGraph(self.storage.add(**summary(new)), self.storage))

    def get(self, graph_id: str) -> OpenGraph:
        """The graph of an id, opened if need be; raises NotFoundError."""
        with self._lock:
            graph = self._open.get(graph_id)
            if graph is not None:
                self._open.move_to_end(graph_id)
                return graph
        return self._keep(OpenGraph(self.storage.get(graph_id), self.storage))

    def list(self) -> list[dict[str, Any]]:
        """What graph_list shows of every graph that was touched."""
        shown = ("graph_id", "title", "name", "revision", "saved_at", "nodes")
        return [{name: getattr(stored, name) for name in shown} for stored in self.storage.listed()]

    def delete(self, graph_id: str) -> None:
        """Delete a graph with everything that belongs to it; raises NotFoundError."""
        with self._lock:
            self._open.pop(graph_id, None)
        self.storage.delete(graph_id)

    def _keep(self, graph: OpenGraph) -> OpenGraph:
        """Keep a graph open, unless another thread has just opened the same one."""
        with self._lock:
            kept = self._open.setdefault(graph.graph_id, graph)
            while len(self._open) > MAX_OPEN:
                self._open.popitem(last=False)
            return kept


def summary(content: Document) -> dict[str, Any]:
    """The columns in which the storage keeps a document."""
    return {
        "title": content.title,
        "name": content.name,
        "document": content.text(),
        "nodes": len(content.nodes),
    }
