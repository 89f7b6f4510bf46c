"""OpenAI's responses: text or items in, items out, whole or as events. Nothing is kept of them."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any

from glassworks.serving.endpoints import Context, Protocol, Schema, endpoint
from glassworks.serving.failures import text_of
from glassworks.serving.protocols._openai.answering import Asking, object_of
from glassworks.serving.protocols._openai.collected import Collected
from glassworks.serving.protocols._openai.events import event_stream, named_event
from glassworks.serving.protocols._openai.explaining import require_method
from glassworks.serving.protocols._openai.response_events import Response
from glassworks.serving.protocols._openai.response_requests import ResponseAsked, response
from glassworks.serving.protocols._openai.sources import Grounds, grounded
from glassworks.serving.transports.http.exchange import Answer, Exchange, json_answer

if TYPE_CHECKING:
    from glassworks.serving.protocols._openai.answering import Parts
    from glassworks.serving.results import InferResult

_NAMES = {
    "prompt": "input", "text": "input", "messages": "input", "max_tokens": "max_output_tokens",
    "response_format": "text.format", "schema": "text.format", "logprobs": "include",
    "nearest": "glassworks.nearest",
}  # fmt: skip
_REQUEST = Schema(
    "ResponseRequest",
    {
        "type": "object",
        "required": ["model", "input"],
        "properties": {
            "model": {"type": "string"},
            "input": {"type": ["string", "array"]},
            "stream": {"type": ["boolean", "null"]},
        },
    },
)


class OpenAIResponses(Protocol):
    """Over a dispatcher."""

    def __init__(self, context: Context) -> None:
        self._dispatcher = context.dispatcher

    @endpoint("POST", "/v1/responses", "responses", "A response to a text or to items.", takes=_REQUEST)
    async def create(self, exchange: Exchange) -> Answer:
        """POST /v1/responses"""
        asked = response(await object_of(self._dispatcher, exchange))
        asking = Asking(self._dispatcher, exchange, asked.model, _NAMES)
        asked, grounds = await grounded(self._dispatcher, exchange, asked, "input")
        return await asking.limited(_answer(asking, asked, grounds))


async def _answer(asking: Asking, asked: ResponseAsked, grounds: Grounds | None) -> Answer:
    require_method(asking, asked.explain)
    first, parts = await asking.open("", asked.parameters(0))
    if asked.stream:
        return event_stream(_events(asking, asked, grounds, first, parts))
    found, whole = Response(asked), Collected()
    found.add(first)
    async with contextlib.aclosing(parts):
        async for part in parts:
            found.add(part)
            whole.add(part)
    await whole.complete(asking, asked, grounds)
    found.end(whole.extras)
    return json_answer(found.content)


async def _events(
    asking: Asking, asked: ResponseAsked, grounds: Grounds | None, first: InferResult, parts: Parts
) -> AsyncGenerator[bytes, None]:
    events: list[bytes] = []
    whole = Collected()

    def emit(content: dict[str, Any]) -> None:
        events.append(named_event(content))

    found = Response(asked, emit)
    try:
        async with contextlib.aclosing(parts):
            found.begin()
            found.add(first)
            yield b"".join(events)
            async for part in parts:
                events.clear()
                found.add(part)
                whole.add(part)
                yield b"".join(events)
            events.clear()
            await whole.complete(asking, asked, grounds)
            found.end(whole.extras)
            yield b"".join(events)
    except Exception as error:  # noqa: BLE001 - whatever happens, the client gets to know
        events.clear()
        found.fail(text_of(error))
        yield b"".join(events)
