"""Which versions of a model answer, and in what shares: every change is kept, and none is ever rewritten."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import sqlalchemy as sa
from sqlalchemy import exc

from glassworks.record import Record
from glassworks.registry.connected import OwnTables
from glassworks.registry.registry import Registry

What = Literal["found", "changed", "forced", "rolled back", "loaded", "unloaded"]
"""What was done. `found`: somebody had changed it in another way, such as with the command line. `forced`: the champion
had fallen on a gate."""
_TABLES = sa.MetaData()
_REVISIONS = sa.Table(
    "glassworks_deployments",
    _TABLES,
    sa.Column("model", sa.String(63), primary_key=True),
    sa.Column("revision", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("at", sa.String(40), nullable=False),
    sa.Column("who", sa.String(63), nullable=False),
    sa.Column("what", sa.String(20), nullable=False),
    sa.Column("champion", sa.Integer),
    sa.Column("shares", sa.JSON, nullable=False),
    sa.Column("shadow", sa.Integer),
    sa.Column("restores", sa.Integer),
)


class Revision(Record):
    """How the requests of a model were answered from a time on. `at` is ISO 8601 in UTC; `shares` are in percent by
    version; a rollback `restores` an earlier revision."""

    model: str
    revision: int
    at: str
    who: str
    what: What
    champion: int | None = None
    shares: dict[str, float] = {}
    shadow: int | None = None
    restores: int | None = None


class Deployments:
    """The revisions of all models, in the registry's database. Failures are RegistryError and StorageError."""

    def __init__(self, registry: Registry) -> None:
        self._own = OwnTables(registry.database, _TABLES)

    def models(self) -> tuple[str, ...]:
        """The names of models with revisions, sorted."""
        with self._own.transaction() as connection:
            return tuple(connection.scalars(sa.select(_REVISIONS.c.model).distinct().order_by(_REVISIONS.c.model)))

    def latest(self, model: str) -> Revision | None:
        """The last revision of a model; None without one."""
        return next(iter(self.history(model, limit=1)), None)

    def history(self, model: str, before: int | None = None, limit: int = 50) -> tuple[Revision, ...]:
        """The revisions of a model, the newest first; only those before a number, where it is given."""
        query = sa.select(_REVISIONS).where(_REVISIONS.c.model == model)
        if before is not None:
            query = query.where(_REVISIONS.c.revision < before)
        with self._own.transaction() as connection:
            rows = connection.execute(query.order_by(_REVISIONS.c.revision.desc()).limit(limit)).mappings()
            return tuple(Revision.model_validate(dict(row)) for row in rows)

    def append(self, revisions: Sequence[Revision]) -> bool:
        """Keep revisions, all or none: false where another change has taken one of their numbers."""
        try:
            with self._own.transaction() as connection:
                connection.execute(sa.insert(_REVISIONS), [each.model_dump() for each in revisions])
        except exc.IntegrityError:
            return False
        return True

    def withdraw(self, revisions: Sequence[Revision]) -> None:
        """Forget revisions that could not take effect."""
        with self._own.transaction() as connection:
            for each in revisions:
                same = (_REVISIONS.c.model == each.model, _REVISIONS.c.revision == each.revision)
                connection.execute(sa.delete(_REVISIONS).where(*same))
