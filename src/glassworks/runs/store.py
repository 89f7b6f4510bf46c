"""Runs as those see them who ask for them: submitted, listed, followed, cancelled, gone on with."""

from __future__ import annotations

import contextlib
import hashlib
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc

from glassworks.catalog import get
from glassworks.config import validate
from glassworks.contracts import Work
from glassworks.errors import InputError, NotFound
from glassworks.registry import Registry
from glassworks.registry.connected import Connected
from glassworks.runs.records import OPEN, WAITING, Event, Run, State
from glassworks.runs.tables import EVENTS, RUNS, TABLES, WORKERS

PAGE = 100
ALIVE_S = 10.0
"""A worker that was not seen for so long is dead."""
_SHOWN = [column for column in RUNS.c if column.name in Run.model_fields]


class Runs:
    """All runs of a registry. Each method is one transaction; failures are RegistryError and StorageError."""

    def __init__(self, registry: Registry, clock: Callable[[], float] = time.time) -> None:
        self.clock = clock
        self.connected = Connected(registry.database)
        self.connected.create(TABLES)

    def submit(
        self,
        kind: str,
        request: Mapping[str, Any],
        *,
        who: str = "",
        priority: int = 0,
        parent: str = "",
        idempotency: str | None = None,
    ) -> Run:
        """Queue work. With an idempotency key that was used before, that run; higher priorities come first.

        Raises NotFound for an unknown kind, InputError for the request and for a key of another request.
        """
        work = get(Work, kind)
        checked = validate(work.request, request, where=kind)
        asked = hashlib.sha256(f"{kind} {checked.model_dump_json()}".encode()).hexdigest()
        if idempotency is not None and (before := self._asked(idempotency, asked)):
            return before
        more: dict[str, Any] = {"who": who, "priority": priority, "parent": parent, "idempotency": idempotency}
        settled = work.settled(checked)
        what = {"kind": kind, "about": work.about(settled)[:200], "request": settled.model_dump(mode="json")}
        # Somebody may have been quicker with the same key.
        return self._inserted({**what, **more, "asked": asked}) or self.submit(kind, request, **more)

    def get(self, run: str) -> Run:
        """One run, by its id or by the beginning of it. Raises NotFound."""
        with self.connected.transaction() as connection:
            return run_of(_found(connection, run))

    def list(
        self, states: Sequence[State] = (), kind: str = "", before: str = "", limit: int = PAGE
    ) -> tuple[Run, ...]:
        """The newest first; `before` is the id of the run after which the page begins."""
        query = sa.select(*_SHOWN).order_by(RUNS.c.number.desc()).limit(limit)
        if states:
            query = query.where(RUNS.c.state.in_(states))
        if kind:
            query = query.where(RUNS.c.kind == kind)
        with self.connected.transaction() as connection:
            if before:
                query = query.where(RUNS.c.number < _found(connection, before)["number"])
            return tuple(run_of(row) for row in connection.execute(query).mappings())

    def events(self, run: str, after: int = 0, limit: int = 1000) -> tuple[Event, ...]:
        """What happened in a run after the event of that number, in order."""
        query = sa.select(EVENTS).where(EVENTS.c.run == run, EVENTS.c.number > after)
        with self.connected.transaction() as connection:
            rows = connection.execute(query.order_by(EVENTS.c.number).limit(limit)).mappings()
            return tuple(Event(**row) for row in rows)

    def workers(self) -> int:
        """How many live."""
        alive = WORKERS.c.seen > self.clock() - ALIVE_S
        with self.connected.transaction() as connection:
            return connection.scalar(sa.select(sa.func.count()).select_from(WORKERS).where(alive)) or 0

    def cancel(self, run: str) -> Run:
        """End a run that waits, and let one that is running end at its next step; what it has trained is kept."""
        with self.connected.transaction() as connection:
            row = _found(connection, run)
            this, now = RUNS.c.id == row["id"], self.clock()
            ended = {"state": "cancelled", "ended_at": now, "cancelling": False}
            waiting = sa.update(RUNS).where(this, RUNS.c.state.in_(WAITING)).values(ended)
            if connection.execute(waiting).rowcount:
                note(connection, row["id"], now, "state", {"state": "cancelled"})
            elif not connection.execute(
                sa.update(RUNS).where(this, RUNS.c.state == "running").values(cancelling=True)
            ).rowcount:
                raise InputError(f"run {row['id']} is not under way: it is {row['state']}", "there is nothing to end")
            return run_of(_found(connection, row["id"]))

    def resume(self, run: str) -> Run:
        """Queue a run again that failed or was cancelled: it goes on where it stopped."""
        with self.connected.transaction() as connection:
            row = _found(connection, run)
            again = {"state": "queued", "ended_at": None, "error": None, "cancelling": False, "deaths": 0}
            ended = RUNS.c.state.in_(("failed", "cancelled"))
            if not connection.execute(sa.update(RUNS).where(RUNS.c.id == row["id"], ended).values(again)).rowcount:
                mend = "it goes on by itself" if row["state"] in OPEN else "submit it again"
                raise InputError(f"run {row['id']} cannot be gone on with: it is {row['state']}", mend)
            note(connection, row["id"], self.clock(), "state", {"state": "queued"})
            return run_of(_found(connection, row["id"]))

    def _inserted(self, row: Mapping[str, Any]) -> Run | None:
        """None where the idempotency key is there already."""
        row = {**row, "id": uuid.uuid4().hex[:12], "state": "queued", "created_at": self.clock()}
        with contextlib.suppress(exc.IntegrityError), self.connected.transaction() as connection:
            connection.execute(sa.insert(RUNS).values(row))
            note(connection, row["id"], self.clock(), "state", {"state": "queued"})
            return run_of(_found(connection, row["id"]))
        return None

    def _asked(self, idempotency: str, asked: str) -> Run | None:
        query = sa.select(RUNS).where(RUNS.c.idempotency == idempotency)
        with self.connected.transaction() as connection:
            row = connection.execute(query).mappings().first()
        if row is None:
            return None
        if row["asked"] != asked:
            raise InputError(
                f"the idempotency key '{idempotency}' belongs to run {row['id']}, which asks for something else",
                "use a new key for new work",
            )
        return run_of(row)


def run_of(row: sa.RowMapping | Mapping[str, Any]) -> Run:
    """The record of a row."""
    return Run(**{str(key): value for key, value in row.items() if key in Run.model_fields})


def note(connection: sa.Connection, run: str, at: float, kind: str, data: Mapping[str, Any]) -> None:
    """Keep an event."""
    connection.execute(sa.insert(EVENTS).values(run=run, at=at, kind=kind, data=dict(data)))


def _found(connection: sa.Connection, run: str) -> Mapping[str, Any]:
    query = sa.select(RUNS).where(RUNS.c.id.startswith(run, autoescape=True)).limit(2)
    rows = connection.execute(query).mappings().all() if run else []
    exact = [row for row in rows if row["id"] == run] or rows
    if len(exact) == 1:
        return dict(exact[0])
    what = f"several runs begin with '{run}'" if rows else f"there is no run '{run[:40]}'"
    raise NotFound(what, "'glassworks runs list' shows them")
