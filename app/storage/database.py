"""The database file: where it is, how it is opened and brought up to date."""

from __future__ import annotations

import os
import secrets
import sqlite3
import string
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from app.errors import NotFoundError, StorageError

ALPHABET = string.ascii_lowercase + string.digits
MIGRATIONS = Path(__file__).parent / "migrations"
VERSIONS = MIGRATIONS / "versions"


def new_id() -> str:
    """A fresh id: 16 random letters and digits, 82 bits."""
    return "".join(secrets.choice(ALPHABET) for _ in range(16))


class Database:
    """The SQLite file `wiregrad.db` in the data folder, owned by one server at a time."""

    def __init__(self, folder: Path) -> None:
        """Open it, making the folder and the tables where needed.

        Raises StorageError when the folder cannot be used or another server is using it.
        """
        self.folder = folder
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = lock(folder)
        except OSError as error:
            raise StorageError(
                f"The data folder {folder} cannot be used: {error.strerror or error}.",
                hint="Choose another one with --data.",
            ) from None
        self.engine = open_engine(folder / "wiregrad.db")
        try:
            self.migrate()
        except DBAPIError as error:
            self.close()
            raise StorageError(
                f"{folder / 'wiregrad.db'} cannot be opened: {error.orig}.",
                hint="Choose another folder with --data, or put that file aside.",
            ) from None

    def migrate(self) -> None:
        """Bring the tables to their newest form; does nothing when they have it."""
        if self.version() == max(path.name for path in VERSIONS.glob("*.py")).partition("_")[0]:
            return
        # Only now, as it takes a third of a second to import.
        import alembic.command
        import alembic.config

        config = alembic.config.Config()
        config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
        with self.engine.execution_options(writes=True).begin() as connection:
            config.attributes["connection"] = connection
            alembic.command.upgrade(config, "head")

    def version(self) -> str | None:
        """The newest migration that the file has seen; None for a new file."""
        with self.read() as connection:
            if not inspect(connection).has_table("alembic_version"):
                return None
            found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
            return found

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that is on disk when the block is left.

        Raises StorageError when it can't be, and NotFoundError when a row that it refers to has
        been deleted.
        """
        try:
            with self.engine.execution_options(writes=True).begin() as connection:
                yield connection
        except IntegrityError as error:
            raise NotFoundError("What this belongs to has been deleted.") from error
        except DBAPIError as error:
            raise StorageError(
                f"The data could not be stored: {error.orig}.",
                hint=f"Make room on the disk that holds {self.folder}.",
            ) from error

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection for reading one consistent state."""
        with self.engine.connect() as connection:
            yield connection

    def close(self) -> None:
        """Close the file and let another server have the folder."""
        self.engine.dispose()
        self._lock.close()


def open_engine(path: Path) -> Engine:
    """An engine whose every connection is in WAL mode and syncs each commit."""
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    os.close(descriptor)
    engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": 30})

    @event.listens_for(engine, "connect")
    def configure(connection: sqlite3.Connection, _record: Any) -> None:
        connection.isolation_level = None
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A transaction that will write takes its turn first, so that it can't be refused midway.
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def lock(folder: Path) -> IO[str]:
    """Take the folder for this process until the returned file is closed."""
    import fcntl

    held = (folder / "lock").open("w", encoding="ascii")
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        held.close()
        raise OSError("another Wiregrad server is using it") from None
    return held
