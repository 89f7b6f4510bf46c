"""The registry's tables: SQLite in WAL mode by default, any SQLAlchemy database for a team."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence
from contextvars import ContextVar
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import exc

from glassworks.errors import RegistryError
from glassworks.registry.connected import Connected
from glassworks.registry.records import CHAMPION, Alias, Head, Version

PUBLISHED_WITH: ContextVar[Callable[[sa.Connection, Version], None] | None] = ContextVar("published_with", default=None)
"""What is written in the transaction that publishes a version, such as whose it is; it may refuse by raising."""
_SAFE = "the bundles in {store_url} are safe: "
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
        connected = Connected(database, _SAFE.format(store_url=store_url))
        connected.create(_TABLES)
        self._transaction = connected.transaction

    def names(self) -> tuple[str, ...]:
        """The names of all models, sorted."""
        with self._transaction() as connection:
            return tuple(connection.scalars(sa.select(_VERSIONS.c.name).distinct().order_by(_VERSIONS.c.name)))

    def heads(self, names: Sequence[str]) -> tuple[Head, ...]:
        """Models in short, sorted by their names."""
        name, number = _VERSIONS.c.name, _VERSIONS.c.version
        counted = sa.select(name, sa.func.count(), sa.func.max(number)).where(name.in_(names)).group_by(name)
        with self._transaction() as connection:
            found = connection.execute(counted.order_by(name)).all()
            aliases = connection.execute(sa.select(_ALIASES).where(_ALIASES.c.name.in_(names))).mappings().all()
            of = {
                each[0]: {row["alias"]: row["version"] for row in aliases if row["name"] == each[0]} for each in found
            }
            shown = {(each[0], version) for each in found for version in (each[2], of[each[0]].get(CHAMPION, each[2]))}
            rows = connection.execute(sa.select(_VERSIONS).where(sa.tuple_(name, number).in_(sorted(shown)))).mappings()
            versions = {(row["name"], row["version"]): Version(**row) for row in rows}
        return tuple(
            Head(
                name=model,
                versions=count,
                newest=newest,
                created_at=versions[model, newest].created_at,
                aliases=of[model],
                chosen=versions.get((model, of[model].get(CHAMPION, newest)), versions[model, newest]),
            )
            for model, count, newest in found
        )

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
                if with_it := PUBLISHED_WITH.get():
                    with_it(connection, version)
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

    def unpoint(self, name: str, alias: str, forget: Callable[[], None]) -> None:
        """Let an alias name nothing; `forget` runs before anybody sees that, and may refuse by raising."""
        with self._transaction() as connection:
            connection.execute(sa.delete(_ALIASES).where(_ALIASES.c.name == name, _ALIASES.c.alias == alias))
            forget()

    def restore(self, versions: Iterable[Version], aliases: Iterable[Alias]) -> None:
        """Fill an empty database, all or nothing. Where another process was quicker, its work stays."""
        with contextlib.suppress(exc.IntegrityError), self._transaction() as connection:
            for version in versions:
                connection.execute(sa.insert(_VERSIONS).values(version.model_dump(exclude={"aliases"})))
            for alias in aliases:
                connection.execute(sa.insert(_ALIASES).values(alias.model_dump()))
