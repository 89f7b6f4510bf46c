"""Server-sent events, as browsers read them with `EventSource`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any, NamedTuple

from fastapi import Header, Query
from fastapi.responses import StreamingResponse
from pydantic_core import to_json

from glassworks.errors import GlassworksError
from glassworks.serving.failures import problem

LastEventId = Annotated[str | None, Header(max_length=40, description="The last event that was seen.")]
AfterEvent = Annotated[int | None, Query(ge=0, lt=2**63, description="The same, for who cannot send that header.")]
STREAM: dict[int | str, dict[str, Any]] = {
    200: {"description": "Events as they come.", "content": {"text/event-stream": {"schema": {"type": "string"}}}}
}
_BEAT = b": \n\n"
_RETRY_MS = 1000
_ADMITTED_S = 1.0
"""A key that is revoked ends the streams that were opened with it, with the next event or beat."""


class Sent(NamedTuple):
    """One event; None for a comment that only shows that the connection is there."""

    id: int
    kind: str
    data: Any


def last_seen(header: str | None, after: int | None) -> int | None:
    """The number of the last event that a client has seen; None where it has seen none."""
    text = (header or "").strip()
    if text.isascii() and text.isdigit() and int(text) < 2**63:
        return int(text)
    return after


def streamed(events: AsyncIterator[Sent | None], admit: Callable[[], object]) -> StreamingResponse:
    """Events as an answer that does not end; an error is sent as an event `problem` and ends it. `admit` raises as soon
    as who asked may see them no longer."""
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return StreamingResponse(_written(events, admit), media_type="text/event-stream", headers=headers)


async def _written(events: AsyncIterator[Sent | None], admit: Callable[[], object]) -> AsyncIterator[bytes]:
    yield b"retry: %d\n\n" % _RETRY_MS
    looked = time.monotonic()
    try:
        async for event in events:
            if (now := time.monotonic()) - looked >= _ADMITTED_S:
                looked = now
                await asyncio.to_thread(admit)
            yield _BEAT if event is None else _line(event)
    except GlassworksError as error:
        yield b"event: problem\ndata: %b\n\n" % to_json(problem(error))


def _line(event: Sent) -> bytes:
    return b"id: %d\nevent: %b\ndata: %b\n\n" % (event.id, event.kind.encode(), to_json(event.data))
