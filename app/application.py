"""The application: which parts a server has and how they are put together."""

from __future__ import annotations

import flask

from app import film_requests, graph_requests, run_requests
from app.films import Films
from app.frames import Frames
from app.graphs import Graphs
from app.guard import Guard
from app.process import Workers
from app.routes import routes
from app.runs import Runs
from app.services import Services
from app.settings import Settings
from app.storage import Database, StoredGraphs, StoredRuns
from app.websocket import MAX_MESSAGE
from app.wire import Wire

HANDLERS = (film_requests, graph_requests, run_requests)


class Application(flask.Flask):
    """A Flask application with a websocket, storage and runs; `close` it in the end."""

    def __init__(self, settings: Settings) -> None:
        """Raises StorageError when the data folder cannot be used."""
        super().__init__("app", static_folder=None)
        self.config["MAX_CONTENT_LENGTH"] = MAX_MESSAGE
        self.settings = settings
        self.wire = Wire(self, settings)
        self.services = self.open(settings)
        self.wire.install(self.services)
        self.register_blueprint(routes)
        # Outermost, around the websocket too.
        self.wsgi_app = Guard(self.wsgi_app, settings)  # type: ignore[method-assign]

    def open(self, settings: Settings) -> Services:
        """Open the storage and start what runs in the background."""
        database = Database(settings.data)
        stored_graphs, stored_runs = StoredGraphs(database), StoredRuns(database)
        stored_runs.lose()
        stored_graphs.sweep()
        frames = Frames(self.wire.send)
        graphs = Graphs(stored_graphs)
        workers = Workers(settings.workers, settings.spare)
        runs = Runs(stored_runs, graphs, workers, frames.wake, self.wire.notice)
        return Services(settings, database, graphs, runs, frames, Films())

    def close(self) -> None:
        """Tell the clients, stop the runs with everything recorded, end the connections."""
        self.wire.notice("info", "The server is stopping.")
        self.services.close()
        self.wire.close()
