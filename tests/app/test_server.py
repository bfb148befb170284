"""How the server ends."""

from __future__ import annotations

import signal
import threading

import pytest

from app.server import Stop


def test_the_first_signal_is_a_wish_and_the_second_an_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ordered: list[object] = []
    monkeypatch.setattr(signal, "signal", lambda *given: ordered.append(given))
    monkeypatch.setattr(signal, "raise_signal", ordered.append)
    stop = Stop()
    waiting = threading.Thread(target=stop.wait)
    waiting.start()
    stop.on_signal(signal.SIGTERM, None)
    waiting.join()
    assert ordered == []
    stop.on_signal(signal.SIGTERM, None)
    assert ordered == [(signal.SIGTERM, signal.SIG_DFL), signal.SIGTERM]
    stop.close()
