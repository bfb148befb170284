"""Hostile clients of the websocket: each is refused or cut off, and nobody else notices."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import websocket

from app.websocket import MAX_MESSAGE, MAX_STRANGER_MESSAGE
from app.wire import HANDLERS, Bucket
from tests.app.talk import PATIENCE, TOKEN, Site, Tab

ENGINE_PING = "2"


@contextmanager
def stranger(site: Site, bearer: bool = False) -> Iterator[websocket.WebSocket]:
    """A bare websocket; with `bearer` one that showed the token in the handshake."""
    connection = websocket.create_connection(
        f"ws://127.0.0.1:{site.port}/socket.io/?EIO=4&transport=websocket",
        header=[f"Authorization: Bearer {TOKEN}"] if bearer else [],
        timeout=PATIENCE,
    )
    try:
        assert connection.recv().startswith("0")
        yield connection
    finally:
        connection.shutdown()


@contextmanager
def member(site: Site) -> Iterator[websocket.WebSocket]:
    """A bare websocket that is connected to Socket.IO."""
    with stranger(site) as connection:
        connection.send("40" + json.dumps({"token": TOKEN}))
        assert connection.recv().startswith("40")
        yield connection


def is_cut(connection: websocket.WebSocket) -> bool:
    """Whether the server ends a connection; pings and the like do not count."""
    try:
        while (packet := connection.recv()) not in ("", b"", "1"):
            assert not packet.startswith("43"), packet
    except (websocket.WebSocketException, OSError):
        return True
    return True


@pytest.mark.parametrize(
    "packet",
    [
        "",
        "9",
        "x",
        "4",
        "4[]",
        "4" + "[" * 100_000,
        "45",
        "451000000-[]",
        '451-["graph_list",{"_placeholder":true,"num":0}]',
        '461-/admin,0["x"]',
        "44",
        "49[]",
        "42",
        "42{}",
        "42[]",
        '42["graph_list"',
        '42["graph_list",{"a":NaN}]',
        '42["graph_list",{"a":1e999}]',
        '42["graph_list",{"a":1,"a":2}]',
        '42["graph_list",{"__proto__":1}]',
        '42["graph_list","\\ud800"]',
        "42" + "[" * 100_000 + "]" * 100_000,
        "42" + "1" * 200 + '["graph_list",{}]',
        '40{"token":"again"}',
        '42["connect",{}]',
        "5",
        "2",
        "b" + "A" * 100,
    ],
    ids=lambda packet: repr(packet[:40]),
)
def test_a_packet_that_no_client_sends_ends_the_connection(
    site: Site, tab: Tab, packet: str
) -> None:
    with member(site) as connection:
        connection.send(packet)
        assert is_cut(connection)
    tab.ask("graph_list")


def test_binary_messages_end_the_connection(site: Site, tab: Tab) -> None:
    with member(site) as connection:
        connection.send_binary(b"\x00" * 1000)
        assert is_cut(connection)
    tab.ask("graph_list")


def test_a_stranger_may_not_send_much(site: Site) -> None:
    with stranger(site) as connection:
        connection.send("40" + json.dumps({"token": "x" * MAX_STRANGER_MESSAGE}))
        assert is_cut(connection)


def test_a_stranger_that_does_not_show_the_token_is_cut(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.websocket.MAX_STRANGER_SECONDS", 0.0)
    with stranger(site) as connection:
        connection.send("3")
        assert is_cut(connection)


def test_events_of_a_stranger_are_not_handled(site: Site) -> None:
    with stranger(site) as connection:
        connection.send('420["graph_list",{}]')
        connection.send('42["graph_open",{"source":{"empty":true}}]')
        connection.send("1")
        assert is_cut(connection)


def send_without_end(connection: websocket.WebSocket, piece: str) -> None:
    """Send a message of a hundred pieces, none of which is the last."""
    frame = websocket.ABNF.create_frame
    connection.send_frame(frame(piece, websocket.ABNF.OPCODE_TEXT, fin=0))
    for _ in range(100):
        connection.send_frame(frame(piece, websocket.ABNF.OPCODE_CONT, fin=0))


@pytest.mark.parametrize("bearer", [False, True])
def test_a_message_over_the_limit_is_refused_while_it_comes(site: Site, bearer: bool) -> None:
    cut = pytest.raises((websocket.WebSocketException, OSError))
    with stranger(site, bearer) as connection, cut:
        send_without_end(connection, "x" * (MAX_MESSAGE // 4))


def test_no_compression_is_negotiated(site: Site) -> None:
    connection = websocket.create_connection(
        f"ws://127.0.0.1:{site.port}/socket.io/?EIO=4&transport=websocket",
        header=["Sec-WebSocket-Extensions: permessage-deflate"],
    )
    assert "sec-websocket-extensions" not in {name.lower() for name in connection.headers}
    connection.shutdown()


@pytest.mark.parametrize(
    ("event", "arguments"),
    [
        ("no_such_request", [{}]),
        ("graph_list", []),
        ("graph_list", [{}, {}]),
        ("graph_list", ["text"]),
        ("graph_list", [{"extra": 1}]),
        ("graph_open", [{"source": {"gallery": "../../etc/passwd"}}]),
        ("graph_open", [{"source": {"gallery": "xnor", "empty": True}}]),
        ("graph_edit", [{"graph_id": "../x", "base_revision": 0, "patches": []}]),
        ("run_start", [{"graph_id": "a" * 16, "steps": 0, "device": "cpu", "set": {}}]),
        ("__class__", [{}]),
        ("\x1b[31m\n", [{}]),
    ],
)
def test_a_request_that_is_not_declared_gets_an_error(
    site: Site, event: str, arguments: list[object]
) -> None:
    with member(site) as connection:
        connection.send("421" + json.dumps([event, *arguments]))
        while not (packet := connection.recv()).startswith("431"):
            pass
        (answer,) = json.loads(packet[3:])
        assert answer["ok"] is False
        assert answer["error"]["kind"] == "request"


def test_other_namespaces_are_not_there(site: Site) -> None:
    with stranger(site) as connection:
        connection.send("40/admin," + json.dumps({"token": TOKEN}))
        assert connection.recv().startswith("44/admin,")


def test_a_flood_is_slowed_and_uses_no_threads(site: Site, tab: Tab) -> None:
    with member(site) as connection:
        before = threading.active_count()
        for _ in range(3000):
            connection.send('42["graph_list",{}]')
        tab.ask("graph_list")
        assert threading.active_count() <= before + 8


def test_the_bucket_gives_a_burst_and_then_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr("app.wire.time.sleep", slept.append)
    monkeypatch.setattr("app.wire.time.monotonic", lambda: 100.0 + sum(slept))
    bucket = Bucket(rate=10, burst=5)
    for _ in range(15):
        bucket.take()
    assert sum(slept) == pytest.approx(1.0)


def test_a_sign_of_life_is_heard_while_a_request_is_handled(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard, gate = threading.Event(), threading.Event()
    monkeypatch.setattr("engineio.socket.Socket.schedule_ping", lambda _: heard.set())
    monkeypatch.setitem(HANDLERS, "graph_list", lambda *_: {"graphs": [gate.wait(PATIENCE)]})
    with member(site) as connection:
        heard.clear()
        connection.send('421["graph_list",{}]')
        connection.send("3")
        assert heard.wait(PATIENCE)
        gate.set()
        assert connection.recv().startswith("431")


def test_a_client_that_never_reads_is_cut(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.wire.MAX_UNREAD", -1)
    with member(site) as connection:
        connection.send('421["graph_list",{}]')
        assert is_cut(connection)


def test_connections_over_the_cap_are_turned_away(site: Site, tab: Tab) -> None:
    slots = site.serving.server.slots
    taken = 0
    while slots.acquire(blocking=False):
        taken += 1
    try:
        assert site.request("GET", "/api/version")[0] == 503
        tab.ask("graph_list")
    finally:
        for _ in range(taken):
            slots.release()
    assert site.request("GET", "/api/version")[0] == 200
