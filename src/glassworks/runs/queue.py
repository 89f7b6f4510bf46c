"""Runs as workers see them: taken with a lease, reported on while it is theirs, ended once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import sqlalchemy as sa

from glassworks.runs.records import WAITING, Run, State
from glassworks.runs.rows import note, run_of
from glassworks.runs.store import LEASE_S, Runs
from glassworks.runs.tables import EVENTS, RUNS

_Event = tuple[float, str, Mapping[str, Any]]
_STAGE = 10**9
"""Steps of a stage, at most."""


class Lost(Exception):
    """The run belongs to somebody else by now: whoever works on it must stop at once."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """What happened since the last one; `events` are (time, kind, data)."""

    events: Sequence[_Event] = ()
    stage: str | None = None
    stages: int = 0
    step: int = 0
    total: int | None = None
    values: Mapping[str, Any] = field(default_factory=dict)

    @property
    def reached(self) -> int:
        return self.stages * _STAGE + min(self.step, _STAGE - 1)


class Asked(NamedTuple):
    """Whether a run that is under way is to be cancelled, and whether its training is to end with what it has."""

    cancel: bool
    finish: bool


class Queue:
    """What workers do with runs; `worker` is a name that nobody else ever has."""

    def __init__(self, runs: Runs, worker: str) -> None:
        self._runs, self._worker = runs, worker

    def claim(self, but_not: Sequence[str] = (), only: Sequence[str] = ()) -> Run | None:
        """The next run, of other kinds than these, or of some `only`, which is this worker's from now on; None where
        nothing waits."""
        now = self._runs.clock()
        waiting = sa.and_(RUNS.c.state.in_(WAITING), RUNS.c.kind.not_in(but_not))
        if only:
            waiting = sa.and_(waiting, RUNS.c.kind.in_(only))
        first = sa.select(RUNS.c.number).where(waiting, RUNS.c.not_before <= now)
        first = first.order_by(RUNS.c.priority.desc(), RUNS.c.number).limit(1).with_for_update(skip_locked=True)
        values = {
            "state": "running",
            "worker": self._worker,
            "lease": now + LEASE_S,
            "attempts": RUNS.c.attempts + 1,
            "started_at": sa.func.coalesce(RUNS.c.started_at, now),
            "reached_before": RUNS.c.reached,
        }
        # One statement: SQLite takes its write lock first; elsewhere the second worker finds that it does not wait.
        taken = sa.update(RUNS).where(RUNS.c.number == first.scalar_subquery(), waiting).values(values)
        with self._runs.connected.transaction() as connection:
            row = connection.execute(taken.returning(RUNS)).mappings().first()
            if row is None:
                return None
            note(connection, row["id"], now, "state", {"state": "running", "attempt": row["attempts"]})
            return run_of(row)

    def settle(self, run: str, changed: Mapping[str, Any]) -> None:
        """Keep what of the request has changed since it was queued; what others change meanwhile stays. Raises Lost."""
        with self._runs.connected.transaction() as connection:
            row = self._changed(connection, run, {"lease": self._runs.clock() + LEASE_S}, ())
            self._changed(connection, run, {"request": {**row["request"], **changed}}, ())

    def is_mine(self, run: str) -> bool:
        """Whether nobody else took it meanwhile."""
        query = sa.select(RUNS.c.id).where(*self._mine(run))
        with self._runs.connected.transaction() as connection:
            return connection.scalar(query) is not None

    def renew(self, run: str) -> bool:
        """Renew the lease of a run whose process lives but does not come to report; whether nobody else took it."""
        renewed = sa.update(RUNS).where(*self._mine(run)).values(lease=self._runs.clock() + LEASE_S)
        with self._runs.connected.transaction() as connection:
            return bool(connection.execute(renewed).rowcount)

    def published(self, run: str) -> str:
        """The version that an attempt published, or nothing."""
        with self._runs.connected.transaction() as connection:
            return str(connection.scalar(sa.select(RUNS.c.published).where(RUNS.c.id == run)) or "")

    def publish(self, run: str, connection: sa.Connection, model: str) -> None:
        """A version is this run's, in the transaction that publishes it: no run publishes twice. Raises Lost."""
        if not connection.execute(sa.update(RUNS).where(*self._mine(run)).values(published=model)).rowcount:
            raise Lost(run)

    def report(self, run: str, report: Report) -> Asked:
        """Renew the lease and keep what happened; what is asked of the run meanwhile. Raises Lost."""
        values = {"lease": self._runs.clock() + LEASE_S, **_where(report)}
        row = self._change(run, values, report.events)
        return Asked(cancel=row["cancelling"], finish=bool(row["request"].get("finish")))

    def log(self, run: str, lines: Sequence[str]) -> None:
        """Keep what the work wrote, also its last words, but nothing of a run that belongs to somebody else."""
        now = self._runs.clock()
        rows = [{"run": run, "at": now, "kind": "log", "data": {"line": line}} for line in lines]
        # Whoever writes events of a run locks it first, so that their numbers grow as they are seen.
        mine = sa.select(RUNS.c.id).where(RUNS.c.id == run, RUNS.c.worker.in_((self._worker, ""))).with_for_update()
        with self._runs.connected.transaction() as connection:
            if connection.scalar(mine):
                connection.execute(sa.insert(EVENTS), rows)

    def succeed(self, run: str, result: Mapping[str, Any], events: Report) -> None:
        """Raises Lost."""
        self._end(run, "succeeded", {"result": dict(result)}, events)

    def fail(self, run: str, problem: str, mend: str, events: Report) -> None:
        """Raises Lost."""
        self._end(run, "failed", {"error": {"problem": problem, "mend": mend}}, events)

    def cancelled(self, run: str, events: Report) -> None:
        """Raises Lost."""
        self._end(run, "cancelled", {}, events)

    def give_back(self, run: str, events: Report, later_s: float = 0.0) -> None:
        """Another worker may go on with it, after so long; where it is being cancelled, it has ended. Raises Lost."""
        now = self._runs.clock()
        values = {
            "state": sa.case((RUNS.c.cancelling, "cancelled"), else_="interrupted"),
            "ended_at": sa.case((RUNS.c.cancelling, now), else_=None),
            "not_before": now + later_s,
            "worker": "",
            "cancelling": False,
            **_where(events),
        }
        with self._runs.connected.transaction() as connection:
            row = self._changed(connection, run, values, events.events)
            note(connection, run, now, "state", {"state": row["state"]})

    def died(self, run: str, how: str) -> None:
        """The process of a run is gone: it waits again, unless that happened too often at the same place."""
        with self._runs.connected.transaction() as connection:
            self._runs.orphaned(connection, sa.and_(RUNS.c.id == run, RUNS.c.worker == self._worker), how)

    def _mine(self, run: str) -> tuple[sa.ColumnElement[bool], ...]:
        return RUNS.c.id == run, RUNS.c.worker == self._worker, RUNS.c.state == "running"

    def _end(self, run: str, state: State, values: Mapping[str, Any], report: Report) -> None:
        now = self._runs.clock()
        ended = {"state": state, "ended_at": now, "worker": "", "cancelling": False, **_where(report), **values}
        self._change(run, ended, [*report.events, (now, "state", {"state": state})])

    def _change(self, run: str, values: Mapping[str, Any], events: Sequence[_Event] = ()) -> Mapping[str, Any]:
        with self._runs.connected.transaction() as connection:
            return self._changed(connection, run, values, events)

    def _changed(
        self, connection: sa.Connection, run: str, values: Mapping[str, Any], events: Sequence[_Event]
    ) -> Mapping[str, Any]:
        changed = sa.update(RUNS).where(*self._mine(run)).values(values).returning(RUNS)
        row = connection.execute(changed).mappings().first()
        if row is None:
            raise Lost(run)
        for at, kind, data in events:
            note(connection, run, at, kind, data)
        return dict(row)


def _where(report: Report) -> dict[str, Any]:
    """The columns that say how far a run is."""
    if report.stage is None:
        return {}
    reached = sa.case((RUNS.c.reached < report.reached, report.reached), else_=RUNS.c.reached)
    where = {"stage": report.stage, "step": report.step, "total": report.total, "values": dict(report.values)}
    return {**where, "reached": reached}
