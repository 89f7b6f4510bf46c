"""The registry's tables: SQLite in WAL mode by default, any SQLAlchemy database for a team."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.schema import CreateTable

from glassworks.errors import GlassworksError, InputError, MissingLibrary, RegistryError, StorageError
from glassworks.registry.records import Alias, Version
from glassworks.storage import write_ahead

_BUSY_S = 60.0
_ATTEMPTS = 100
_TABLES = sa.MetaData()
_VERSIONS = sa.Table(
    "glassworks_versions",
    _TABLES,
    sa.Column("name", sa.String(63), primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("bundle_sha256", sa.String(64), nullable=False),
    sa.Column("created_at", sa.String(40), nullable=False),
    sa.Column("parent", sa.String(80), nullable=False),
)
_ALIASES = sa.Table(
    "glassworks_aliases",
    _TABLES,
    sa.Column("name", sa.String(63), primary_key=True),
    sa.Column("alias", sa.String(63), primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
)


class Database:
    """Versions and aliases. Each method is one transaction; failures are RegistryError and StorageError."""

    def __init__(self, database: Path | str, store_url: str) -> None:
        """`database` is the file of a SQLite database or a URL; `store_url` is named in mends only."""
        self._engine = _engine(database)
        self._file = database if isinstance(database, Path) else None
        self._store_url = store_url
        with self._transaction() as connection:
            for table in _TABLES.sorted_tables:
                connection.execute(CreateTable(table, if_not_exists=True))

    def names(self) -> tuple[str, ...]:
        """The names of all models, sorted."""
        with self._transaction() as connection:
            return tuple(connection.scalars(sa.select(_VERSIONS.c.name).distinct().order_by(_VERSIONS.c.name)))

    def versions(self, name: str) -> tuple[Version, ...]:
        """All versions of a model with their aliases, the oldest first."""
        of_name = sa.select(_VERSIONS).where(_VERSIONS.c.name == name).order_by(_VERSIONS.c.version)
        with_aliases = sa.select(_ALIASES).where(_ALIASES.c.name == name).order_by(_ALIASES.c.alias)
        with self._transaction() as connection:
            rows = connection.execute(of_name).mappings().all()
            aliases = connection.execute(with_aliases).mappings().all()
        return tuple(
            Version(**row, aliases=tuple(each["alias"] for each in aliases if each["version"] == row["version"]))
            for row in rows
        )

    def add(self, draft: Version, keep: Callable[[Version], None]) -> Version:
        """Give `draft` the next version of its name. `keep` runs before anybody sees it and may refuse by raising."""
        next_version = sa.select(
            sa.literal(draft.name),
            sa.func.coalesce(sa.func.max(_VERSIONS.c.version), 0) + 1,
            *(sa.literal(value) for value in (draft.bundle_sha256, draft.created_at, draft.parent)),
        ).where(_VERSIONS.c.name == draft.name)
        # One statement, so that SQLite takes its write lock before it reads; elsewhere the key decides.
        insert = sa.insert(_VERSIONS).from_select(_VERSIONS.c.keys(), next_version).returning(_VERSIONS.c.version)
        for _ in range(_ATTEMPTS):
            with contextlib.suppress(exc.IntegrityError), self._transaction() as connection:
                version = draft.model_copy(update={"version": connection.execute(insert).scalar_one()})
                keep(version)
                return version
        raise RegistryError(f"others keep publishing '{draft.name}' at the same time", "publish it again")

    def point(self, alias: Alias, keep: Callable[[Alias], None]) -> None:
        """Let an alias name a version, instead of the one it named before."""
        same = (_ALIASES.c.name == alias.name, _ALIASES.c.alias == alias.alias)
        for _ in range(_ATTEMPTS):
            with contextlib.suppress(exc.IntegrityError), self._transaction() as connection:
                connection.execute(sa.delete(_ALIASES).where(*same))
                connection.execute(sa.insert(_ALIASES).values(alias.model_dump()))
                keep(alias)
                return
        raise RegistryError(f"others keep setting '{alias.alias}' at the same time", "set it again")

    def restore(self, versions: Iterable[Version], aliases: Iterable[Alias]) -> None:
        """Fill an empty database, all or nothing. Where another process was quicker, its work stays."""
        with contextlib.suppress(exc.IntegrityError), self._transaction() as connection:
            for version in versions:
                connection.execute(sa.insert(_VERSIONS).values(version.model_dump(exclude={"aliases"})))
            for alias in aliases:
                connection.execute(sa.insert(_ALIASES).values(alias.model_dump()))

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sa.Connection]:
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
            f"the bundles in {self._store_url} are safe: move {self._file} away, with the files {self._file.name}-wal "
            "and -shm if they are there, and give the command again: the database is rebuilt from the store",
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
