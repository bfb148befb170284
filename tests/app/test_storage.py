"""What is stored stays, in order and whole."""

from __future__ import annotations

import stat
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from app import weights
from app.errors import ConflictError, NotFoundError, StorageError
from app.points import Points, join
from app.storage import Database, StoredGraph, StoredGraphs, StoredRun, StoredRuns
from app.storage.database import new_id
from app.storage.tables import metadata

FIELDS = {"title": "T", "name": "t", "document": "{}", "nodes": 0}


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(tmp_path / "data")
    yield database
    database.close()


def new_graph(database: Database) -> StoredGraph:
    return StoredGraphs(database).add(**FIELDS)


def new_run(database: Database, state: str = "running") -> StoredRun:
    run = StoredRun(
        run_id=new_id(),
        graph_id=new_graph(database).graph_id,
        title="T",
        document="{}",
        options={},
        state=state,
        step=0,
        steps=10,
        epoch=1,
        seed=None,
        device="cpu",
        started_at=time.time(),
    )
    StoredRuns(database).add(run)
    return run


def test_the_folder_is_the_owners_alone(database: Database) -> None:
    assert stat.S_IMODE(database.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((database.folder / "wiregrad.db").stat().st_mode) == 0o600


def test_commits_are_synchronous_and_logged_ahead(database: Database) -> None:
    with database.read() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1


def test_migrations_make_the_declared_tables_and_may_run_again(database: Database) -> None:
    database.migrate()
    with database.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_one_server_has_a_folder_at_a_time(database: Database) -> None:
    with pytest.raises(StorageError, match="another Wiregrad server"):
        Database(database.folder)


def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="file"):
        Database(tmp_path / "file" / "data")


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "wiregrad.db").write_bytes(b"no database" * 1000)
    with pytest.raises(StorageError, match=r"wiregrad\.db"):
        Database(tmp_path)


def test_a_revision_needs_the_newest_one(database: Database) -> None:
    graphs = StoredGraphs(database)
    graph = new_graph(database)
    assert graphs.revise(graph.graph_id, 0, [{"path": ["title"], "value": "U"}], **FIELDS)[0] == 1
    with pytest.raises(ConflictError):
        graphs.revise(graph.graph_id, 0, [], **FIELDS)
    assert graphs.get(graph.graph_id).revision == 1


def test_untouched_copies_are_swept_after_a_day(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    graphs = StoredGraphs(database)
    untouched, edited = new_graph(database), new_graph(database)
    trained = new_run(database).graph_id
    graphs.revise(edited.graph_id, 0, [], **FIELDS)
    graphs.sweep()
    graphs.get(untouched.graph_id)
    monkeypatch.setattr("app.storage.graphs.UNTOUCHED_FOR", -1.0)
    graphs.sweep()
    with pytest.raises(NotFoundError):
        graphs.get(untouched.graph_id)
    assert {graph.graph_id for graph in graphs.listed()} == {edited.graph_id, trained}


def test_points_come_back_in_order_from_any_step(database: Database) -> None:
    runs, run = StoredRuns(database), new_run(database)
    rng = np.random.default_rng(0)
    dense = Points(np.arange(1, 101), rng.normal(size=100))
    sparse = Points(np.array([105, 110, 200]), np.array([1.0, np.nan, np.inf]))
    runs.record(run, "cost", dense, [])
    runs.record(run, "cost", sparse, [])
    found = join(runs.points(run.run_id, "cost", -1))
    np.testing.assert_array_equal(found.steps, join([dense, sparse]).steps)
    np.testing.assert_array_equal(found.values, join([dense, sparse]).values)
    assert join(runs.points(run.run_id, "cost", 99)).steps.tolist() == [100, 105, 110, 200]
    assert len(join(runs.points(run.run_id, "cost", 200))) == 0


def test_runs_that_were_going_are_lost_with_what_they_had(database: Database) -> None:
    runs = StoredRuns(database)
    going, done = new_run(database), new_run(database, "done")
    runs.record(
        going,
        "cost",
        Points(np.arange(1, 6), np.ones(5)),
        [{"step": 3, "name": "learning_rate", "value": 0.5}],
    )
    folder = database.folder
    database.close()
    again = Database(folder)
    runs = StoredRuns(again)
    assert runs.lose() == 1
    lost = runs.get(going.run_id)
    assert (lost.state, lost.step) == ("lost", 5)
    assert lost.reason
    assert lost.events == [{"step": 3, "name": "learning_rate", "value": 0.5}]
    assert len(join(runs.points(going.run_id, "cost", -1))) == 5
    assert runs.get(done.run_id).state == "done"
    again.close()


def test_deleting_a_graph_deletes_its_runs(database: Database) -> None:
    run = new_run(database)
    StoredGraphs(database).delete(run.graph_id)
    with pytest.raises(NotFoundError):
        StoredRuns(database).get(run.run_id)


@pytest.mark.parametrize(
    "dtype", ["bool", "int8", "uint16", "int64", "float16", "float32", "float64", "c8", "c16"]
)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 3), (2, 3, 1)])
def test_weights_of_every_kind_come_back(dtype: str, shape: tuple[int, ...]) -> None:
    tensor = np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(dtype)
    back = weights.unpack(weights.pack({"w": tensor}))["w"]
    assert back.dtype == tensor.dtype
    np.testing.assert_array_equal(back, tensor)


def test_weights_that_are_none_are_refused() -> None:
    with pytest.raises(StorageError):
        weights.unpack(b"\x80\x04K*.")
