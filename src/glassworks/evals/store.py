"""Where evals are kept, their runs and what came out. Everything blocks for some milliseconds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import sqlalchemy as sa

from glassworks.errors import InputError, NotFound
from glassworks.evals.records import STATUSES, Evaluation, EvaluationRun, OutputItem, Status, Tally, json_of
from glassworks.evals.tables import EVAL_ITEMS, EVAL_RUNS, EVALS, TABLES
from glassworks.runs import Runs
from glassworks.runs.records import OPEN
from glassworks.runs.tables import RUNS

_T = TypeVar("_T")
_MOST_EVALS, _MOST_RUNS, _MOST_OPEN = 1000, 1000, 100
"""Of one owner; runs of one eval; runs of one owner that have not ended."""
_PAGE_BYTES = 16 * 2**20
"""Of records that are read for one page."""


class EvaluationStore:
    """All evals of a registry. Raises RegistryError and StorageError; NotFound also for what is somebody else's."""

    def __init__(self, runs: Runs) -> None:
        self.runs = runs
        self._transaction = runs.connected.transaction
        runs.connected.create(TABLES)

    def add(self, evaluation: Evaluation) -> Evaluation:
        """Keep a new eval. Raises InputError where an owner has too many."""
        with self._transaction() as connection:
            mine = sa.select(sa.func.count()).select_from(EVALS).where(EVALS.c.owner == evaluation.owner)
            if (connection.scalar(mine) or 0) >= _MOST_EVALS:
                raise InputError(f"you keep {_MOST_EVALS:,} evals, the most there may be", "delete some")
            connection.execute(sa.insert(EVALS).values(owner=evaluation.owner, **_columns(evaluation)))
        return evaluation

    def get(self, owner: str, identity: str) -> Evaluation:
        """One eval."""
        query = sa.select(EVALS.c.record).where(EVALS.c.id == identity, EVALS.c.owner == owner)
        with self._transaction() as connection:
            record = connection.scalar(query)
        if record is None:
            raise NotFound(f"there is no eval '{identity[:100]}'", "list yours: GET /v1/evals")
        return Evaluation.model_validate_json(record)

    def change(self, owner: str, identity: str, changed: Callable[[Evaluation], Evaluation]) -> Evaluation:
        """What an eval becomes."""
        found = changed(self.get(owner, identity))
        with self._transaction() as connection:
            connection.execute(sa.update(EVALS).where(EVALS.c.id == identity).values(**_columns(found)))
        return found

    def delete(self, owner: str, identity: str) -> Sequence[str]:
        """Forget an eval and all its runs, which are cancelled; their ids."""
        self.get(owner, identity)
        with self._transaction() as connection:
            runs = connection.scalars(sa.select(EVAL_RUNS.c.id).where(EVAL_RUNS.c.eval == identity)).all()
        for run in runs:
            self.delete_run(self.get_run(owner, identity, run))
        with self._transaction() as connection:
            connection.execute(sa.delete(EVALS).where(EVALS.c.id == identity))
        return runs

    def page(
        self, owner: str, limit: int, after: str | None, ascending: bool, by_update: bool
    ) -> tuple[list[Evaluation], bool]:
        """Evals behind `after`, and whether there are more."""
        order = sa.tuple_(EVALS.c.updated_at, EVALS.c.number) if by_update else sa.tuple_(EVALS.c.number)
        query = sa.select(EVALS.c.record).where(EVALS.c.owner == owner)
        if after is not None:
            self.get(owner, after)
            begin = sa.select(*order.clauses).where(EVALS.c.id == after)
            with self._transaction() as connection:
                begin_key = tuple(connection.execute(begin).one())
            query = query.where(order > begin_key if ascending else order < begin_key)
        columns = [each if ascending else each.desc() for each in order.clauses]
        return self._paged(query.order_by(*columns), limit, lambda row: Evaluation.model_validate_json(row[0]))

    def add_run(self, run: EvaluationRun) -> None:
        """Keep a new run. Raises InputError for an eval with too many."""
        with self._transaction() as connection:
            mine = sa.select(sa.func.count()).select_from(EVAL_RUNS).where(EVAL_RUNS.c.eval == run.eval_id)
            if (connection.scalar(mine) or 0) >= _MOST_RUNS:
                raise InputError(f"the eval has {_MOST_RUNS:,} runs, the most there may be", "delete some")
            queued = sa.select(sa.func.count()).select_from(_BOTH).where(RUNS.c.state.in_(OPEN))
            if (connection.scalar(queued.where(EVAL_RUNS.c.owner == run.owner)) or 0) >= _MOST_OPEN:
                raise InputError(f"{_MOST_OPEN} of your runs have not ended", "wait for one, or cancel one")
            row = {"id": run.id, "eval": run.eval_id, "owner": run.owner, "tally": run.tally.model_dump_json()}
            record = json_of(run, exclude={"tally", "status", "error", "run"})
            connection.execute(sa.insert(EVAL_RUNS).values(**row, record=record))

    def get_run(self, owner: str, eval_id: str, identity: str) -> EvaluationRun:
        """One run of an eval."""
        self.runs.recover()
        mine = sa.and_(EVAL_RUNS.c.id == identity, EVAL_RUNS.c.eval == eval_id, EVAL_RUNS.c.owner == owner)
        found = self._one(mine)
        if found is None:
            raise NotFound(f"there is no run '{identity[:100]}' of the eval", "list them: GET /v1/evals/EVAL/runs")
        return found

    def run_of(self, queued: str) -> EvaluationRun | None:
        """That of a run in the queue of all runs; None for one that nobody asked for here."""
        return self._one(RUNS.c.id == queued)

    def page_of_runs(
        self, owner: str, eval_id: str, limit: int, after: str | None, ascending: bool, status: Status | None
    ) -> tuple[list[EvaluationRun], bool]:
        """Runs behind `after`, and whether there are more."""
        self.runs.recover()
        self.get(owner, eval_id)
        number, query = EVAL_RUNS.c.number, _RUNS.where(EVAL_RUNS.c.eval == eval_id)
        if after is not None:
            self.get_run(owner, eval_id, after)
            begin = sa.select(number).where(EVAL_RUNS.c.id == after).scalar_subquery()
            query = query.where(number > begin if ascending else number < begin)
        if status is not None:
            states = [state for state, said in STATUSES.items() if said == status]
            query = query.where(RUNS.c.state.in_(states))
        return self._paged(query.order_by(number if ascending else number.desc()), limit, _run)

    def delete_run(self, run: EvaluationRun) -> str:
        """Forget a run, which is cancelled if it goes on; its id."""
        if run.run is not None and run.status in ("queued", "in_progress"):
            self.runs.cancel(run.run)
        with self._transaction() as connection:
            connection.execute(sa.delete(EVAL_RUNS).where(EVAL_RUNS.c.id == run.id))
            connection.execute(sa.delete(EVAL_ITEMS).where(EVAL_ITEMS.c.run == run.id))
        return run.id

    def keep(self, run: str, item: OutputItem) -> int:
        """What came out for one item, and its size; another time it changes nothing, as for a run that was deleted
        meanwhile."""
        record = item.model_dump_json()
        values = [sa.literal(each) for each in (run, item.number, item.status, record)]
        there = sa.select(EVAL_ITEMS.c.run).where(EVAL_ITEMS.c.run == run, EVAL_ITEMS.c.number == item.number)
        asked = sa.select(EVAL_RUNS.c.id).where(EVAL_RUNS.c.id == run)
        row = sa.select(*values).where(~sa.exists(there), sa.exists(asked))
        with self._transaction() as connection:
            connection.execute(sa.insert(EVAL_ITEMS).from_select(["run", "number", "status", "record"], row))
        return len(record)

    def note(self, run: str, tally: Tally) -> bool:
        """What a run has come to so far; whether it is still there."""
        change = sa.update(EVAL_RUNS).where(EVAL_RUNS.c.id == run).values(tally=tally.model_dump_json())
        with self._transaction() as connection:
            return bool(connection.execute(change).rowcount)

    def items(self, run: str) -> Iterable[OutputItem]:
        """All that came out so far."""
        query = sa.select(EVAL_ITEMS.c.record).where(EVAL_ITEMS.c.run == run)
        with self._transaction() as connection:
            for record in connection.scalars(query.execution_options(yield_per=100)):
                yield OutputItem.model_validate_json(record)

    def item(self, run: EvaluationRun, identity: str) -> OutputItem:
        """What came out for one item."""
        number = _number(run, identity)
        query = sa.select(EVAL_ITEMS.c.record).where(EVAL_ITEMS.c.run == run.id, EVAL_ITEMS.c.number == number)
        with self._transaction() as connection:
            record = connection.scalar(query)
        if record is None:
            raise NotFound(f"there is no output item '{identity[:100]}' of the run", "list them")
        return OutputItem.model_validate_json(record)

    def page_of_items(
        self, run: EvaluationRun, limit: int, after: str | None, ascending: bool, statuses: Sequence[str]
    ) -> tuple[list[OutputItem], bool]:
        """What came out behind `after`, and whether there is more."""
        number, query = EVAL_ITEMS.c.number, sa.select(EVAL_ITEMS.c.record).where(EVAL_ITEMS.c.run == run.id)
        if after is not None:
            begin = _number(run, after)
            query = query.where(number > begin if ascending else number < begin)
        if statuses:
            query = query.where(EVAL_ITEMS.c.status.in_(statuses))
        ordered = query.order_by(number if ascending else number.desc())
        return self._paged(ordered, limit, lambda row: OutputItem.model_validate_json(row[0]))

    def _one(self, which: sa.ColumnElement[bool]) -> EvaluationRun | None:
        with self._transaction() as connection:
            row = connection.execute(_RUNS.where(which)).one_or_none()
        return None if row is None else _run(row)

    def _paged(self, query: sa.Select[Any], limit: int, made: Callable[[Sequence[Any]], _T]) -> tuple[list[_T], bool]:
        """At most so many, and no more than fit into a page; whether there are others."""
        found: list[_T] = []
        size = 0
        with self._transaction() as connection:
            for row in connection.execute(query.limit(limit + 1).execution_options(yield_per=20)):
                size += len(row[0])
                if len(found) == limit or (found and size > _PAGE_BYTES):
                    return found, True
                found.append(made(row))
        return found, False


