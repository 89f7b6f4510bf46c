"""Where batches are kept: the interface that the worker and the protocol use, over `batches.db`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import sqlalchemy as sa

from glassworks.errors import NotFound
from glassworks.serving.batches.database import BATCHES, BatchDatabase
from glassworks.serving.batches.records import ACTIVE, Batch


class BatchStore:
    """The batches of all owners, of any number of processes. Everything blocks for some milliseconds, and raises
    StorageError."""

    def __init__(self, home: Path) -> None:
        self._database = BatchDatabase(home)

    def add(self, batch: Batch) -> None:
        """Keep a new batch."""
        with self._database.transaction() as connection:
            connection.execute(sa.insert(BATCHES).values(input_file_id=batch.input_file_id, **_columns(batch)))

    def get(self, owner: str, identity: str) -> Batch:
        """One of the owner's batches. Raises NotFound, also for what is somebody else's."""
        if self._database.exists:
            query = sa.select(BATCHES.c.record).where(BATCHES.c.id == identity, BATCHES.c.owner == owner)
            with self._database.transaction() as connection:
                record = connection.scalar(query)
            if record is not None:
                return Batch.model_validate_json(record)
        raise NotFound(f"there is no batch '{identity[:100]}'", "list yours: GET /v1/batches")

    def page(self, owner: str, limit: int, after: str | None = None) -> tuple[list[Batch], bool]:
        """The newest first, behind `after`, and whether there are more. Raises NotFound."""
        if not self._database.exists:
            return [], False
        number = BATCHES.c.number
        query = sa.select(BATCHES.c.record).where(BATCHES.c.owner == owner).order_by(number.desc()).limit(limit + 1)
        with self._database.transaction() as connection:
            if after is not None:
                begin = connection.scalar(sa.select(number).where(BATCHES.c.id == after, BATCHES.c.owner == owner))
                if begin is None:
                    raise NotFound(f"there is no batch '{after[:100]}' to go on after", "leave 'after' out")
                query = query.where(number < begin)
            records = connection.scalars(query).all()
        return [Batch.model_validate_json(each) for each in records[:limit]], len(records) > limit

    def active(self, owner: str | None = None) -> list[Batch]:
        """Those that have not ended, the oldest first; of one owner or of all."""
        if not self._database.exists:
            return []
        query = sa.select(BATCHES.c.record).where(BATCHES.c.status.in_(ACTIVE)).order_by(BATCHES.c.number)
        if owner is not None:
            query = query.where(BATCHES.c.owner == owner)
        with self._database.transaction() as connection:
            return [Batch.model_validate_json(each) for each in connection.scalars(query)]

    def change(self, identity: str, changed: Callable[[Batch], Batch]) -> Batch:
        """What a batch becomes, of what it is now: nobody else changes it in between. What `changed` raises, passes."""
        same = BATCHES.c.id == identity
        with self._database.transaction() as connection:
            # The first statement writes, and so takes the database for this transaction alone.
            connection.execute(sa.update(BATCHES).where(same).values(id=identity))
            record = connection.execute(sa.select(BATCHES.c.record).where(same)).scalar_one()
            batch = changed(Batch.model_validate_json(record))
            connection.execute(sa.update(BATCHES).where(same).values(**_columns(batch)))
        return batch


def _columns(batch: Batch) -> dict[str, str]:
    return {"id": batch.id, "owner": batch.owner, "status": batch.status, "record": batch.model_dump_json()}
