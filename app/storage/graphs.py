"""Graphs on disk: the newest document of each, and the patches that led there."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, exists, insert, select, update

from app.errors import ConflictError, NotFoundError
from app.storage.database import Database, new_id
from app.storage.tables import graphs, revisions, runs

UNTOUCHED_FOR = 86_400.0


@dataclass(frozen=True)
class StoredGraph:
    """A graph as it is on disk."""

    graph_id: str
    title: str
    name: str
    document: str
    revision: int
    nodes: int
    saved_at: float
    held: bytes | None


COLUMNS = [graphs.c[name] for name in StoredGraph.__dataclass_fields__]


class StoredGraphs:
    """The graphs of a database. Each method is one transaction."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def add(self, *, title: str, name: str, document: str, nodes: int) -> StoredGraph:
        """Store a new graph at revision 0; it is not in the list until it is touched."""
        now = time.time()
        graph = StoredGraph(new_id(), title, name, document, 0, nodes, now, None)
        with self.database.write() as connection:
            connection.execute(insert(graphs).values(**vars(graph), created_at=now, listed=False))
        return graph

    def get(self, graph_id: str) -> StoredGraph:
        """The graph of an id; raises NotFoundError."""
        with self.database.read() as connection:
            row = connection.execute(select(*COLUMNS).where(graphs.c.graph_id == graph_id)).first()
        if row is None:
            raise missing(graph_id)
        return StoredGraph(*row)

    def revise(
        self,
        graph_id: str,
        base_revision: int,
        patches: Sequence[dict[str, Any]],
        *,
        title: str,
        name: str,
        document: str,
        nodes: int,
    ) -> tuple[int, float]:
        """Store the next revision; returns its number and time.

        Raises ConflictError when `base_revision` is not the newest, NotFoundError when the graph
        is gone.
        """
        now = time.time()
        with self.database.write() as connection:
            changed = connection.execute(
                update(graphs)
                .where(graphs.c.graph_id == graph_id, graphs.c.revision == base_revision)
                .values(
                    title=title,
                    name=name,
                    document=document,
                    nodes=nodes,
                    revision=base_revision + 1,
                    listed=True,
                    saved_at=now,
                )
            )
            if changed.rowcount == 0:
                newest = connection.scalar(
                    select(graphs.c.revision).where(graphs.c.graph_id == graph_id)
                )
                if newest is None:
                    raise missing(graph_id)
                raise ConflictError(
                    "The graph has been changed elsewhere in the meantime.",
                    expected=f"revision {newest}",
                    got=f"revision {base_revision}",
                    hint="Open it again and repeat the change.",
                )
            connection.execute(
                insert(revisions).values(
                    graph_id=graph_id,
                    revision=base_revision + 1,
                    patches=json.dumps(patches),
                    made_at=now,
                )
            )
        return base_revision + 1, now

    def hold(self, graph_id: str, held: bytes | None) -> None:
        """Store the values of a graph's shared variables, None for the initial ones."""
        with self.database.write() as connection:
            connection.execute(
                update(graphs).where(graphs.c.graph_id == graph_id).values(held=held, listed=True)
            )

    def listed(self) -> list[StoredGraph]:
        """The graphs that somebody saved, edited or trained, the newest first."""
        slim = [column for column in COLUMNS if column.name not in ("document", "held")]
        with self.database.read() as connection:
            rows = connection.execute(
                select(*slim).where(graphs.c.listed).order_by(graphs.c.saved_at.desc())
            ).all()
        return [StoredGraph(**row._mapping, document="", held=None) for row in rows]

    def delete(self, graph_id: str) -> None:
        """Delete a graph with its revisions and runs; raises NotFoundError."""
        with self.database.write() as connection:
            gone = connection.execute(delete(graphs).where(graphs.c.graph_id == graph_id))
        if gone.rowcount == 0:
            raise missing(graph_id)

    def sweep(self) -> None:
        """Delete copies of gallery graphs that nobody touched for a day."""
        with self.database.write() as connection:
            connection.execute(
                delete(graphs).where(
                    ~graphs.c.listed,
                    graphs.c.created_at < time.time() - UNTOUCHED_FOR,
                    ~exists().where(runs.c.graph_id == graphs.c.graph_id),
                )
            )


def missing(graph_id: str) -> NotFoundError:
    """The error for an id that no graph has."""
    return NotFoundError("There is no such graph on this server.", got=graph_id)
