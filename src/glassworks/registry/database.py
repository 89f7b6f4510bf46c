"""The registry's tables: SQLite in WAL mode by default, any SQLAlchemy database for a team."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.schema import CreateTable

from glassworks.errors import InputError, MissingLibrary, RegistryError, StorageError
from glassworks.registry.records import Version

_BUSY_S = 60.0
_ATTEMPTS = 20
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
    """Versions and aliases. Every method is one transaction; every failure is a RegistryError or StorageError."""

    def __init__(self, url: str, store_url: str) -> None:
        self._store_url = store_url
        self._engine = _engine(url)
        self._where = self._engine.url.database if self._sqlite else self._engine.url.render_as_string()
        with self._connected() as connection:
            for table in _TABLES.sorted_tables:
                connection.execute(CreateTable(table, if_not_exists=True))

    def names(self) -> list[str]:
        """The names of all models, sorted."""
        with self._connected() as connection:
            return list(connection.scalars(sa.select(_VERSIONS.c.name).distinct().order_by(_VERSIONS.c.name)))

    def versions(self, name: str) -> list[Version]:
        """All versions of a model with their aliases, the oldest first."""
        with self._connected() as connection:
            rows = connection.execute(
                sa.select(_VERSIONS).where(_VERSIONS.c.name == name).order_by(_VERSIONS.c.version)
            ).all()
            aliases = connection.execute(
                sa.select(_ALIASES).where(_ALIASES.c.name == name).order_by(_ALIASES.c.alias)
            ).all()
        held = [(alias.alias, alias.version) for alias in aliases]
        return [
            Version(**row._mapping, aliases=tuple(alias for alias, version in held if version == row.version))
            for row in rows
        ]

    @contextlib.contextmanager
    def adding(self, name: str, values: Mapping[str, str]) -> Iterator[Version]:
        """The next version of `name`, seen by others when the block ends well."""
        with self._connected() as connection:
            yield Version(name=name, version=_insert_next(connection, name, values), **values)

    @contextlib.contextmanager
    def pointing(self, name: str, alias: str, version: int) -> Iterator[None]:
        """Let an alias name a version, seen by others when the block ends well."""
        with self._connected() as connection:
            connection.execute(sa.delete(_ALIASES).where(_ALIASES.c.name == name, _ALIASES.c.alias == alias))
            connection.execute(sa.insert(_ALIASES).values(name=name, alias=alias, version=version))
            yield

    def restore(self, versions: Iterable[Version], aliases: Iterable[Mapping[str, str | int]]) -> None:
        """Fill an empty database; what another process restored or published meanwhile stays."""
        for table, rows in (
            (_VERSIONS, [version.model_dump(exclude={"aliases"}) for version in versions]),
            (_ALIASES, [dict(alias) for alias in aliases]),
        ):
            for row in rows:
                with self._connected() as connection, contextlib.suppress(exc.IntegrityError):
                    connection.execute(sa.insert(table).values(row))

    @property
    def _sqlite(self) -> bool:
        return self._engine.dialect.name == "sqlite"

    @contextlib.contextmanager
    def _connected(self) -> Iterator[sa.Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except exc.IntegrityError:
            raise
        except exc.DBAPIError as error:
            raise self._told(error) from error
