"""Rows of runs: found, kept as events, and what becomes of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from glassworks.errors import NotFound
from glassworks.runs.records import Run, State
from glassworks.runs.tables import EVENTS, RUNS

ID = 12
"""Hexadecimal digits of a run's id."""
_MOST_DEATHS = 3


def shown(about: str) -> str:
    """As lists and logs write it: in one line, without what a terminal would act upon."""
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in about[:200])


def run_of(row: sa.RowMapping | Mapping[str, Any]) -> Run:
    """The record of a row."""
    return Run(**{str(key): value for key, value in row.items() if key in Run.model_fields})


def note(connection: sa.Connection, run: str, at: float, kind: str, data: Mapping[str, Any]) -> None:
    """Keep an event."""
    connection.execute(sa.insert(EVENTS).values(run=run, at=at, kind=kind, data=dict(data)))


def pause(connection: sa.Connection, row: Mapping[str, Any], paused: bool) -> bool:
    """Keep in a request whether its run is paused, where it knows that; whether it has changed."""
    if row["request"].get("paused", paused) == paused:
        return False
    request = {**row["request"], "paused": paused}
    connection.execute(sa.update(RUNS).where(RUNS.c.id == row["id"]).values(request=request))
    return True


def found(connection: sa.Connection, run: str) -> Mapping[str, Any]:
    if re.fullmatch(r"[0-9a-f]{1,12}", run, re.ASCII):
        beginning = RUNS.c.id == run if len(run) == ID else RUNS.c.id.between(run, f"{run}g")
        rows = connection.execute(sa.select(RUNS).where(beginning).limit(2)).mappings().all()
    else:
        rows = []
    if len(rows) == 1:
        return dict(rows[0])
    what = f"several runs begin with '{run}'" if rows else f"there is no run '{run[:40]}'"
    raise NotFound(what, "GET /api/v1/runs, the console's page Runs and 'glassworks runs list' show them")


def after(row: sa.RowMapping, how: str) -> tuple[State, dict[str, str] | None]:
    """What becomes of a run whose process is gone."""
    if row["cancelling"]:
        return "cancelled", None
    if row["deaths"] < _MOST_DEATHS:
        return "interrupted", None
    memory = (
        "free memory, or make the job smaller" if "SIGKILL" in how else f"see 'glassworks runs show {row['id']} --log'"
    )
    problem = f"its process ended {row['deaths']} times at the same place: {how}"
    return "failed", {"problem": problem, "mend": f"{memory}; then 'glassworks runs resume {row['id']}' goes on"}
