"""Runs on disk: how each stands, what was set on the way, and every point of its curve."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from sqlalchemy import func, insert, select, update

from app.errors import NotFoundError
from app.points import Points
from app.storage.database import Database
from app.storage.tables import graphs, metric_chunks, run_events, runs

ACTIVE = ("starting", "compiling", "running", "paused")
LOST = "The server ended while this run was going; what it had recorded is kept."


@dataclass
class StoredRun:
    """A run as it is on disk; the fields are those of RunInfo and its document."""

    run_id: str
    graph_id: str
    title: str
    document: str
    options: dict[str, Any]
    state: str
    step: int
    steps: int
    epoch: int
    seed: int | None
    device: str
    started_at: float
    seconds: float = 0.0
    cost: float | None = None
    reason: str | None = None
    result: dict[str, Any] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)

    @property
    def active(self) -> bool:
        """Whether it has a worker."""
        return self.state in ACTIVE


class StoredRuns:
    """The runs of a database. Each method is one transaction."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def add(self, run: StoredRun) -> None:
        """Store a new run and keep its graph in the list."""
        with self.database.write() as connection:
            connection.execute(
                update(graphs).where(graphs.c.graph_id == run.graph_id).values(listed=True)
            )
            connection.execute(insert(runs).values(**row_of(run)))

    def record(
        self, run: StoredRun, metric: str, points: Points, events: list[dict[str, Any]]
    ) -> None:
        """Store how a run stands, with new points and new events, in one commit."""
        with self.database.write() as connection:
            if len(points):
                connection.execute(insert(metric_chunks).values(chunk(run.run_id, metric, points)))
            known = len(run.events)
            for number, event in enumerate(events, start=known):
                connection.execute(
                    insert(run_events).values(
                        run_id=run.run_id,
                        number=number,
                        step=event["step"],
                        name=event["name"],
                        value=json.dumps(event["value"]),
                    )
                )
            values = row_of(run)
            del values["run_id"], values["document"], values["options"]
            connection.execute(update(runs).where(runs.c.run_id == run.run_id).values(**values))

    def get(self, run_id: str) -> StoredRun:
        """The run of an id; raises NotFoundError."""
        with self.database.read() as connection:
            row = connection.execute(select(runs).where(runs.c.run_id == run_id)).first()
            if row is None:
                raise NotFoundError("There is no such run on this server.", got=run_id)
            return self._load(connection, row)

    def list(self, graph_id: str | None, limit: int = 200) -> list[StoredRun]:
        """The newest runs of one graph or of all, the newest first."""
        query = select(runs).order_by(runs.c.started_at.desc()).limit(limit)
        if graph_id is not None:
            query = query.where(runs.c.graph_id == graph_id)
        with self.database.read() as connection:
            return [self._load(connection, row) for row in connection.execute(query)]

    def points(self, run_id: str, metric: str, after_step: int) -> Iterator[Points]:
        """The stored points beyond a step, chunk by chunk in order."""
        columns = metric_chunks.c
        query = (
            select(columns.first_step, columns.count, columns.steps, columns.points)
            .where(
                columns.run_id == run_id,
                columns.metric == metric,
                columns.last_step > after_step,
            )
            .order_by(columns.last_step)
        )
        with self.database.read() as connection:
            for first, count, steps, values in connection.execute(query).yield_per(64):
                numbers = (
                    np.arange(first, first + count, dtype=np.int64)
                    if steps is None
                    else np.frombuffer(steps, "<i8")
                )
                yield Points(numbers, np.frombuffer(values, "<f8")).after(after_step)

    def lose(self) -> int:
        """Mark the runs that were going when the server died; returns how many there were."""
        with self.database.write() as connection:
            active = connection.scalars(select(runs.c.run_id).where(runs.c.state.in_(ACTIVE))).all()
            for run_id in active:
                last = connection.scalar(
                    select(func.max(metric_chunks.c.last_step)).where(
                        metric_chunks.c.run_id == run_id
                    )
                )
                connection.execute(
                    update(runs)
                    .where(runs.c.run_id == run_id)
                    .values(
                        state="lost",
                        reason=LOST,
                        step=func.max(runs.c.step, last or 0),
                    )
                )
        return len(active)

    @staticmethod
    def _load(connection: Any, row: Any) -> StoredRun:
        values = dict(row._mapping)
        values["options"] = json.loads(values["options"])
        values["result"] = json.loads(values["result"])
        found = connection.execute(
            select(run_events.c.step, run_events.c.name, run_events.c.value)
            .where(run_events.c.run_id == values["run_id"])
            .order_by(run_events.c.number)
        )
        values["events"] = [
            {"step": step, "name": name, "value": json.loads(value)} for step, name, value in found
        ]
        return StoredRun(**values)


def row_of(run: StoredRun) -> dict[str, Any]:
    """The row of the table for a run."""
    values = asdict(run)
    del values["events"]
    values["options"] = json.dumps(values["options"])
    values["result"] = json.dumps(values["result"], allow_nan=False)
    # SQLite keeps NaN as NULL, so that a cost that is not finite is known from its points only.
    if run.cost is not None and not math.isfinite(run.cost):
        values["cost"] = None
    return values


def chunk(run_id: str, metric: str, points: Points) -> dict[str, Any]:
    """The row for some points; consecutive steps need not be written out."""
    first, last = int(points.steps[0]), int(points.steps[-1])
    consecutive = last - first + 1 == len(points)
    return {
        "run_id": run_id,
        "metric": metric,
        "first_step": first,
        "last_step": last,
        "count": len(points),
        "steps": None if consecutive else points.steps.astype("<i8").tobytes(),
        "points": points.values.astype("<f8").tobytes(),
    }
