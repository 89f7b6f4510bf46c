"""Runs: submitted, listed, followed, cancelled, gone on with."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Response
from fastapi.responses import FileResponse, StreamingResponse
from pydantic import BaseModel, Field

from glassworks.catalog import first_paragraph, found, named
from glassworks.contracts import Work
from glassworks.control.access import Controlled, Operator, Viewer, lasting
from glassworks.control.events import STREAM, AfterEvent, LastEventId, Sent, last_seen, streamed
from glassworks.control.paging import After, Limit, Page
from glassworks.control.paths import refuse_paths
from glassworks.control.state import Control
from glassworks.control.tables import Table
from glassworks.errors import Conflict, InputError, NotFound
from glassworks.runs import Event, Run
from glassworks.runs.records import states
from glassworks.runs.series import Series

router = APIRouter(prefix="/runs", tags=["runs"])
_FILE: dict[int | str, dict[str, Any]] = {200: {"content": {"application/jsonl": {"schema": {"type": "string"}}}}}


class Submission(BaseModel):
    """Work to be queued; `request` has the keys of its kind."""

    kind: str = Field(max_length=40, examples=["train"])
    request: Table
    priority: int = Field(default=0, ge=-100, le=100)
    parent: str = Field(default="", max_length=20)


class Kind(BaseModel):
    """A kind of runs, and the JSON schema of its request."""

    kind: str
    summary: str
    request: dict[str, Any]


class Events(BaseModel):
    """What happened in a run, in order; `next` is the number to go on behind."""

    items: list[Event]
    next: int


class Log(BaseModel):
    """The last lines that a run wrote."""

    lines: list[str]


class RunSeries(BaseModel):
    """The values of a run by stage and name."""

    series: list[Series]


@router.get("")
def list_runs(
    control: Controlled,
    caller: Viewer,
    state: Annotated[str, Query(max_length=100, description="Only these, such as running,queued.")] = "",
    kind: Annotated[str, Query(max_length=40, description="Only this kind.")] = "",
    about: Annotated[str, Query(max_length=200, description="Only those of this model, or of these data.")] = "",
    limit: Limit = 50,
    after: After = "",
) -> Page[Run]:
    """Runs, the newest first."""
    if kind:
        named(Work, kind)
    runs = control.runs.list(states(state), kind, before=after, limit=limit + 1, about=about)
    return Page(items=list(runs[:limit]), next=runs[limit - 1].id if len(runs) > limit else None)


@router.post("", status_code=201, responses={200: {"model": Run, "description": "That run was there already."}})
def submit_run(
    control: Controlled,
    caller: Operator,
    asked: Submission,
    response: Response,
    idempotency_key: Annotated[
        str | None, Header(max_length=200, description="The same key gives the same run.")
    ] = None,
) -> Run:
    """Queue work. A worker takes it up; its events say how it goes."""
    refuse_paths(asked.request)
    key = f"{caller.key_id} {idempotency_key}" if idempotency_key else None
    before = control.runs.newest()
    with _as_sent(caller.key_id):
        run = control.runs.submit(
            asked.kind,
            asked.request,
            who=caller.name,
            priority=asked.priority,
            parent=asked.parent,
            idempotency=key,
        )
    first = control.runs.events(run.id, limit=1)
    if first and first[0].number <= before:
        response.status_code = 200
    return run


@router.get("/kinds")
def list_kinds(control: Controlled, caller: Viewer) -> Page[Kind]:
    """What can be queued."""
    works = found(Work).items()
    return Page(
        items=[
            Kind(kind=name, summary=first_paragraph(type(work)), request=work.request.model_json_schema())
            for name, work in works
        ]
    )


@router.get("/stream", responses=STREAM, response_class=StreamingResponse)
async def stream_runs(
    control: Controlled, caller: Viewer, last_event_id: LastEventId = None, after: AfterEvent = None
) -> StreamingResponse:
    """What happens in all runs from now on, or behind an event; the lines that they write are in their own streams."""
    return streamed(_followed(control, last_seen(last_event_id, after), ""), lasting(control, caller))


@router.get("/{run}")
def get_run(control: Controlled, caller: Viewer, run: str) -> Run:
    """One run, by its id or the beginning of it."""
    return control.runs.get(run)


@router.get("/{run}/events")
def list_events(
    control: Controlled,
    caller: Viewer,
    run: str,
    after: Annotated[int, Query(ge=0, lt=2**63)] = 0,
    limit: Annotated[int, Query(ge=1, le=5000)] = 1000,
) -> Events:
    """What happened in a run."""
    events = control.runs.events(control.runs.get(run).id, after, limit)
    return Events(items=list(events), next=events[-1].number if events else after)


@router.get("/{run}/stream", responses=STREAM, response_class=StreamingResponse)
async def stream_run(
    control: Controlled, caller: Viewer, run: str, last_event_id: LastEventId = None, after: AfterEvent = None
) -> StreamingResponse:
    """What happens in a run, from its beginning or behind an event."""
    import asyncio

    found = await asyncio.to_thread(control.runs.get, run)
    return streamed(_followed(control, last_seen(last_event_id, after) or 0, found.id), lasting(control, caller))


@router.get("/{run}/log")
def get_log(
    control: Controlled, caller: Viewer, run: str, limit: Annotated[int, Query(ge=1, le=10_000)] = 10_000
) -> Log:
    """What a run wrote."""
    return Log(lines=list(control.runs.log(control.runs.get(run).id, limit)))


@router.get("/{run}/file", responses=_FILE, response_class=FileResponse)
def get_file(control: Controlled, caller: Viewer, run: str) -> FileResponse:
    """The lines of JSON that a run of the kind predict or explain has written."""
    found = control.runs.get(run)
    path = Path(str(found.result.get("file", "")))
    if found.result.get("file") is None or path.parent != control.home / "answers" or not path.is_file():
        raise NotFound(
            f"run {found.id} has no file here", "runs of the kinds predict and explain that have succeeded have one"
        )
    return FileResponse(path, media_type="application/jsonl", filename=path.name)


@router.get("/{run}/series")
def get_series(
    control: Controlled, caller: Viewer, run: str, points: Annotated[int, Query(ge=10, le=10_000)] = 1000
) -> RunSeries:
    """The values of a run, of each at most about so many points; the extremes are among them."""
    return RunSeries(series=list(control.series.of(control.runs.get(run).id, points)))


@router.post("/{run}/cancel")
def cancel_run(control: Controlled, caller: Operator, run: str) -> Run:
    """End a run at its next step; what it has trained is kept."""
    return _changed(control, run, control.runs.cancel)


@router.post("/{run}/finish")
def finish_run(control: Controlled, caller: Operator, run: str) -> Run:
    """Good enough: end the training of a run at its next step, and go on with what it has learned."""
    return _changed(control, run, control.runs.finish)


@router.post("/{run}/resume")
def resume_run(control: Controlled, caller: Operator, run: str) -> Run:
    """Queue a run again that failed or was cancelled."""
    return _changed(control, run, control.runs.resume)


@contextlib.contextmanager
def _as_sent(key_id: str) -> Iterator[None]:
    """Each key has idempotency keys of its own; errors name them as they were sent."""
    try:
        yield
    except InputError as error:
        error.problem = error.problem.replace(f"'{key_id} ", "'")
        raise


def _changed(control: Control, run: str, change: Callable[[str], Run]) -> Run:
    before = control.runs.get(run)
    try:
        return change(before.id)
    except InputError as error:
        raise Conflict(error.problem, error.mend) from None


async def _followed(control: Control, after: int | None, run: str) -> AsyncIterator[Sent | None]:
    async for events in control.feed.follow(after, run):
        if not events:
            yield None
        for event in events:
            yield Sent(event.number, event.kind, event.model_dump(mode="json"))