_BOTH = EVAL_RUNS.outerjoin(RUNS, RUNS.c.idempotency == EVAL_RUNS.c.id)
_RUNS = sa.select(EVAL_RUNS.c.record, EVAL_RUNS.c.tally, RUNS.c.id, RUNS.c.state, RUNS.c.error).select_from(_BOTH)


def _run(row: Sequence[Any]) -> EvaluationRun:
    record, tally, queued, state, error = row
    found = EvaluationRun.model_validate_json(record)
    said = None if error is None else f"{error['problem']}; {error['mend']}"
    if queued is None:
        said = "it was never queued: the service ended while it was made; create it again"
    values = {"tally": Tally.model_validate_json(tally), "run": queued, "error": said}
    return found.model_copy(update={**values, "status": STATUSES.get(state, "failed")})


def _columns(evaluation: Evaluation) -> dict[str, Any]:
    return {"id": evaluation.id, "updated_at": evaluation.updated_at, "record": json_of(evaluation)}


def _number(run: EvaluationRun, identity: str) -> int:
    head, _, number = identity.rpartition("_")
    if head != f"outputitem_{run.id.removeprefix('evalrun_')}" or not number.isdecimal() or len(number) > 9:
        raise NotFound(f"there is no output item '{identity[:100]}' of the run", "list them")
    return int(number)
