"""How the server ends."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from app.server import Stop


def test_the_first_signal_is_a_wish_and_the_second_an_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ordered: list[object] = []
    monkeypatch.setattr(signal, "signal", lambda *given: ordered.append(given))
    monkeypatch.setattr(signal, "raise_signal", ordered.append)
    stop = Stop()
    stop.on_signal(signal.SIGTERM, None)
    stop.wait()
    assert ordered == []
    stop.on_signal(signal.SIGTERM, None)
    assert ordered == [(signal.SIGTERM, signal.SIG_DFL), signal.SIGTERM]


def test_a_signal_that_another_thread_gets_is_heard() -> None:
    """The kernel hands a signal to any thread; one that only the handler notes would be missed."""
    program = """
import signal, threading, time
from app.server import Stop

def send():
    time.sleep(0.3)  # by then the main thread waits
    signal.pthread_kill(threading.get_ident(), signal.SIGTERM)

stop = Stop()
stop.install()
threading.Thread(target=send).start()
stop.wait()
print("heard")
"""
    said = subprocess.check_output([sys.executable, "-c", program], text=True, timeout=60)
    assert said == "heard\n"
