"""The registry's database: SQLite in WAL mode by default, any SQLAlchemy database for a team."""

from __future__ import annotations

import contextlib
import functools
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.schema import CreateIndex, CreateTable

from glassworks.errors import GlassworksError, InputError, MissingLibrary, RegistryError, StorageError
from glassworks.storage import write_ahead

_BUSY_S = 60.0
Stamp = tuple[tuple[int, int], ...]
"""Size and time of the last change of each file."""


class Connected:
    """Transactions of a database whose failures are said in the words of the registry."""

    def __init__(self, database: Path | str, safe: str = "") -> None:
        """`database` is the file of a SQLite database or a URL; `safe` says what is lost in no case."""
        self._engine = _engine(database)
        self._file = database if isinstance(database, Path) else None
        self._safe = safe

    def stamp(self) -> Stamp | None:
        """Of a SQLite file and its log: size and time of the last change, which differ after one; None for others."""
        if self._file is None:
            return None
        paths = (self._file, self._file.with_name(f"{self._file.name}-wal"))
        with contextlib.suppress(OSError):
            return tuple(
                (about.st_size, about.st_mtime_ns) for about in (path.stat() for path in paths if path.exists())
            )
        return None

    def create(self, tables: sa.MetaData) -> None:
        """Create what is not there yet. Where everything is, nothing is locked."""
        if self.missing(tables):
            # Somebody may be creating the same: what is there in the end counts.
            with contextlib.suppress(exc.IntegrityError, RegistryError), self.transaction() as connection:
                for table in tables.sorted_tables:
                    connection.execute(CreateTable(table, if_not_exists=True))
                    for index in table.indexes:
                        connection.execute(CreateIndex(index, if_not_exists=True))
            if missing := self.missing(tables):
                raise RegistryError(
                    f"the registry's database lacks the table '{missing[0]}'",
                    "give this user the right to create tables",
                )

    def missing(self, tables: sa.MetaData) -> list[str]:
        """The names of those that are not there."""
        with self.transaction() as connection:
            there = set(sa.inspect(connection).get_table_names())
        return [table.name for table in tables.sorted_tables if table.name not in there]

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sa.Connection]:
        """All of the block or nothing. Raises IntegrityError as it comes, else RegistryError and StorageError."""
        try:
            with self._engine.begin() as connection:
                yield connection
        except exc.IntegrityError:
            raise
        except exc.DBAPIError as error:
            raise self._named(error) from error

    def _named(self, error: exc.DBAPIError) -> GlassworksError:
        reason = str(error.orig).strip() or type(error.orig).__name__
        if self._file is None or not isinstance(error.orig, sqlite3.Error):
            where = self._engine.url.render_as_string(hide_password=True)
            return RegistryError(
                f"the registry's database {where} cannot be used: {reason}",
                "see that GLASSWORKS_DATABASE is right and that the database answers",
            )
        code = getattr(error.orig, "sqlite_errorname", "")
        if code.startswith(("SQLITE_FULL", "SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_IOERR", "SQLITE_PERM")):
            return StorageError(
                f"the registry's database {self._file} cannot be written: {reason}",
                "free some space and make the folder writable, or set GLASSWORKS_HOME to another one",
            )
        if code.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            return RegistryError(
                f"another process holds the registry's database {self._file} for more than {_BUSY_S:.0f} s",
                "end the process that hangs, then try again",
            )
        return RegistryError(
            f"the registry's database {self._file} is damaged: {reason}",
            f"{self._safe}move {self._file} away, with the files {self._file.name}-wal and -shm if they are there, and "
            "give the command again: the database is rebuilt from the store",
        )


def _engine(database: Path | str) -> sa.Engine:
    # No pool: calls are rare, and a connection must neither outlive its use nor cross a fork.
    try:
        if isinstance(database, Path):
            url = sa.URL.create("sqlite", database=str(database))
            engine = sa.create_engine(url, poolclass=sa.NullPool, connect_args={"timeout": _BUSY_S})
        else:
            engine = sa.create_engine(database, poolclass=sa.NullPool)
    except exc.ArgumentError as error:
        raise InputError(
            f"GLASSWORKS_DATABASE is no database URL: {error}", "give one such as postgresql+psycopg://user@host/name"
        ) from error
    except ModuleNotFoundError as error:
        raise MissingLibrary(
            f"the database in GLASSWORKS_DATABASE needs the library '{error.name}'", f"pip install {error.name}"
        ) from error
    if engine.dialect.name == "sqlite":
        sa.event.listen(engine, "connect", lambda connection, _: write_ahead(connection))
    return engine


class OwnTables:
    """Tables of one purpose beside the registry's own in its database: created when they are first needed."""

    def __init__(self, database: Path | str, tables: sa.MetaData) -> None:
        self._database, self._tables = database, tables

    @functools.cached_property
    def transaction(self) -> Callable[[], contextlib.AbstractContextManager[sa.Connection]]:
        """One of them, as `Connected.transaction` gives it."""
        connected = Connected(self._database)
        connected.create(self._tables)
        return connected.transaction
