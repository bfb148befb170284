"""The live stream: each subscriber gets a run's news at its own pace, and misses nothing.

What waits for a slow client is not a queue but a cursor: the last step that it was sent. The next
frame is made when it has acknowledged the last one, from everything since.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from app.runs import Run

logger = logging.getLogger("wiregrad")

FRAME_SECONDS = 0.05
LAST_SECONDS = 1.0
"""How long a server that ends waits for clients to take the last news."""
FROM_THE_START = -1

Send = Callable[[str, dict[str, Any], str, Callable[..., None]], None]


class Subscription:
    """One client's place in one run."""

    def __init__(self, sid: str, run: Run, after_step: int, width: int) -> None:
        self.sid = sid
        self.run = run
        self.cursor = after_step
        self.width = width
        self.version: int | None = None
        self.awaited = False
        self.values: dict[str, Any] = {}

    def ready(self) -> bool:
        """Whether there is news, and the client has taken the last frame."""
        return not self.awaited and self.version != self.run.version

    def frame(self) -> dict[str, Any]:
        """The news since the last frame, as the run_frame of the protocol."""
        version, stored, values, rate = self.run.seen()
        points = self.run.points(self.cursor, self.width)
        if len(points):
            self.cursor = int(points.steps[-1])
        changed = {node: value for node, value in values.items() if self.values.get(node) != value}
        self.version, self.values = version, values
        return {
            "run_id": stored.run_id,
            "epoch": stored.epoch,
            "state": stored.state,
            "step": stored.step,
            "steps": stored.steps,
            "seconds": stored.seconds,
            "steps_per_second": rate,
            "metric": "cost",
            "points": points.to_bytes(),
            "values": changed,
            "reason": stored.reason,
        }


class Frames:
    """All subscriptions of a server, served by one thread at most 20 times a second."""

    def __init__(self, send: Send) -> None:
        """`send` emits an event with its data to a client and calls back when acknowledged."""
        self.send = send
        self.subscriptions: dict[tuple[str, str], Subscription] = {}
        self.lock = threading.Lock()
        self.news = threading.Event()
        self.closed = False
        self.thread = threading.Thread(target=self.serve, name="frames", daemon=True)
        self.thread.start()

    def subscribe(self, sid: str, run: Run, after_step: int, epoch: int, width: int) -> None:
        """Send a client the frames of a run from a step on; takes the place of an earlier wish."""
        if epoch != run.stored.epoch:
            after_step = FROM_THE_START
        with self.lock:
            self.subscriptions[sid, run.run_id] = Subscription(sid, run, after_step, width)
        self.wake()

    def unsubscribe(self, sid: str, run_id: str) -> None:
        """Send a client no more frames of a run."""
        with self.lock:
            self.subscriptions.pop((sid, run_id), None)

    def forget(self, sid: str) -> None:
        """Send a client nothing any more."""
        with self.lock:
            for key in [key for key in self.subscriptions if key[0] == sid]:
                del self.subscriptions[key]

    def wake(self) -> None:
        """Look for news soon."""
        self.news.set()

    def serve(self) -> None:
        """Make and send frames until closed."""
        while True:
            self.news.wait()
            self.news.clear()
            with self.lock:
                ready = [one for one in self.subscriptions.values() if one.ready()]
            for subscription in ready:
                self.push(subscription)
            if self.closed:
                return
            time.sleep(FRAME_SECONDS)

    def push(self, subscription: Subscription) -> None:
        """Send a client its next frame."""

        def acknowledged(*_: Any) -> None:
            subscription.awaited = False
            self.wake()

        subscription.awaited = True
        try:
            frame = subscription.frame()
        except Exception:
            # The run or the disk may be gone; the other subscribers want their frames.
            logger.exception("no frame of run %s", subscription.run.run_id)
            self.unsubscribe(subscription.sid, subscription.run.run_id)
            return
        self.send("run_frame", frame, subscription.sid, acknowledged)

    def close(self) -> None:
        """Send the last news, also to those who have not taken the news before, and end."""
        deadline = time.monotonic() + LAST_SECONDS
        while self._is_behind() and time.monotonic() < deadline:
            self.wake()
            time.sleep(FRAME_SECONDS)
        self.closed = True
        self.wake()
        self.thread.join()

    def _is_behind(self) -> bool:
        with self.lock:
            return any(one.version != one.run.version for one in self.subscriptions.values())
