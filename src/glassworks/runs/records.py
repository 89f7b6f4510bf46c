"""What is known of a run, and what happened in it."""

from __future__ import annotations

from typing import Any, Literal, get_args

from pydantic import Field

from glassworks.errors import InputError
from glassworks.record import Record

State = Literal["queued", "running", "succeeded", "failed", "cancelled", "interrupted"]
EventKind = Literal["state", "stage", "values", "done", "log"]
OPEN: tuple[State, ...] = ("queued", "running", "interrupted")
"""States that a run leaves by itself: an interrupted one waits for another worker."""
WAITING: tuple[State, ...] = ("queued", "interrupted")


def states(text: str) -> tuple[State, ...]:
    """Those of a text such as `running,queued`. Raises InputError."""
    known: dict[str, State] = {name: name for name in get_args(State)}
    names = [part.strip() for part in text.split(",") if part.strip()]
    for name in names:
        if name not in known:
            raise InputError(f"'{name[:40]}' is not a state of a run", f"states: {', '.join(known)}")
    return tuple(known[name] for name in names)


class RunError(Record):
    """Why a run failed, and what to do."""

    problem: str
    mend: str


class Run(Record):
    """A durable record of work. Times are seconds since 1970; `step` counts within `stage`."""

    id: str
    kind: str
    about: str
    """The name of a job, of a model, or of data."""
    request: dict[str, Any]
    state: State
    stage: str = ""
    step: int = 0
    total: int | None = None
    values: dict[str, Any] = Field(default_factory=dict)
    """Those of the moment, such as `loss`; its events have the series, thinned where they came too often."""
    priority: int = 0
    created_at: float
    started_at: float | None = None
    ended_at: float | None = None
    who: str = ""
    """Who asked for it."""
    parent: str = ""
    """The run it was made from."""
    attempts: int = 0
    cancelling: bool = False
    error: RunError | None = None
    result: dict[str, Any] = Field(default_factory=dict)


class Event(Record):
    """Something that happened in a run; `number` grows over all runs.

    `state`: a new state. `stage`: a stage began, with its `total` of steps. `values`: of the moment, such as `step` and
    `loss`. `done`: the stage ended, with a `message`. `log`: a line that the work wrote.
    """

    number: int
    run: str
    at: float
    kind: EventKind
    data: dict[str, Any]
