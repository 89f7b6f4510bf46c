"""`batches.db`: SQLite in WAL mode with the files and batches of all owners; contents lie beside it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.schema import CreateIndex, CreateTable

from glassworks.errors import StorageError
from glassworks.storage import storage_errors, write_ahead

_BUSY_S = 10.0
_TABLES = sa.MetaData()
FILES = sa.Table(
    "files",
    _TABLES,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("id", sa.String(40), nullable=False, unique=True),
    sa.Column("owner", sa.String(9), nullable=False),
    sa.Column("filename", sa.String, nullable=False),
    sa.Column("purpose", sa.String(40), nullable=False),
    sa.Column("size_bytes", sa.BigInteger, nullable=False),
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("expires_at", sa.BigInteger),
)
BATCHES = sa.Table(
    "batches",
    _TABLES,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("id", sa.String(40), nullable=False, unique=True),
    sa.Column("owner", sa.String(9), nullable=False),
    sa.Column("status", sa.String(20), nullable=False),
    sa.Column("input_file_id", sa.String(40), nullable=False),
    sa.Column("record", sa.Text, nullable=False),
)
_INDICES = (
    sa.Index("files_of_owner", FILES.c.owner, FILES.c.number),
    sa.Index("files_of_content", FILES.c.sha256),
    sa.Index("batches_of_owner", BATCHES.c.owner, BATCHES.c.number),
    sa.Index("batches_by_status", BATCHES.c.status),
)


class BatchDatabase:
    """The file and its tables, which the first write makes. Failures are StorageError."""

    def __init__(self, home: Path) -> None:
        self._file, self._made = home / "batches.db", False
        # No pool: a connection must neither outlive its use nor cross a fork or a thread.
        url = sa.URL.create("sqlite", database=str(self._file))
        self._engine = sa.create_engine(url, poolclass=sa.NullPool, connect_args={"timeout": _BUSY_S})
        sa.event.listen(self._engine, "connect", lambda connection, _: write_ahead(connection))

    @property
    def exists(self) -> bool:
        """Whether anything was ever written; reading from nothing makes no file."""
        with storage_errors(self._file):
            return self._file.exists()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sa.Connection]:
        """All of the block or nothing."""
        try:
            self._make()
            with self._engine.begin() as connection:
                yield connection
        except exc.DBAPIError as error:
            reason = str(error.orig).strip() or type(error.orig).__name__
            raise StorageError(
                f"{self._file} cannot be used: {reason}",
                "free some space and make the folder writable, or set GLASSWORKS_HOME to another one",
            ) from error

    def _make(self) -> None:
        if self._made:
            return
        with storage_errors(self._file):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            # SQLite gives its log the mode of the database, which holds what only its owners may read.
            with contextlib.suppress(FileExistsError):
                os.close(os.open(self._file, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        with self._engine.begin() as connection:
            for table in _TABLES.sorted_tables:
                connection.execute(CreateTable(table, if_not_exists=True))
            for index in _INDICES:
                connection.execute(CreateIndex(index, if_not_exists=True))
        self._made = True
