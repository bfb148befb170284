"""The websocket connection with bounds: on a message, on what waits, on time before the token.

simple-websocket by itself stores any number of messages of any size before anybody has shown a
token, and writes to its socket from two threads at once.
"""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import simple_websocket
from wsproto.frame_protocol import CloseReason

from app.guard import ADMITTED

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

CONNECTION = "wiregrad.websocket"
MAX_MESSAGE = 5_000_000  # a document may have 4 MB of text
MAX_STRANGER_MESSAGE = 4_096
MAX_WAITING = 64
MAX_STRANGER_SECONDS = 10.0
# engine.io's packets from a client: close, pong, and text messages that are Socket.IO packets.
PONG = "3"
PACKET = re.compile(r"1$|3$|4[0-6]")


class WholeWrites:
    """A socket whose every write goes out whole, one thread's after the other's."""

    def __init__(self, inner: socket.socket) -> None:
        self.inner = inner
        self.writing = threading.Lock()

    def send(self, data: bytes) -> int:
        with self.writing:
            self.inner.sendall(data)
        return len(data)

    def recv(self, size: int) -> bytes:
        return self.inner.recv(size)

    def close(self) -> None:
        self.inner.close()


class Connection(simple_websocket.Server):  # type: ignore[misc]
    """One websocket, at first a stranger's: small messages and ten seconds to show the token."""

    def __init__(self, environ: WSGIEnvironment, on_pong: Callable[[], None]) -> None:
        """`on_pong` is called when the client shows that it lives, even while it is being served.

        engine.io itself would hear it only after the request that it is busy with, and take a
        client for dead that waits for a large graph.
        """
        self.on_pong = on_pong
        self.room = threading.Condition()
        self.admitted = False
        self.since = time.monotonic()
        environ["werkzeug.socket"] = WholeWrites(environ["werkzeug.socket"])
        super().__init__(environ, receive_bytes=65_536, max_message_size=MAX_STRANGER_MESSAGE)
        environ[CONNECTION] = self
        if environ.get(ADMITTED):
            self.admit()

    def admit(self) -> None:
        """Trust the client from now on with messages of full size."""
        self.admitted = True
        self.max_message_size = MAX_MESSAGE

    def receive(self, timeout: float | None = None) -> str | bytes | None:
        """The next message; makes room for another one."""
        message: str | bytes | None = super().receive(timeout)
        with self.room:
            self.room.notify()
        return message

    def _thread(self) -> None:
        """Read to the end, and then wake whoever waits in `receive`.

        simple-websocket wakes it before it takes down `connected`, so that it may sleep on.
        """
        super()._thread()
        self.event.set()

    def _handle_events(self) -> bool:
        late = time.monotonic() - self.since > MAX_STRANGER_SECONDS
        if self.connected and late and not self.admitted:
            self.close(CloseReason.POLICY_VIOLATION, "The token did not come in time.")
            self.event.set()
            return False
        going: bool = super()._handle_events()
        while PONG in self.input_buffer:
            with contextlib.suppress(ValueError):  # when the other thread was first to take it
                self.input_buffer.remove(PONG)
                self.on_pong()
        with self.room:
            # Reading stops here, so that what the client sends on waits in its own socket.
            while going and self.connected and len(self.input_buffer) >= MAX_WAITING:
                self.room.wait(1.0)
        return going


class ConnectionWSGI:
    """What engine.io asks of a websocket, around a Connection."""

    def __init__(
        self,
        opened: set[ConnectionWSGI],
        handler: Callable[[ConnectionWSGI], Any],
        _server: Any,
    ) -> None:
        """`opened` holds the connections there are; this one adds and removes itself."""
        self.opened = opened
        self.handler = handler
        self.socket: Any = handler.__self__  # type: ignore[attr-defined]
        self.ws: Connection

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        self.ws = Connection(environ, self.socket.schedule_ping)
        self.opened.add(self)
        try:
            self.handler(self)
        finally:
            self.opened.remove(self)
        # The response is long gone; this tells Werkzeug to write nothing after it.
        raise ConnectionError

    def close(self) -> None:
        if self.ws.connected:
            self.ws.close()

    def send(self, message: str | bytes) -> None:
        try:
            self.ws.send(message)
        except simple_websocket.ConnectionClosed as closed:
            raise OSError("the websocket is closed") from closed

    def wait(self) -> str | None:
        """The next packet; None at the end, which a packet that no client sends is too."""
        try:
            packet = self.ws.receive()
        except simple_websocket.ConnectionClosed:
            return None
        return packet if isinstance(packet, str) and PACKET.match(packet) else None
