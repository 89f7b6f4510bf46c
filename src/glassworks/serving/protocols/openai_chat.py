"""OpenAI's chat completions: a conversation in, the assistant's next message out, whole or as events."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from glassworks.serving.endpoints import Context, Protocol, Schema, endpoint
from glassworks.serving.protocols._openai.answering import Asking, closing_all, each, interleaved, object_of, open_all
from glassworks.serving.protocols._openai.collected import (
    Collected,
    calls_of,
    extras_of,
    text_of,
    tokens_of,
    usage,
)
from glassworks.serving.protocols._openai.events import event, event_stream, to_the_end
from glassworks.serving.protocols._openai.explaining import require_method
from glassworks.serving.protocols._openai.heads import Head
from glassworks.serving.protocols._openai.probabilities import of_chat, of_prompt
from glassworks.serving.protocols._openai.requests import Asked, chat
from glassworks.serving.protocols._openai.sources import Grounds, grounded
from glassworks.serving.transports.http.exchange import Answer, Exchange, json_answer

if TYPE_CHECKING:
    from glassworks.serving.protocols._openai.answering import Parts
    from glassworks.serving.results import InferResult

_NAMES = {
    "prompt": "messages",
    "text": "messages",
    "messages": "messages",
    "context_length_exceeded": "messages",
    "schema": "response_format",
    "nearest": "glassworks.nearest",
}
_REQUEST = Schema(
    "ChatCompletionRequest",
    {
        "type": "object",
        "required": ["model", "messages"],
        "properties": {
            "model": {"type": "string"},
            "messages": {"type": "array", "minItems": 1, "items": {"type": "object"}},
            "stream": {"type": ["boolean", "null"]},
        },
    },
)


class OpenAIChat(Protocol):
    """Over a dispatcher."""

    def __init__(self, context: Context) -> None:
        self._dispatcher = context.dispatcher

    @endpoint("POST", "/v1/chat/completions", "chatCompletions", "The next message of a conversation.", takes=_REQUEST)
    async def create(self, exchange: Exchange) -> Answer:
        """POST /v1/chat/completions"""
        asked = chat(await object_of(self._dispatcher, exchange))
        asking = Asking(self._dispatcher, exchange, asked.model, _NAMES)
        asked, grounds = await grounded(self._dispatcher, exchange, asked)
        return await asking.limited(_answer(asking, asked, grounds))


async def _answer(asking: Asking, asked: Asked, grounds: Grounds | None) -> Answer:
    head = _Head(asked, asking.fingerprint)
    require_method(asking, asked.explain)
    if not asked.stream:
        return json_answer(head.whole(await each(asked.n, lambda choice: _collected(asking, asked, choice, grounds))))
    opened = await open_all(asking, [("", asked.parameters(choice)) for choice in range(asked.n)])
    return event_stream(to_the_end(_events(head, opened, asking, grounds)))


async def _collected(asking: Asking, asked: Asked, choice: int, grounds: Grounds | None) -> Collected:
    found = Collected()
    first, parts = await asking.open("", asked.parameters(choice))
    found.add(first)
    async with contextlib.aclosing(parts):
        async for part in parts:
            found.add(part)
    await found.complete(asking, asked, grounds, choice)
    return found


async def _events(
    head: _Head, opened: Sequence[tuple[InferResult, Parts]], asking: Asking, grounds: Grounds | None
) -> AsyncGenerator[bytes, None]:
    found, streams = [Collected() for _ in opened], [parts for _, parts in opened]
    async with closing_all(streams), contextlib.aclosing(interleaved(streams)) as numbered:
        for choice, (first, _) in enumerate(opened):
            found[choice].counts.see(first.chunk)
            yield head.event(choice, {"role": "assistant", "content": ""})
        async for choice, part in numbered:
            found[choice].follow(part)
            for each_event in head.events(choice, part):
                yield each_event
    for choice, one in enumerate(found):
        if await one.complete(asking, head.asked, grounds, choice):
            yield head.event(choice, {}, glassworks=one.extras)
    if head.asked.usage:
        yield event(head.chunk([], usage([one.counts for one in found], head.asked.n)))


class _Head(Head):
    """Of a chat."""

    def __init__(self, asked: Asked, fingerprint: str) -> None:
        super().__init__(asked, fingerprint, "chatcmpl", "chat.completion.chunk" if asked.stream else "chat.completion")

    def whole(self, choices: Sequence[Collected]) -> Mapping[str, Any]:
        """The answer that is no stream."""
        shown = [self._choice(index, found) for index, found in enumerate(choices)]
        answer = self.chunk(shown, usage([found.counts for found in choices], self.asked.n))
        if self.asked.prompt_top is not None:
            answer["prompt_logprobs"] = of_prompt(choices[0].prompt, self.asked.prompt_top)
        return answer

    def _choice(self, index: int, found: Collected) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": found.text, "refusal": None}
        if found.calls:
            message |= {"content": found.text or None, "tool_calls": found.calls}
        if found.reasoning:
            message["reasoning_content"] = found.reasoning
        shown = {"content": of_chat(found.tokens, self.asked.top), "refusal": None} if self.asked.logprobs else None
        choice = {"index": index, "message": message, "logprobs": shown, "finish_reason": found.finish_reason}
        return {**choice, "glassworks": found.extras} if found.extras else choice

    def event(self, choice: int, delta: Mapping[str, Any], shown: object = None, **more: Any) -> bytes:
        """One event of a choice."""
        return event(self.chunk([{"index": choice, "delta": delta, "logprobs": shown, "finish_reason": None, **more}]))

    def events(self, choice: int, part: InferResult) -> Sequence[bytes]:
        """Those of a part: none where it only shows life; why it is the last one comes by itself."""
        delta: dict[str, Any] = {}
        if text := text_of(part, "generated"):
            delta["content"] = text
        if reasoning := text_of(part, "reasoning"):
            delta["reasoning_content"] = reasoning
        if calls := calls_of(part):
            delta["tool_calls"] = calls
        tokens = tokens_of(part) if self.asked.logprobs else []
        shown = {"content": of_chat(tokens, self.asked.top), "refusal": None} if tokens else None
        found = [self.event(choice, delta, shown)] if delta or shown else []
        if part.chunk is not None and part.chunk.finish_reason:
            extras = extras_of(part)
            more = {"glassworks": extras} if extras else {}
            found.append(self.event(choice, {}, finish_reason=part.chunk.finish_reason, **more))
        return found
