"""The web server: Werkzeug's threaded one with the bounds and the good manners that it lacks."""

from __future__ import annotations

import os
import signal
import socket
import threading
from types import FrameType
from typing import TYPE_CHECKING, Any

from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

from app.errors import BusyError
from app.settings import HOST

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

MAX_CONNECTIONS = 128
SOCKET_TIMEOUT = 30.0  # longer than the 20 s in which a live websocket shows itself
FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n"
    b"Content-Type: text/plain\r\nContent-Length: 28\r\n\r\nToo many open connections.\r\n"
)


def listen(port: int) -> socket.socket:
    """A listening socket on the loopback interface.

    Raises BusyError when another program has the port. Port 0 takes any free one.
    """
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((HOST, port))
    except OSError as error:
        listening.close()
        raise BusyError(
            f"Port {port} cannot be used: {error.strerror}.",
            hint="Choose another one with --port, or leave that option out.",
        ) from None
    listening.listen(MAX_CONNECTIONS)
    return listening


class Handler(WSGIRequestHandler):
    """A connection that is dropped when nothing comes for a while, and logs nothing by itself."""

    timeout = SOCKET_TIMEOUT

    def log(self, type: str, message: str, *args: Any) -> None:
        """Stay quiet: the application logs what matters."""

    def connection_dropped(self, error: BaseException, environ: Any = None) -> None:
        """End a connection that was a websocket, instead of waiting for HTTP on it again."""
        self.close_connection = True

    def version_string(self) -> str:
        """The Server header, without version numbers."""
        return "wiregrad"


class Server(ThreadedWSGIServer):
    """A server with a bounded number of connections."""

    block_on_close = False

    def __init__(self, application: WSGIApplication, listening: socket.socket) -> None:
        port = listening.getsockname()[1]
        super().__init__(HOST, port, application, Handler, fd=listening.fileno())
        listening.close()
        self.slots = threading.BoundedSemaphore(MAX_CONNECTIONS)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection in a thread of its own, or turn it away when there are too many."""
        if self.slots.acquire(blocking=False):
            super().process_request(request, client_address)
            return
        try:
            request.sendall(FULL)
        except OSError:
            pass
        finally:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve a connection and give its slot back."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.slots.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that broke off is no news."""


class Stop:
    """The wish to end: SIGINT or SIGTERM. A second signal ends the process at once.

    A signal that another thread gets, or that comes just before the main thread waits, would not
    wake it; so Python itself writes to a pipe for each one, and the main thread reads from that.
    """

    def __init__(self) -> None:
        self.reading, self.writing = os.pipe()
        os.set_blocking(self.writing, False)
        self.wanted = False

    def install(self) -> None:
        """Listen to the signals; call it in the main thread."""
        signal.set_wakeup_fd(self.writing, warn_on_full_buffer=False)
        signal.signal(signal.SIGINT, self.on_signal)
        signal.signal(signal.SIGTERM, self.on_signal)

    def on_signal(self, number: int, _frame: FrameType | None) -> None:
        """Note the wish, or end at once the second time."""
        if self.wanted:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        self.wanted = True

    def wait(self) -> None:
        """Wait for the wish; call it in the main thread, which is where handlers run."""
        while not self.wanted:
            os.read(self.reading, 1)


class Serving:
    """A server that serves in the background until `close`."""

    def __init__(self, application: WSGIApplication, listening: socket.socket) -> None:
        self.server = Server(application, listening)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    def close(self) -> None:
        """Accept nothing more and release the port; open websockets are the caller's to end."""
        self.server.shutdown()
        self.thread.join()
