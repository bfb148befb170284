"""The live stream by itself: who gets which news, and when."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import numpy as np

from app.frames import Frames
from app.runs import Run


class Points:
    """No points."""

    steps = np.empty(0, np.int64)

    def __len__(self) -> int:
        return 0

    def to_bytes(self) -> bytes:
        return b""


def run_of(state: str) -> SimpleNamespace:
    """What the stream asks of a run."""
    run = SimpleNamespace(run_id="r", version=0, points=lambda after, width: Points())
    run.stored = SimpleNamespace(
        run_id="r", epoch=0, state=state, step=1, steps=2, seconds=0.0, reason=None
    )
    run.seen = lambda: (run.version, SimpleNamespace(**vars(run.stored)), {}, 0.0)
    return run


def test_the_last_news_waits_until_the_news_before_is_taken() -> None:
    run, states = run_of("running"), []
    first, taken = threading.Event(), threading.Event()

    def send(event: str, frame: dict[str, Any], sid: str, done: Callable[..., None]) -> None:
        states.append(frame["state"])
        if first.is_set():
            done()
            return
        first.set()

        def late() -> None:
            taken.wait(10)
            done()

        threading.Thread(target=late).start()

    frames = Frames(send)
    frames.subscribe("s", cast(Run, run), -1, 0, 100)
    assert first.wait(10)
    run.stored.state, run.version = "stopped", 1
    threading.Timer(0.2, taken.set).start()
    frames.close()
    assert states == ["running", "stopped"]


def test_a_client_that_takes_nothing_does_not_hold_up_the_end() -> None:
    run, sent = run_of("running"), threading.Event()
    frames = Frames(lambda *_: sent.set())
    frames.subscribe("s", cast(Run, run), -1, 0, 100)
    assert sent.wait(10)
    run.version = 1
    frames.close()
    assert not frames.thread.is_alive()
