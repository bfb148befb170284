"""What is kept on disk: graphs with their revisions, runs with everything they recorded.

One SQLite file in the data folder, in WAL mode with full synchronisation: what was acknowledged
survives a kill of the process and a power cut.
"""

from app.storage.database import Database
from app.storage.graphs import StoredGraph, StoredGraphs
from app.storage.runs import StoredRun, StoredRuns

__all__ = ["Database", "StoredGraph", "StoredGraphs", "StoredRun", "StoredRuns"]
