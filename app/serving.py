"""The command without arguments: a server for one person on one machine."""

from __future__ import annotations

import logging
import os
import sys
import webbrowser
from dataclasses import replace
from pathlib import Path
from socket import socket

from app import create_app, front_end
from app.errors import BusyError
from app.server import Serving, Stop, listen
from app.settings import DEFAULT_PORT, HOST, Settings


def serve(port: int | None, data: Path | None, *, browser: bool) -> None:
    """Serve until a signal, then end everything in order.

    Raises BusyError when the wanted port is taken, StorageError when the data folder is.
    """
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s", level=logging.WARNING)
    stop = Stop()
    stop.install()
    listening = find_port(port)
    settings = Settings(port=listening.getsockname()[1])
    if data is not None:
        settings = replace(settings, data=data.expanduser().absolute())
    try:
        application = create_app(settings)
    except BaseException:
        listening.close()
        raise
    serving = Serving(application, listening)
    warning = front_end.warning()
    if warning:
        print(f"wiregrad: {warning}", file=sys.stderr)
    address = f"http://{HOST}:{settings.port}/#token={settings.token}"
    print(f"Wiregrad is at {address}\nPress Ctrl-C to stop it.", flush=True)
    if browser and has_screen():
        webbrowser.open(address)
    stop.wait()
    print("Stopping.", flush=True)
    serving.close()
    application.close()


def find_port(wanted: int | None) -> socket:
    """Listen on the wanted port, or else on the usual one or any."""
    if wanted is not None:
        return listen(wanted)
    try:
        return listen(DEFAULT_PORT)
    except BusyError:
        return listen(0)


def has_screen() -> bool:
    """Whether a browser would open a window, and not take over the terminal."""
    if sys.platform in ("darwin", "win32"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
