"""Runs as those see them who ask for them: submitted, listed, followed, cancelled, gone on with."""

from __future__ import annotations

import contextlib
import hashlib
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc

from glassworks.catalog import get
from glassworks.config import validate
from glassworks.contracts import Work
from glassworks.errors import InputError
from glassworks.registry import Registry
from glassworks.registry.connected import Connected
from glassworks.runs.records import OPEN, WAITING, Event, Run, State
from glassworks.runs.rows import ID, after, found, note, pause, run_of, shown
from glassworks.runs.tables import EVENTS, RUNS, TABLES

PAGE = 100
TRAINING = "train"
"""The stage in which a network learns: it can be ended early."""
LEASE_S = 10.0
"""A worker that did not report on its run for so long is dead: another one goes on."""
_LINES = 10_000
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
        what = {"kind": kind, "about": shown(work.about(settled)), "request": settled.model_dump(mode="json")}
        run = self._inserted({**what, **more, "asked": asked})
        if run is None and idempotency is not None:  # somebody was quicker with the same key
            run = self._asked(idempotency, asked)
        if run is None:
            raise InputError(
                f"the run cannot be kept: {more}", "give who, priority, parent and key as texts and a number"
            )
        return run

    def get(self, run: str) -> Run:
        """One run, by its id or by the beginning of it. Raises NotFound."""
        self.recover()
        with self.connected.transaction() as connection:
            return run_of(found(connection, run))

    def list(
        self, states: Sequence[State] = (), kind: str = "", before: str = "", limit: int = PAGE, about: str = "",
        asked: Mapping[str, str] = MappingProxyType({}),
    ) -> tuple[Run, ...]:  # fmt: skip
        """The newest first; `before` is the id of the run after which the page begins. An empty text means all; `asked`
        are texts that a request must hold by their keys."""
        self.recover()
        query = sa.select(*_SHOWN).order_by(RUNS.c.number.desc()).limit(max(1, limit))
        if states:
            query = query.where(RUNS.c.state.in_(states))
        if kind:
            query = query.where(RUNS.c.kind == kind)
        for key, text in asked.items():
            query = query.where(RUNS.c.request[key].as_string() == text)
        if about:
            # A check is found by its source, which no other data have, too: its name may be that of others.
            source = sa.and_(RUNS.c.kind == "check", RUNS.c.request[("data", "source")].as_string() == about)
            query = query.where(sa.or_(RUNS.c.about == about, source))
        with self.connected.transaction() as connection:
            if before:
                query = query.where(RUNS.c.number < found(connection, before)["number"])
            return tuple(run_of(row) for row in connection.execute(query).mappings())

    def made(self, model: str) -> str | None:
        """The id of the run that published a version, `name@version`; None for one that no run did."""
        query = sa.select(RUNS.c.id).where(RUNS.c.published == model).order_by(RUNS.c.number.desc()).limit(1)
        with self.connected.transaction() as connection:
            return connection.scalar(query)

    def counts(self) -> Mapping[str, int]:
        """How many runs are in each state."""
        query = sa.select(RUNS.c.state, sa.func.count()).group_by(RUNS.c.state)
        with self.connected.transaction() as connection:
            return {row[0]: row[1] for row in connection.execute(query)}

    def newest(self) -> int:
        """The number of the last event of all runs; 0 without one."""
        with self.connected.transaction() as connection:
            return connection.scalar(sa.select(sa.func.max(EVENTS.c.number))) or 0

    def events(self, run: str, after: int = 0, limit: int = 1000) -> tuple[Event, ...]:
        """What happened in a run after the event of that number, in order; in all runs, but for what they wrote, for an
        empty text."""
        which = EVENTS.c.run == run if run else EVENTS.c.kind != "log"
        query = sa.select(EVENTS).where(which, EVENTS.c.number > after)
        with self.connected.transaction() as connection:
            rows = connection.execute(query.order_by(EVENTS.c.number).limit(limit)).mappings()
            return tuple(Event(**row) for row in rows)

    def latest(self, run: str, before: int | None, limit: int) -> tuple[Event, ...]:
        """What happened in a run but for what it wrote, the last first; `before` is the number of an event."""
        query = sa.select(EVENTS).where(EVENTS.c.run == run, EVENTS.c.kind != "log")
        if before is not None:
            query = query.where(EVENTS.c.number < before)
        with self.connected.transaction() as connection:
            rows = connection.execute(query.order_by(EVENTS.c.number.desc()).limit(limit)).mappings()
            return tuple(Event(**row) for row in rows)

    def values(self, run: str, after: int = 0) -> Iterator[tuple[int, float, Mapping[str, Any]]]:
        """Number, time and values of a run's events of that kind behind the event of that number, in order."""
        columns = sa.select(EVENTS.c.number, EVENTS.c.at, EVENTS.c.data)
        query = columns.where(EVENTS.c.run == run, EVENTS.c.number > after, EVENTS.c.kind == "values")
        with self.connected.transaction() as connection:
            yield from (tuple(row) for row in connection.execute(query.order_by(EVENTS.c.number)))

    def waits(self, but_not: Sequence[str] = ()) -> bool:
        """Whether a run of other kinds than these waits for a worker, now or later."""
        query = sa.select(RUNS.c.id).where(RUNS.c.state.in_(WAITING), RUNS.c.kind.not_in(but_not)).limit(1)
        with self.connected.transaction() as connection:
            return connection.scalar(query) is not None

    def log(self, run: str, limit: int = _LINES) -> tuple[str, ...]:
        """The last lines that the work wrote."""
        query = sa.select(EVENTS.c.data).where(EVENTS.c.run == run, EVENTS.c.kind == "log")
        with self.connected.transaction() as connection:
            found = connection.scalars(query.order_by(EVENTS.c.number.desc()).limit(limit)).all()
        return tuple(str(data["line"]) for data in reversed(found))

    def recover(self) -> None:
        """Let runs wait again whose workers are dead."""
        late = sa.and_(RUNS.c.state == "running", RUNS.c.lease < self.clock())
        with self.connected.transaction() as connection:
            if connection.scalar(sa.select(RUNS.c.id).where(late).limit(1)):
                self.orphaned(connection, late, f"its worker was not heard of for {LEASE_S:.0f} s")

    def orphaned(self, connection: sa.Connection, which: sa.ColumnElement[bool], how: str) -> None:
        """Runs whose processes are gone wait again, but for those that are cancelled, or died too often."""
        deaths = sa.case((RUNS.c.reached > RUNS.c.reached_before, 1), else_=RUNS.c.deaths + 1)
        freed = {"state": "interrupted", "worker": "", "deaths": deaths}
        running = sa.update(RUNS).where(RUNS.c.state == "running", which)
        for row in connection.execute(running.values(freed).returning(RUNS)).mappings().all():
            state, error = after(row, how)
            if state != "interrupted":
                ended = {"state": state, "ended_at": self.clock(), "cancelling": False, "error": error}
                connection.execute(sa.update(RUNS).where(RUNS.c.id == row["id"]).values(ended))
            note(connection, row["id"], self.clock(), "state", {"state": state, "because": how})

    def cancel(self, run: str, *, paused: bool = False) -> Run:
        """End a run that waits, and let one that is running end at its next step; what it has trained is kept.

        One whose request knows `paused` keeps there whether it is meant to be gone on with."""
        self.recover()
        with self.connected.transaction() as connection:
            row = found(connection, run)
            this, now = RUNS.c.id == row["id"], self.clock()
            if pause(connection, row, paused) and not paused and row["state"] == "cancelled":
                note(connection, row["id"], now, "state", {"state": "cancelled"})
                return run_of(found(connection, row["id"]))
            ended = {"state": "cancelled", "ended_at": now, "cancelling": False}
            waiting = sa.update(RUNS).where(this, RUNS.c.state.in_(WAITING)).values(ended)
            if connection.execute(waiting).rowcount:
                note(connection, row["id"], now, "state", {"state": "cancelled"})
            elif not connection.execute(
                sa.update(RUNS).where(this, RUNS.c.state == "running").values(cancelling=True)
            ).rowcount:
                raise InputError(f"run {row['id']} is not under way: it is {row['state']}", "there is nothing to end")
            return run_of(found(connection, row["id"]))

    def finish(self, run: str) -> Run:
        """Let the training of a run end at its next step: what it has learned by then goes on to what follows."""
        self.recover()
        with self.connected.transaction() as connection:
            row = found(connection, run)
            if row["state"] not in ("running", "interrupted") or row["stage"] != TRAINING:
                at = f"at '{row['stage']}'" if row["state"] == "running" and row["stage"] else row["state"]
                raise InputError(f"run {row['id']} is not training: it is {at}", "ask while it is at 'train'")
            asked = {**row["request"], "finish": True}
            this = sa.and_(RUNS.c.id == row["id"], RUNS.c.state == row["state"])
            if (
                not row["request"].get("finish")
                and connection.execute(sa.update(RUNS).where(this).values(request=asked)).rowcount
            ):
                because = "training ends at its next step with what it has learned, as somebody asked"
                note(connection, row["id"], self.clock(), "state", {"state": row["state"], "because": because})
            return run_of(found(connection, row["id"]))

    def resume(self, run: str) -> Run:
        """Queue a run again that failed or was cancelled: it goes on where it stopped."""
        self.recover()
        with self.connected.transaction() as connection:
            row = found(connection, run)
            again = {
                "state": "queued",
                "ended_at": None,
                "error": None,
                "cancelling": False,
                "deaths": 0,
                "not_before": 0.0,
            }
            ended = RUNS.c.state.in_(("failed", "cancelled"))
            if not connection.execute(sa.update(RUNS).where(RUNS.c.id == row["id"], ended).values(again)).rowcount:
                mend = "it goes on by itself" if row["state"] in OPEN else "submit it again"
                raise InputError(f"run {row['id']} cannot be gone on with: it is {row['state']}", mend)
            pause(connection, row, False)
            note(connection, row["id"], self.clock(), "state", {"state": "queued"})
            return run_of(found(connection, row["id"]))

    def conclude(self, run: str, more: Mapping[str, Any]) -> bool:
        """Add to the result of a run that has succeeded; whether nothing of that was there yet, and now is."""
        with self.connected.transaction() as connection:
            # The first statement writes, and so has the row for this transaction alone.
            this = sa.and_(RUNS.c.id == run, RUNS.c.state == "succeeded")
            row = connection.execute(sa.update(RUNS).where(this).values(worker="").returning(RUNS.c.result)).first()
            if row is None or row[0].keys() & more.keys():
                return False
            connection.execute(sa.update(RUNS).where(this).values(result={**row[0], **more}))
            return True

    def _inserted(self, row: Mapping[str, Any]) -> Run | None:
        """None where the idempotency key is there already."""
        row = {**row, "id": uuid.uuid4().hex[:ID], "state": "queued", "created_at": self.clock()}
        with contextlib.suppress(exc.IntegrityError), self.connected.transaction() as connection:
            connection.execute(sa.insert(RUNS).values(row))
            note(connection, row["id"], self.clock(), "state", {"state": "queued"})
            return run_of(found(connection, row["id"]))
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
