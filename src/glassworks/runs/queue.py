"""Runs as workers see them: taken with a lease, reported on while it is theirs, ended once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from glassworks.runs.records import WAITING, Run, State
from glassworks.runs.store import Runs, note, run_of
from glassworks.runs.tables import EVENTS, RUNS, WORKERS

LEASE_S = 10.0
"""Who was not heard of for so long is dead: another worker goes on."""
_MOST_DEATHS = 3
_FORGOTTEN_S = 3600.0
_STAGE = 10**9
"""Steps of a stage, at most."""


class Lost(Exception):
    """The run belongs to somebody else by now: whoever works on it must stop at once."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """What happened since the last one; `events` are (time, kind, data)."""

    events: Sequence[tuple[float, str, Mapping[str, Any]]] = ()
    stage: str | None = None
    stages: int = 0
    step: int = 0
    total: int | None = None
    values: Mapping[str, Any] = field(default_factory=dict)

    @property
    def reached(self) -> int:
        return self.stages * _STAGE + min(self.step, _STAGE - 1)


class Queue:
    """What workers do with runs; `worker` is a name that nobody else ever has."""

    def __init__(self, runs: Runs, worker: str) -> None:
        self._runs, self._worker = runs, worker

    def seen(self) -> None:
        """Say that this worker lives; forget those that are dead for long."""
        now = self._runs.clock()
        mine = WORKERS.c.name == self._worker
        with self._runs.connected.transaction() as connection:
            connection.execute(sa.delete(WORKERS).where(WORKERS.c.seen < now - _FORGOTTEN_S))
            if not connection.execute(sa.update(WORKERS).where(mine).values(seen=now)).rowcount:
                connection.execute(sa.insert(WORKERS).values(name=self._worker, since=now, seen=now))

    def gone(self) -> None:
        """This worker takes no more runs."""
        with self._runs.connected.transaction() as connection:
            connection.execute(sa.delete(WORKERS).where(WORKERS.c.name == self._worker))

    def claim(self) -> Run | None:
        """The next run, which is this worker's from now on; None where nothing waits."""
        now = self._runs.clock()
        waiting = RUNS.c.state.in_(WAITING)
        first = sa.select(RUNS.c.number).where(waiting).order_by(RUNS.c.priority.desc(), RUNS.c.number).limit(1)
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

    def publishing(self, run: str) -> int | None:
        """The newest version before a killed attempt began to publish; None where none did."""
        with self._runs.connected.transaction() as connection:
            found: int | None = connection.scalar(sa.select(RUNS.c.publishing).where(RUNS.c.id == run))
            return found

    def publish_after(self, run: str, newest: int) -> None:
        """A version is about to be published. Raises Lost."""
        self._change(run, {"publishing": newest})

    def report(self, run: str, report: Report) -> bool:
        """Renew the lease and keep what happened; whether the run is to be cancelled. Raises Lost."""
        values = {"lease": self._runs.clock() + LEASE_S, **_where(report)}
        return bool(self._change(run, values, report.events)["cancelling"])

    def log(self, run: str, lines: Sequence[str]) -> None:
        """Keep what the work wrote, also its last words."""
        now = self._runs.clock()
        rows = [{"run": run, "at": now, "kind": "log", "data": {"line": line}} for line in lines]
        with self._runs.connected.transaction() as connection:
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

    def give_back(self, run: str, events: Report) -> None:
        """Another worker may go on with it, as with one that died. Raises Lost."""
        self._end(run, "interrupted", {"ended_at": None}, events)

    def died(self, run: str, how: str) -> None:
        """The process of a run is gone: it waits again, unless that happened too often at the same place."""
        with self._runs.connected.transaction() as connection:
            self._orphaned(connection, sa.and_(RUNS.c.id == run, RUNS.c.worker == self._worker), how)

    def recover(self) -> None:
        """Let runs wait again whose workers are dead."""
        with self._runs.connected.transaction() as connection:
            late = RUNS.c.lease < self._runs.clock()
            if connection.scalar(sa.select(RUNS.c.id).where(RUNS.c.state == "running", late).limit(1)):
                self._orphaned(connection, late, f"its worker was not heard of for {LEASE_S:.0f} s")

    def _orphaned(self, connection: sa.Connection, which: sa.ColumnElement[bool], how: str) -> None:
        now = self._runs.clock()
        deaths = sa.case((RUNS.c.reached > RUNS.c.reached_before, 1), else_=RUNS.c.deaths + 1)
        freed = {"state": "interrupted", "worker": "", "deaths": deaths}
        rows = connection.execute(
            sa.update(RUNS).where(RUNS.c.state == "running", which).values(freed).returning(RUNS)
        ).mappings()
        for row in rows.all():
            state: State = "interrupted"
            if row["cancelling"]:
                state = "cancelled"
            elif row["deaths"] >= _MOST_DEATHS:
                state = "failed"
                error = {
                    "problem": f"its process ended {row['deaths']} times at the same place: {how}",
                    "mend": "free memory, or make the job smaller; then 'glassworks runs resume' goes on",
                }
                connection.execute(sa.update(RUNS).where(RUNS.c.id == row["id"]).values(error=error))
            if state != "interrupted":
                ended = {"state": state, "ended_at": now, "cancelling": False}
                connection.execute(sa.update(RUNS).where(RUNS.c.id == row["id"]).values(ended))
            note(connection, row["id"], now, "state", {"state": state, "because": how})

    def _end(self, run: str, state: State, values: Mapping[str, Any], report: Report) -> None:
        now = self._runs.clock()
        ended = {"state": state, "ended_at": now, "worker": "", "cancelling": False, **_where(report), **values}
        self._change(run, ended, [*report.events, (now, "state", {"state": state})])

    def _change(
        self, run: str, values: Mapping[str, Any], events: Sequence[tuple[float, str, Mapping[str, Any]]] = ()
    ) -> Mapping[str, Any]:
        mine = (RUNS.c.id == run, RUNS.c.worker == self._worker, RUNS.c.state == "running")
        with self._runs.connected.transaction() as connection:
            row = connection.execute(sa.update(RUNS).where(*mine).values(values).returning(RUNS)).mappings().first()
            if row is None:
                raise Lost(run)
            rows = [{"run": run, "at": at, "kind": kind, "data": dict(data)} for at, kind, data in events]
            if rows:
                connection.execute(sa.insert(EVENTS), rows)
            return dict(row)


def _where(report: Report) -> dict[str, Any]:
    """The columns that say how far a run is."""
    if report.stage is None:
        return {}
    reached = sa.case((RUNS.c.reached < report.reached, report.reached), else_=RUNS.c.reached)
    where = {"stage": report.stage, "step": report.step, "total": report.total, "values": dict(report.values)}
    return {**where, "reached": reached}
