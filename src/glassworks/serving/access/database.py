"""`access.db`: SQLite in WAL mode with the keys, the usage and the names of the segments that it already holds."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.schema import CreateColumn, CreateIndex, CreateTable

from glassworks.errors import StorageError
from glassworks.serving.access.segments import Sums
from glassworks.storage import storage_errors, write_ahead

# A reader in WAL mode waits for nobody; this bounds writers, who are people at a command line and `fold`.
_BUSY_S = 10.0
_TABLES = sa.MetaData()
KEYS = sa.Table(
    "keys",
    _TABLES,
    sa.Column("id", sa.String(8), primary_key=True),
    sa.Column("name", sa.String(63), nullable=False),
    sa.Column("secret_sha256", sa.LargeBinary(32), nullable=False),
    sa.Column("created_at", sa.String(40), nullable=False),
    sa.Column("expires_at", sa.String(40)),
    sa.Column("revoked_at", sa.String(40)),
    sa.Column("models", sa.JSON, nullable=False),
    sa.Column("roles", sa.JSON, nullable=False),
    sa.Column("requests_per_s", sa.Float),
    sa.Column("requests_per_day", sa.BigInteger),
    sa.Column("rows_per_day", sa.BigInteger),
    sa.Column("tokens_per_day", sa.BigInteger),
    sa.Column("concurrent_streams", sa.BigInteger),
    sa.Column("max_context", sa.BigInteger),
)
# A name is free again once its key is revoked.
_LIVE_NAMES = sa.Index("live_names", KEYS.c.name, unique=True, sqlite_where=KEYS.c.revoked_at.is_(None))
USAGE = sa.Table(
    "usage",
    _TABLES,
    sa.Column("day", sa.String(10), primary_key=True),
    sa.Column("key_id", sa.String(9), primary_key=True),
    sa.Column("model", sa.String, primary_key=True),
    sa.Column("version", sa.String, primary_key=True),
    sa.Column("verb", sa.String, primary_key=True),
    *(sa.Column(name, sa.BigInteger, nullable=False, server_default="0") for name in Sums._fields),
)
FOLDED = sa.Table("folded", _TABLES, sa.Column("segment", sa.String, primary_key=True))

Stamp = tuple[tuple[int, int, int] | None, ...]
"""Of the database and its log: inode, size and the time of the last change; None for a file that is not there."""


class AccessDatabase:
    """The file and its tables, which the first write makes. Failures are StorageError."""

    def __init__(self, home: Path) -> None:
        self._file = home / "access.db"
        self._engine = _engine(self._file)
        self._made = False

    @property
    def exists(self) -> bool:
        """Whether anything was ever written; reading from nothing makes no file."""
        with storage_errors(self._file):
            return self._file.exists()

    def stamp(self) -> Stamp:
        """Differs after a change by any process; costs two calls of `stat` and opens nothing."""
        with storage_errors(self._file):
            return tuple(_stamp(path) for path in (self._file, self._file.with_name(f"{self._file.name}-wal")))

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sa.Connection]:
        """All of the block or nothing. IntegrityError passes, for the caller to tell what is there already."""
        try:
            self._make()
            with self._engine.begin() as connection:
                yield connection
        except exc.IntegrityError:
            raise
        except exc.DBAPIError as error:
            raise self._storage_error(error) from error

    def _make(self) -> None:
        if self._made:
            return
        with storage_errors(self._file):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            # SQLite gives its log the mode of the database. An open file is never closed here where there is a
            # database already: closing it would release the locks that this process holds on it.
            with contextlib.suppress(FileExistsError):
                os.close(os.open(self._file, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
            if stat.S_IMODE(self._file.stat().st_mode) & 0o077:
                self._file.chmod(0o600)
        with self._engine.begin() as connection:
            for table in _TABLES.sorted_tables:
                connection.execute(CreateTable(table, if_not_exists=True))
            connection.execute(CreateIndex(_LIVE_NAMES, if_not_exists=True))
            if any(_missing(connection, table) for table in _TABLES.sorted_tables):
                _complete(connection)
        self._made = True

    def _storage_error(self, error: exc.DBAPIError) -> StorageError:
        reason = str(error.orig).strip() or type(error.orig).__name__
        code = getattr(error.orig, "sqlite_errorname", "")
        if code.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            return StorageError(
                f"another process holds {self._file} for more than {_BUSY_S:.0f} s",
                "end the process that hangs, then try again",
            )
        if code.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
            return StorageError(
                f"the keys and the usage in {self._file} cannot be read: {reason}",
                f"put {self._file.name} back from a copy, or move it away, with the files {self._file.name}-wal and "
                "-shm if they are there, and create the keys again",
            )
        return StorageError(
            f"{self._file} cannot be used: {reason}",
            "free some space and make the folder writable, or set GLASSWORKS_HOME to another one",
        )


def _missing(connection: sa.Connection, table: sa.Table) -> list[sa.Column[Any]]:
    """The columns that a file of before has not."""
    there = {row[1] for row in connection.execute(sa.text(f"PRAGMA table_info({table.name})"))}
    return [column for column in table.columns if column.name not in there]


def _complete(connection: sa.Connection) -> None:
    """Add them, all at once; of two processes that do so, the second finds them there."""
    connection.execute(sa.text("BEGIN IMMEDIATE"))
    for table in _TABLES.sorted_tables:
        for column in _missing(connection, table):
            described = CreateColumn(column).compile(dialect=connection.dialect)
            connection.execute(sa.text(f"ALTER TABLE {table.name} ADD COLUMN {described}"))


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _engine(file: Path) -> sa.Engine:
    # No pool: a connection must neither outlive its use nor cross a fork or a thread.
    url = sa.URL.create("sqlite", database=str(file))
    engine = sa.create_engine(url, poolclass=sa.NullPool, connect_args={"timeout": _BUSY_S})
    sa.event.listen(engine, "connect", lambda connection, _: write_ahead(connection))
    return engine
