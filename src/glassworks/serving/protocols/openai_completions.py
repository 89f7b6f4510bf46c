"""OpenAI's plain completions: texts or token ids in, their continuations out, whole or as events."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from glassworks.serving.endpoints import Context, Protocol, Schema, endpoint
from glassworks.serving.protocols._openai.answering import (
    Asking,
    closing_all,
    each,
    interleaved,
    object_of,
    open_all,
)
from glassworks.serving.protocols._openai.collected import Collected, usage
from glassworks.serving.protocols._openai.events import event, event_stream, to_the_end
from glassworks.serving.protocols._openai.explaining import require_method
from glassworks.serving.protocols._openai.heads import Head
from glassworks.serving.protocols._openai.probabilities import Offsets, Token, of_prompt, text_of
from glassworks.serving.protocols._openai.requests import Asked, completion
from glassworks.serving.transports.http.exchange import Answer, Exchange, json_answer

if TYPE_CHECKING:
    from glassworks.serving.protocols._openai.answering import Parts
    from glassworks.serving.results import InferResult

_NAMES = {
    "prompt": "prompt",
    "text": "prompt",
    "prompt_ids": "prompt",
    "top_logprobs": "logprobs",
    "schema": "response_format",
    "nearest": "glassworks.nearest",
}
_REQUEST = Schema(
    "CompletionRequest",
    {
        "type": "object",
        "required": ["model", "prompt"],
        "properties": {
            "model": {"type": "string"},
            "prompt": {"type": ["string", "array"]},
            "stream": {"type": ["boolean", "null"]},
        },
    },
)
_END = Token(id=-1, token="", bytes=[])
"""Stands for the end of an answer without a token."""


class OpenAICompletions(Protocol):
    """Over a dispatcher."""

    def __init__(self, context: Context) -> None:
        self._dispatcher = context.dispatcher

    @endpoint("POST", "/v1/completions", "completions", "The continuation of texts.", takes=_REQUEST)
    async def create(self, exchange: Exchange) -> Answer:
        """POST /v1/completions"""
        asked = completion(await object_of(self._dispatcher, exchange))
        asking = Asking(self._dispatcher, exchange, asked.model, _NAMES)
        return await asking.limited(_answer(asking, asked))


async def _answer(asking: Asking, asked: Asked) -> Answer:
    require_method(asking, asked.explain)
    head, count = _Head(asked, asking.fingerprint), asked.n * len(asked.prompts)
    if not asked.stream:
        return json_answer(head.whole(await each(count, lambda choice: _collected(asking, asked, choice))))
    opened = await open_all(asking, [_row(asked, choice) for choice in range(count)])
    return event_stream(to_the_end(_events(head, opened, asking)))


def _row(asked: Asked, choice: int) -> tuple[str, Mapping[str, Any]]:
    return asked.prompts[choice // asked.n].text, asked.parameters(choice)


async def _collected(asking: Asking, asked: Asked, choice: int) -> Collected:
    found = Collected()
    first, parts = await asking.open(*_row(asked, choice))
    found.add(first)
    async with contextlib.aclosing(parts):
        async for part in _needed(asked, parts):
            found.add(part)
    await found.complete(asking, asked, choice=choice)
    return found


async def _needed(asked: Asked, parts: Parts) -> AsyncGenerator[InferResult, None]:
    """The parts, of which none is waited for where nothing is to be generated, but what is said of the prompt."""
    if asked.only_prompt and not asked.of_prompt:
        return
    async for part in parts:
        yield part
        if asked.only_prompt and "prompt_logprobs" in part.outputs:
            return


async def _events(
    head: _Head, opened: Sequence[tuple[InferResult, Parts]], asking: Asking
) -> AsyncGenerator[bytes, None]:
    asked, streams = head.asked, [parts for _, parts in opened]
    choices = [_Choice(asked, index) for index in range(len(opened))]
    needed = [_needed(asked, parts) for parts in streams]
    async with closing_all(streams), contextlib.aclosing(interleaved(needed)) as numbered:
        for choice, (first, _) in zip(choices, opened, strict=True):
            choice.found.counts.see(first.chunk)
        async for number, part in numbered:
            if shown := choices[number].next(part):
                yield event(head.chunk(shown))
        for choice in choices:
            if not choice.ended:
                yield event(head.chunk(choice.end()))
    for index, choice in enumerate(choices):
        if await choice.found.complete(asking, asked, choice=index):
            extras = {"index": index, "text": "", "logprobs": None, "finish_reason": None}
            yield event(head.chunk([{**extras, "glassworks": choice.found.extras}]))
    if asked.usage:
        yield event(head.chunk([], usage([choice.found.counts for choice in choices], asked.n)))


class _Choice:
    """One choice of a stream, whose text begins with the prompt where that is to be repeated."""

    def __init__(self, asked: Asked, index: int) -> None:
        self._asked, self._index = asked, index
        self._offsets = Offsets(asked.top)
        self._owed, self._count = asked.echo, 0
        self.found, self.ended = Collected(), False

    def next(self, part: InferResult) -> list[dict[str, Any]]:
        """What is new; nothing where a part only shows life."""
        new = Collected(finish_reason="")
        new.add(part)
        self.found.follow(part)
        self.found.prompt += new.prompt
        if not (new.text or new.tokens or new.prompt or new.finish_reason):
            return []
        self.ended = bool(new.finish_reason)
        return [self._shown(new, new.finish_reason or None)]

    def end(self) -> list[dict[str, Any]]:
        """Of one of which nothing was generated."""
        self.ended = True
        return [self._shown(Collected(), "length")]

    def _shown(self, new: Collected, finish_reason: str | None) -> dict[str, Any]:
        asked, text, tokens = self._asked, new.text, new.tokens
        if self._owed and (self.found.prompt or not asked.of_prompt):
            self._owed = False
            text = prompt_text(asked, self._index, self.found.prompt) + text
            tokens = [*self.found.prompt, *tokens]
        self._count += len(new.tokens)
        if asked.echo and finish_reason and not self._count and not asked.only_prompt:
            tokens = [*tokens, _END]
        choice = {"index": self._index, "text": text, "logprobs": None, "finish_reason": finish_reason}
        choice |= {"glassworks": new.extras} if new.extras else {}
        if asked.logprobs:
            choice["logprobs"] = self._offsets.of(tokens)
        if new.prompt and asked.prompt_top is not None:
            choice["prompt_logprobs"] = of_prompt(new.prompt, asked.prompt_top)
        return choice


def prompt_text(asked: Asked, choice: int, prompt: Sequence[Token]) -> str:
    """The prompt of a choice as text: as it was sent, or that of the ids that were sent."""
    sent = asked.prompts[choice // asked.n]
    return text_of(prompt) if "prompt_ids" in sent.parameters else sent.text


class _Head(Head):
    """Of plain completions."""

    def __init__(self, asked: Asked, fingerprint: str) -> None:
        super().__init__(asked, fingerprint, "cmpl", "text_completion")

    def whole(self, choices: Sequence[Collected]) -> Mapping[str, Any]:
        """The answer that is no stream."""
        shown = [self._choice(index, found) for index, found in enumerate(choices)]
        return self.chunk(shown, usage([found.counts for found in choices], self.asked.n))

    def _choice(self, index: int, found: Collected) -> dict[str, Any]:
        asked, text, tokens = self.asked, found.text, found.tokens
        if asked.echo:
            text = prompt_text(asked, index, found.prompt) + text
            # Who asks for one token and reads all but the last counts on one.
            tokens = [*found.prompt, *(tokens if tokens or asked.only_prompt else [_END])]
        choice: dict[str, Any] = {"index": index, "text": text, "logprobs": None, "finish_reason": found.finish_reason}
        choice |= {"glassworks": found.extras} if found.extras else {}
        if asked.logprobs:
            choice["logprobs"] = Offsets(asked.top).of(tokens)
        if asked.prompt_top is not None:
            choice["prompt_logprobs"] = of_prompt(found.prompt, asked.prompt_top)
        return choice
