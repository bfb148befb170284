"""The thread beside each run: from the worker's news and ring to the disk, then to the eyes."""

from __future__ import annotations

import contextlib
import json
import logging
import signal
import threading
import time
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NoAnswerError
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from app import weights
from app.errors import NotFoundError, StorageError
from app.points import NONE, Points, join
from app.process import RING_CAPACITY, WorkerProcess
from engine.errors import EngineError

if TYPE_CHECKING:
    from app.runs import Run, Runs

logger = logging.getLogger("wiregrad")

METRIC = "cost"
TICK_SECONDS = 0.05
ANSWER_SECONDS = 2.0
# How long a worker may take to stop by itself: between two steps, or inside a compiler.
STOP_SECONDS = {"running": 1.5, "paused": 1.5}
COMPILER_STOP_SECONDS = 0.3
KILL_SECONDS = 0.5
RETRY_SECONDS = 1.0
BIG_COMMIT = 250_000
MAX_PENDING = 1_000_000


class RefusedError(EngineError):
    """An error that the worker met, as it reported it."""

    def __init__(self, record: dict[str, Any]) -> None:
        fields = ("node", "port", "expected", "got", "hint")
        super().__init__(record["message"], **{name: record[name] for name in fields})
        self.kind = record["kind"]


class Collector:
    """Drives the worker of one run and keeps its record.

    A point is drained from the ring, committed, and only then shown. When the disk refuses, points
    are kept until it takes them again; meanwhile the ring fills up and the worker waits.
    """

    def __init__(self, run: Run, runs: Runs) -> None:
        self.run = run
        self.runs = runs
        self.now = run.stored
        self.values: dict[str, Any] = {}
        self.rate = 0.0
        self.points: Points = NONE
        self.events: list[dict[str, Any]] = []
        self.changed = False
        self.retry_at = 0.0
        self.ended: str | None = None
        self.stopping = False
        self.tickets: dict[int, Future[str]] = {}
        self.lock = threading.Lock()
        self.worker: WorkerProcess | None = None
        self.thread = threading.Thread(target=self.collect, name=f"run-{run.run_id}", daemon=True)
        self.thread.start()

    # --- asked by others ------------------------------------------------------------------------

    def command(self, command: dict[str, Any]) -> str:
        """Have the worker carry out a command; returns the state after it.

        A worker that is busy compiling answers later; then the state is the one known now.
        Raises RefusedError when the worker refuses.
        """
        answer: Future[str] = Future()
        ticket = id(answer)
        with self.lock:
            self.tickets[ticket] = answer
            worker = self.worker
        if worker is None:
            worker = self.wait_for_worker()
        if worker is not None:
            worker.send({**command, "ticket": ticket})
        try:
            return answer.result(ANSWER_SECONDS)
        except NoAnswerError:
            return self.now.state

    def stop(self, wait: bool = True) -> None:
        """Stop the run: kindly, so that its weights are kept, or by force if it does not react."""
        self.stopping = True
        worker = self.wait_for_worker()
        if worker is None:
            return
        worker.send({"do": "stop", "ticket": 0})
        if wait:
            self.join()

    def join(self) -> None:
        """Wait until the run is over; a worker that was told to stop and does not is killed."""
        self.thread.join(STOP_SECONDS.get(self.now.state, COMPILER_STOP_SECONDS))
        worker = self.worker
        if self.thread.is_alive() and worker is not None and self.ended is None:
            worker.kill(signal.SIGTERM)
            self.thread.join(KILL_SECONDS)
            if self.thread.is_alive():
                worker.kill()
        self.thread.join()

    def wait_for_worker(self) -> WorkerProcess | None:
        """The worker once there is one; None when the run is over before."""
        while self.worker is None and self.thread.is_alive():
            time.sleep(TICK_SECONDS / 5)
        return self.worker

    # --- the thread -----------------------------------------------------------------------------

    def collect(self) -> None:
        """Start the worker, follow it to its end, and leave a complete record."""
        reason = "The server failed at this run; its log says where."
        try:
            worker = self.runs.workers.take(self.now.document)
            worker.send(
                {
                    "do": "train",
                    "document": self.now.document,
                    "steps": self.now.steps,
                    "seed": self.now.seed,
                    "device": self.now.device,
                    **self.now.options,
                }
            )
            self.worker = worker
            self.follow(worker)
            reason = worker.bury()
        except Exception:
            logger.exception("run %s failed", self.run.run_id)
        finally:
            self.finish(reason)
            self.runs.ended(self)

    def follow(self, worker: WorkerProcess) -> None:
        """Listen to the worker until it is gone."""
        patience = TICK_SECONDS
        while True:
            try:
                message = worker.receive(patience)
            except EOFError:
                break
            if message is not None:
                self.hear(message)
            # A ring that fills up fast is emptied again at once.
            busy = self.drain(worker) > RING_CAPACITY // 4
            patience = 0.0 if busy else TICK_SECONDS
            if not busy or len(self.points) > BIG_COMMIT:
                self.store()
        self.drain(worker)

    def hear(self, message: bytes) -> None:
        """Take in one piece of news; after the news of an end come the weights."""
        if self.ended is not None and not message.startswith(b'{"what"'):
            with contextlib.suppress(NotFoundError):
                self.runs.graphs.get(self.now.graph_id).hold(weights.unpack(message))
            return
        news = json.loads(message)
        match news.pop("what"):
            case "state":
                self.values = news.pop("values", self.values)
                self.rate = news.pop("rate", self.rate)
                self.now = replace(self.now, **news)
            case "event":
                self.events.append(news)
            case "answer":
                self.answer(**news)
            case "ended":
                self.ended = news["state"]
                return
            case "failed":
                self.ended = "failed"
                self.now = replace(self.now, reason=news["error"]["message"])
        self.changed = True

    def answer(self, ticket: int, state: str, error: dict[str, Any] | None) -> None:
        """Hand the worker's answer to whoever waits for it."""
        with self.lock:
            waiting = self.tickets.pop(ticket, None)
        if waiting is None:
            return
        if error is not None:
            waiting.set_exception(RefusedError(error))
        else:
            waiting.set_result(state)

    def drain(self, worker: WorkerProcess) -> int:
        """Take new points out of the ring, unless too many wait for the disk; returns how many."""
        if len(self.points) >= MAX_PENDING:
            return 0
        steps, values = worker.block.ring.drain()
        if len(steps):
            self.points = join([self.points, Points(steps, values)])
            step, cost = max(self.now.step, int(steps[-1])), float(values[-1])
            self.now = replace(self.now, step=step, cost=cost)
            self.changed = True
        return len(steps)

    def store(self) -> bool:
        """Commit what is new and show it; False when the disk refuses for now."""
        if not self.changed:
            return True
        if time.monotonic() < self.retry_at:
            return False
        try:
            self.run.storage.record(self.now, METRIC, self.points, self.events)
        except NotFoundError:  # the graph was deleted, and the run with it
            self.changed = False
            return True
        except StorageError as error:
            if not self.retry_at:
                self.runs.notice("error", f"{error.message} The runs wait until it can be.")
            self.retry_at = time.monotonic() + RETRY_SECONDS
            return False
        self.now = replace(self.now, events=[*self.now.events, *self.events])
        self.run.publish(self.now, self.points, self.values, self.rate)
        self.points, self.events, self.changed, self.retry_at = NONE, [], False, 0.0
        self.runs.wake()
        return True

    def finish(self, reason: str) -> None:
        """Store and show how the run ended."""
        state = self.ended or ("stopped" if self.stopping else "failed")
        if state in ("done", "stopped"):
            reason = self.now.reason or ""
        elif self.ended is None:
            reason = f"{reason} after step {self.now.step}."
        else:
            reason = self.now.reason or reason
        self.rate = 0.0
        self.now = replace(self.now, state=state, reason=reason or None, result=self.values)
        self.changed = True
        while not self.store() and not self.runs.closing:
            time.sleep(RETRY_SECONDS / 10)
        with self.lock:
            waiting, self.tickets = list(self.tickets.values()), {}
        for answer in waiting:
            with contextlib.suppress(Exception):
                answer.set_result(state)
