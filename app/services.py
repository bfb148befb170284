"""What a server is made of, handed to every handler."""

from __future__ import annotations

from dataclasses import dataclass

from app.films import Films
from app.frames import Frames
from app.graphs import Graphs
from app.runs import Runs
from app.settings import Settings
from app.storage import Database


@dataclass(frozen=True)
class Services:
    """The parts of one server."""

    settings: Settings
    database: Database
    graphs: Graphs
    runs: Runs
    frames: Frames
    films: Films

    def close(self) -> None:
        """Stop the runs, say so to everybody who watches, and close the database."""
        self.runs.close()
        self.frames.close()
        self.database.close()
