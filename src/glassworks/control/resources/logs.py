"""Logs: the last requests that failed, and troubles of the service, as they come."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from glassworks.control.access import Controlled, Viewer, lasting
from glassworks.control.events import STREAM, AfterEvent, LastEventId, Sent, last_seen, streamed
from glassworks.control.paging import Limit, Page
from glassworks.control.state import Control
from glassworks.serving.observability.failures import Failure

router = APIRouter(prefix="/logs", tags=["logs"])


class Line(BaseModel):
    """A request that was answered with an error (`status`), or a trouble of a part of the service (`part`); `at` is in
    seconds since 1970. `key` is the name of an access key."""

    number: int
    at: float
    level: str
    problem: str
    mend: str
    status: int | None
    method: str
    path: str
    model: str
    request_id: str
    key: str
    part: str


@router.get("")
def list_failures(
    control: Controlled,
    caller: Viewer,
    limit: Limit = 50,
    after: Annotated[
        int | None, Query(ge=0, lt=2**63, description="What `next` of the page before said: older ones.")
    ] = None,
) -> Page[Line]:
    """The newest first. Only the last thousand are kept, and none over a restart."""
    found = control.serving.failures.before(after, limit + 1)
    more = str(found[limit - 1].number) if len(found) > limit else None
    return Page(items=[_line(each) for each in found[:limit]], next=more)


@router.get("/stream", responses=STREAM, response_class=StreamingResponse)
async def stream_failures(
    control: Controlled, caller: Viewer, last_event_id: LastEventId = None, after: AfterEvent = None
) -> StreamingResponse:
    """Those to come, or those behind an event as far as they are kept, the oldest first."""
    return streamed(_followed(control, last_seen(last_event_id, after)), lasting(control, caller))


async def _followed(control: Control, after: int | None) -> AsyncIterator[Sent | None]:
    failures = control.serving.failures
    number = failures.newest if after is None else after
    async for newest in control.tail.follow():
        if newest is None:
            yield None
        for each in failures.since(number):
            number = each.number
            yield Sent(each.number, "failure", _line(each).model_dump(mode="json"))


def _line(found: Failure) -> Line:
    return Line.model_validate(found, from_attributes=True)
