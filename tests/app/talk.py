"""A server to talk to, and a tab to talk with."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import socketio

from app import create_app
from app.application import Application
from app.server import Serving, listen
from app.settings import Settings

PATIENCE = 120.0
TOKEN = "a-token-for-tests"


class Site:
    """A running server."""

    def __init__(self, data: Path, **settings: Any) -> None:
        listening = listen(0)
        port = listening.getsockname()[1]
        self.settings = Settings(data=data, port=port, token=TOKEN, **settings)
        self.port = port
        self.app: Application = create_app(self.settings)
        self.serving = Serving(self.app, listening)
        self.tabs: list[Tab] = []

    def request(
        self, method: str, path: str, body: Any = None, **headers: str
    ) -> tuple[int, Any, http.client.HTTPResponse]:
        """Status, JSON body if it is one, and the response; with the token unless told not to."""
        sent = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        data = None if body is None else json.dumps(body)
        connection.request(method, path, data, {k: v for k, v in sent.items() if v})
        response = connection.getresponse()
        text = response.read()
        connection.close()
        kind = response.headers.get("Content-Type", "")
        return response.status, json.loads(text) if "json" in kind else text, response

    def tab(self) -> Tab:
        """A new connected tab."""
        tab = Tab(self.port)
        self.tabs.append(tab)
        return tab

    def close(self) -> None:
        """End it as a signal would."""
        for tab in self.tabs:
            tab.close()
        self.serving.close()
        self.app.close()


class Tab:
    """A script that speaks the protocol as a browser tab does."""

    def __init__(self, port: int, token: str = TOKEN) -> None:
        self.socket = socketio.Client(reconnection=False)
        self.frames: list[dict[str, Any]] = []
        self.notices: list[dict[str, Any]] = []
        self.news = threading.Condition()
        self.socket.on("run_frame", self.on_frame)
        self.socket.on("server_notice", self.on_notice)
        self.socket.connect(
            f"http://127.0.0.1:{port}", auth={"token": token}, transports=["websocket"]
        )
        self.connection = self.socket.eio.ws

    def on_frame(self, frame: dict[str, Any]) -> None:
        with self.news:
            self.frames.append(frame)
            self.news.notify_all()

    def on_notice(self, notice: dict[str, Any]) -> None:
        with self.news:
            self.notices.append(notice)
            self.news.notify_all()

    def ask(self, request: str, /, **fields: Any) -> dict[str, Any]:
        """The reply to a request that must be granted."""
        reply = self.socket.call(request, fields, timeout=PATIENCE)
        assert reply.pop("ok"), reply
        return reply

    def refused(self, request: str, /, **fields: Any) -> dict[str, Any]:
        """The error of a request that must be refused."""
        reply = self.socket.call(request, fields, timeout=PATIENCE)
        assert reply["ok"] is False, reply
        return reply["error"]

    def open(self, gallery: str) -> str:
        """The id of a fresh copy of a gallery graph."""
        return self.ask("graph_open", source={"gallery": gallery})["graph_id"]

    def train(self, graph_id: str, **options: Any) -> str:
        """Start a run, follow it from its first point, and return its id."""
        wish = {
            "steps": None,
            "seed": None,
            "device": "cpu",
            "set": {},
            "steps_per_second": None,
            **options,
        }
        run = self.ask("run_start", graph_id=graph_id, **wish)["run"]
        self.follow(run["run_id"])
        return run["run_id"]

    def follow(self, run_id: str, after_step: int = -1, epoch: int = 0) -> dict[str, Any]:
        """Subscribe to a run."""
        return self.ask(
            "run_subscribe", run_id=run_id, after_step=after_step, epoch=epoch, width=20_000
        )["run"]

    def wait(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first frame, of those that came already too, that is wanted."""
        with self.news:
            came = self.news.wait_for(lambda: any(map(wanted, self.frames)), PATIENCE)
            seen = [(f["run_id"], f["state"], f["step"], f["reason"]) for f in self.frames[-3:]]
            assert came, f"no such frame among {len(self.frames)}, of which the last are {seen}"
            return next(frame for frame in self.frames if wanted(frame))

    def wait_notice(self) -> dict[str, Any]:
        """The first notice."""
        with self.news:
            assert self.news.wait_for(lambda: bool(self.notices), PATIENCE)
            return self.notices[0]

    def wait_state(self, run_id: str, *states: str) -> dict[str, Any]:
        """The first frame of a run in one of some states."""
        return self.wait(lambda f: f["run_id"] == run_id and f["state"] in states)

    def points(self, run_id: str) -> np.ndarray[Any, Any]:
        """All points that came for a run: float64 (n, 2) of step and cost."""
        data = b"".join(frame["points"] for frame in self.frames if frame["run_id"] == run_id)
        return np.frombuffer(data, "<f8").reshape(-1, 2)

    def close(self) -> None:
        """Close the tab."""
        if self.socket.connected:
            self.socket.disconnect()
        # The client forgets to, when the server was first.
        self.connection.shutdown()
