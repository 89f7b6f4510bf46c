"""Server-sent events: one a part, an error in the middle as an event of its own, and `[DONE]` at the end."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from typing import Any

import msgspec

from glassworks.serving.failures import error_body
from glassworks.serving.transports.http.exchange import Answer

EVENTS = b"text/event-stream; charset=utf-8"
DONE = b"data: [DONE]\n\n"
_COMMENT = b":\n\n"
_HEADERS = ((b"cache-control", b"no-store"), (b"x-accel-buffering", b"no"))
"""A proxy that collects events would make a whole answer of them."""
_encode = msgspec.json.Encoder().encode


def event(content: Any) -> bytes:
    """One event."""
    return b"data: %b\n\n" % _encode(content)


def named_event(content: dict[str, Any]) -> bytes:
    """One event that has its type beside its data."""
    return b"event: %b\ndata: %b\n\n" % (content["type"].encode(), _encode(content))


def event_stream(events: AsyncGenerator[bytes, None]) -> Answer:
    """The answer whose events come as they are there."""
    return Answer(b"", content_type=EVENTS, headers=list(_HEADERS), stream=events, filler=_COMMENT)


async def to_the_end(events: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    """Events and `[DONE]`, or what went wrong: the status is sent already."""
    try:
        async with contextlib.aclosing(events):
            async for each in events:
                yield each
        yield DONE
    except Exception as error:  # noqa: BLE001 - whatever happens, the client gets to know
        yield event(error_body(error, b"/v1/"))
