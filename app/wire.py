"""Between the websocket and the handlers: checks, acknowledgements, limits.

A handler is a function with the name of its request. It gets the services, the client and the
checked fields, and returns the fields of the reply; `from` arrives as `from_`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import flask
from flask_socketio import ConnectionRefusedError, SocketIO

from app import strict_json
from app.errors import AccessError, RequestError
from app.guard import ADMITTED, is_token
from app.protocol import REQUESTS
from app.services import Services
from app.settings import Settings
from app.websocket import CONNECTION, MAX_MESSAGE, ConnectionWSGI
from engine.errors import EngineError

logger = logging.getLogger("wiregrad")

REQUESTS_PER_SECOND = 50.0
BURST = 100.0
MAX_UNREAD = 256
CLOSE_SECONDS = 1.0
BINARY_PACKETS = ("5", "6")
CONNECT_PACKET = "0"

Handler = Callable[..., dict[str, Any]]
HANDLERS: dict[str, Handler] = {}


@dataclass(frozen=True)
class Client:
    """One connected browser tab or script."""

    sid: str


def handles(handler: Handler) -> Handler:
    """Make a function the handler of the request that has its name."""
    name = handler.__name__
    if name not in REQUESTS:
        raise LookupError(f"{name} is not declared in app/protocol.py")
    handler.__doc__ = REQUESTS[name].doc
    HANDLERS[name] = handler
    return handler


class Bucket:
    """A leaky bucket: `take` waits where a client asks more than its share."""

    def __init__(self, rate: float, burst: float) -> None:
        self.rate = rate
        self.burst = burst
        self.level = burst
        self.at = time.monotonic()

    def take(self) -> None:
        """Use up one request's share."""
        now = time.monotonic()
        self.level = min(self.burst, self.level + (now - self.at) * self.rate) - 1
        self.at = now
        if self.level < 0:
            time.sleep(-self.level / self.rate)


class Wire:
    """The websocket of a server."""

    def __init__(self, app: flask.Flask, settings: Settings) -> None:
        quiet = logging.getLogger("wiregrad.socketio")
        quiet.setLevel(logging.CRITICAL)
        self.settings = settings
        self.buckets: dict[str, Bucket] = {}
        self.opened: set[ConnectionWSGI] = set()
        # No cors_allowed_origins: the same origin only, which is the default.
        self.socketio = SocketIO(
            app,
            async_mode="threading",
            async_handlers=False,
            transports=["websocket"],
            json=strict_json,
            manage_session=False,
            max_http_buffer_size=MAX_MESSAGE,
            ping_interval=10,
            ping_timeout=10,
            logger=quiet,
            engineio_logger=quiet,
        )
        server = self.socketio.server
        self.server = server
        # engine.io has no option for the websocket class; the tests hold this to its versions.
        server.eio._async = {**server.eio._async, "websocket": partial(ConnectionWSGI, self.opened)}
        server.eio.on("message", self.packet)

    def install(self, services: Services) -> None:
        """Answer requests, with all handlers there are."""
        self.socketio.on("connect")(self.connect)
        self.socketio.on("disconnect")(lambda *_: self.disconnect(services))
        for name in REQUESTS:
            self.socketio.on(name)(
                lambda *arguments, name=name: self.request(services, name, arguments)
            )
        self.socketio.on("*")(lambda name, *_: unknown(name))

    def packet(self, eio_sid: str, data: str | bytes) -> None:
        """Hand a packet to Socket.IO; a client that breaks the protocol is disconnected."""
        try:
            connected = self.server.manager.sid_from_eio_sid(eio_sid, "/") is not None
            if (
                isinstance(data, bytes)
                or data.startswith(BINARY_PACKETS)
                or (connected and data.startswith(CONNECT_PACKET))
            ):
                raise ValueError("a packet that no client of ours sends")
            self.server._handle_eio_message(eio_sid, data)
        except Exception as error:
            logger.warning("A client broke the protocol and was disconnected: %.200r", error)
            self.server.eio.disconnect(eio_sid)

    def connect(self, auth: Any = None) -> None:
        """Admit a client that shows the token or the session cookie."""
        environ = flask.request.environ
        offered = auth.get("token") if isinstance(auth, dict) else None
        if not environ.get(ADMITTED) and not is_token(self.settings, offered):
            error = AccessError(
                "This needs the token of this start of the server.",
                hint="Open the address that the server printed when it started.",
            )
            raise ConnectionRefusedError(error.message, error.to_json())
        if CONNECTION in environ:
            environ[CONNECTION].admit()
        self.buckets[sid()] = Bucket(REQUESTS_PER_SECOND, BURST)

    def disconnect(self, services: Services) -> None:
        """Forget a client."""
        self.buckets.pop(sid(), None)
        services.frames.forget(sid())

    def request(self, services: Services, name: str, arguments: tuple[Any, ...]) -> dict[str, Any]:
        """Check a request, call its handler and return the acknowledgement."""
        client = Client(sid())
        try:
            bucket = self.buckets.get(client.sid)
            if bucket is None:
                raise AccessError("This client is not connected.")
            bucket.take()
            self.refuse_deaf(client)
            if len(arguments) != 1:
                raise RequestError(
                    f"{name} takes one object.", expected="1 argument", got=str(len(arguments))
                )
            fields = REQUESTS[name].request.check(arguments[0], name)
            if "from" in fields:
                fields["from_"] = fields.pop("from")
            return {"ok": True, **HANDLERS[name](services, client, **fields)}
        except EngineError as error:
            return failure(error)
        except Exception:
            logger.exception("%s failed", name)
            return failure(InternalError(f"The server failed at {name}; its log says where."))

    def refuse_deaf(self, client: Client) -> None:
        """Disconnect a client that asks on and on but does not read the answers."""
        eio_sid = self.server.manager.eio_sid_from_sid(client.sid, "/")
        connection = self.server.eio.sockets.get(eio_sid)
        if connection is not None and connection.queue.qsize() > MAX_UNREAD:
            raise_deaf(self.server, eio_sid)

    def send(
        self, event: str, data: dict[str, Any], to: str, acknowledged: Callable[..., None]
    ) -> None:
        """Push an event to one client."""
        self.server.emit(event, data, to=to, callback=acknowledged)

    def notice(self, level: str, message: str) -> None:
        """Tell every client something."""
        self.server.emit("server_notice", {"level": level, "message": message})

    def close(self) -> None:
        """End every connection properly; one that does not react is left to itself."""
        for connection in list(self.server.eio.sockets.values()):
            connection.close(wait=False)
        patience = time.monotonic() + CLOSE_SECONDS
        while self.opened and time.monotonic() < patience:
            time.sleep(0.01)
        self.server.shutdown()


class InternalError(EngineError):
    """A fault of the server."""

    kind = "internal"


def raise_deaf(server: Any, eio_sid: str) -> None:
    """Cut a connection whose answers pile up."""
    server.eio.sockets[eio_sid].close(wait=False, abort=True)
    raise AccessError("This client does not read what it asked for.")


def sid() -> str:
    """The client whose event is being handled."""
    return str(flask.request.sid)  # type: ignore[attr-defined]


def unknown(name: object) -> dict[str, Any]:
    """The answer to an event that is not declared."""
    return failure(
        RequestError("There is no such request.", expected=", ".join(REQUESTS), got=repr(name)[:80])
    )


def failure(error: EngineError) -> dict[str, Any]:
    """The acknowledgement of a request that failed."""
    return {"ok": False, "error": error.to_json()}
