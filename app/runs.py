"""Runs: what everybody may see of them, and the registry that starts and steers them."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from app.collector import METRIC, Collector
from app.errors import StateError
from app.graphs import Graphs, OpenGraph
from app.points import Points, join, merge_all
from app.process import Workers
from app.storage import StoredRun, StoredRuns
from app.storage.database import new_id
from app.values import nested
from engine.program import Program

MAX_TAIL = 1_000_000
FIRST_EPOCH = 1


class Run:
    """What is visible of a run: only what is on disk already."""

    def __init__(self, stored: StoredRun, storage: StoredRuns) -> None:
        self.run_id = stored.run_id
        self.stored = stored
        self.storage = storage
        self.values: dict[str, Any] = stored.result
        self.rate = 0.0
        self.version = 0
        self._lock = threading.Lock()
        # The newest points, for those who follow along; the others read from the disk.
        self._tail: deque[Points] = deque()
        self._tail_length = 0
        self._tail_from: int | None = None

    def publish(
        self, stored: StoredRun, points: Points, values: dict[str, Any], rate: float
    ) -> None:
        """Show what has just been stored."""
        with self._lock:
            self.stored, self.values, self.rate = stored, values, rate
            if len(points):
                if self._tail_from is None:
                    self._tail_from = int(points.steps[0])
                self._tail.append(points)
                self._tail_length += len(points)
                while self._tail_length > MAX_TAIL and len(self._tail) > 1:
                    self._tail_length -= len(self._tail.popleft())
                    self._tail_from = int(self._tail[0].steps[0])
            self.version += 1

    def seen(self) -> tuple[int, StoredRun, dict[str, Any], float]:
        """Version, record, values and speed, all of one moment."""
        with self._lock:
            return self.version, self.stored, self.values, self.rate

    def points(self, after_step: int, width: int) -> Points:
        """The points beyond a step, merged to a width."""
        with self._lock:
            if self._tail_from is not None and after_step >= self._tail_from - 1:
                newest = join(piece.after(after_step) for piece in self._tail)
                return merge_all([newest], width)
        return merge_all(self.storage.points(self.run_id, METRIC, after_step), width)

    def info(self) -> dict[str, Any]:
        """The RunInfo of the protocol."""
        with self._lock:
            fields = asdict(self.stored)
        for name in ("document", "options", "result"):
            del fields[name]
        return {**fields, "cost": nested(fields["cost"]), "metrics": [METRIC]}


class Runs:
    """The runs of a server."""

    def __init__(
        self,
        storage: StoredRuns,
        graphs: Graphs,
        workers: Workers,
        wake: Callable[[], None],
        notice: Callable[[str, str], None],
    ) -> None:
        """`wake` is called when a run has news, `notice` with a level and a message for all."""
        self.storage = storage
        self.graphs = graphs
        self.workers = workers
        self.wake = wake
        self.notice = notice
        self.closing = False
        self._prepared: Program | None = None
        self._active: dict[str, Collector] = {}
        self._lock = threading.Lock()

    def start(
        self,
        graph: OpenGraph,
        *,
        steps: int | None,
        seed: int | None,
        device: str,
        overrides: dict[str, Any],
        steps_per_second: float | None,
        paused: bool,
    ) -> Run:
        """Store a new run and let a worker begin it.

        Raises EngineError when the graph can't be trained, BusyError when too many runs are going.
        """
        with graph.lock:
            spec = graph.program.training
            trained = graph.document
        options = {"overrides": overrides, "steps_per_second": steps_per_second, "paused": paused}
        stored = StoredRun(
            run_id=new_id(),
            graph_id=graph.graph_id,
            title=trained.title,
            document=trained.text(),
            options=options,
            state="starting",
            step=0,
            steps=spec.steps if steps is None else steps,
            epoch=FIRST_EPOCH,
            seed=seed,
            device=device,
            started_at=time.time(),
        )
        self.workers.reserve()
        try:
            self.storage.add(stored)
        except BaseException:
            self.workers.release()
            raise
        run = Run(stored, self.storage)
        with self._lock:
            self._active[run.run_id] = Collector(run, self)
        return run

    def prepare(self, graph: OpenGraph) -> None:
        """Compile a graph in the background that may be trained soon."""
        with graph.lock:
            program, text = graph.program, graph.document.text()
        # Moving a node about makes no new program.
        if program is not self._prepared:
            self._prepared = program
            self.workers.prepare(text)

    def ended(self, collector: Collector) -> None:
        """Forget the collector of a run that is over."""
        with self._lock:
            self._active.pop(collector.run.run_id, None)
        self.workers.release()

    def get(self, run_id: str) -> Run:
        """A run, going or not; raises NotFoundError."""
        with self._lock:
            collector = self._active.get(run_id)
        return collector.run if collector else Run(self.storage.get(run_id), self.storage)

    def list(self, graph_id: str | None) -> list[dict[str, Any]]:
        """The RunInfo of the newest runs."""
        with self._lock:
            active = dict(self._active)
        return [
            active[stored.run_id].run.info()
            if stored.run_id in active
            else Run(stored, self.storage).info()
            for stored in self.storage.list(graph_id)
        ]

    def command(self, run_id: str, command: dict[str, Any]) -> str:
        """Have a run's worker carry out a command; returns the state after it.

        Raises StateError when the run is over, and what the worker answers when it refuses.
        """
        with self._lock:
            collector = self._active.get(run_id)
        if collector is None:
            state = self.storage.get(run_id).state
            raise StateError(
                f"This run is over: {state}.", expected="a run that is going", got=state
            )
        return collector.command(command)

    def control(self, run_id: str, action: str) -> str:
        """Pause, resume, step or stop a run, which for stop may be over; returns its state."""
        if action != "stop":
            return self.command(run_id, {"do": action})
        with self._lock:
            collector = self._active.get(run_id)
        if collector is not None:
            collector.stop()
        return self.get(run_id).stored.state

    def stop_all(self, graph_id: str | None = None) -> None:
        """Stop the runs of one graph or all runs, and wait until what they did is stored."""
        with self._lock:
            found = [
                collector
                for collector in self._active.values()
                if graph_id in (None, collector.run.stored.graph_id)
            ]
        for collector in found:
            collector.stop(wait=False)
        for collector in found:
            collector.join()

    def close(self) -> None:
        """Stop everything."""
        self.closing = True
        self.workers.close()
        self.stop_all()
