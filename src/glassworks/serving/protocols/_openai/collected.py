"""What a session's parts hold: read one by one for events, or collected to a whole answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from glassworks.serving.protocols._openai.explaining import explained
from glassworks.serving.protocols._openai.probabilities import Token, decode

if TYPE_CHECKING:
    from glassworks.contracts import Chunk
    from glassworks.serving.protocols._openai.answering import Asking
    from glassworks.serving.protocols._openai.requests import Asked
    from glassworks.serving.protocols._openai.sources import Grounds
    from glassworks.serving.results import InferResult

_calls = msgspec.json.Decoder(list[dict[str, Any]]).decode
_EXTRAS = ("confidence", "nearest")
"""Outputs of the last part that are told beside an answer."""


def text_of(part: InferResult, name: str) -> str:
    """The text of an output; empty where this part has none."""
    found = part.outputs.get(name)
    return "" if found is None else found[0].decode()


def calls_of(part: InferResult) -> Sequence[dict[str, Any]]:
    """Further calls of tools, or parts of them."""
    found = part.outputs.get("tool_calls")
    return [] if found is None else _calls(found[0])


def tokens_of(part: InferResult, name: str = "logprobs") -> list[Token]:
    """Tokens with their log-probabilities."""
    found = part.outputs.get(name)
    return [] if found is None else decode(found[0])


def extras_of(part: InferResult) -> dict[str, Any]:
    """What is told of the whole answer, in its last part."""
    return {name: msgspec.json.decode(part.outputs[name][0]) for name in _EXTRAS if name in part.outputs}


@dataclass(slots=True)
class Counts:
    """Tokens of one choice so far."""

    prompt: int = 0
    cached: int = 0
    completion: int = 0
    reasoning: int = 0

    def see(self, chunk: Chunk | None) -> None:
        """What a part says; one that only shows life says nothing."""
        if chunk is not None:
            self.prompt, self.cached = max(self.prompt, chunk.prompt_tokens), max(self.cached, chunk.cached_tokens)
            self.completion = max(self.completion, chunk.completion_tokens)
            self.reasoning = max(self.reasoning, chunk.reasoning_tokens)


@dataclass(slots=True)
class Collected:
    """One choice, as far as it came."""

    text: str = ""
    reasoning: str = ""
    calls: list[dict[str, Any]] = field(default_factory=list)
    tokens: list[Token] = field(default_factory=list)
    prompt: list[Token] = field(default_factory=list)
    extras: dict[str, Any] = field(default_factory=dict)
    counts: Counts = field(default_factory=Counts)
    finish_reason: str = "length"

    def add(self, part: InferResult) -> None:
        """Take a part in."""
        self.counts.see(part.chunk)
        self.text += text_of(part, "generated")
        self.reasoning += text_of(part, "reasoning")
        self.tokens += tokens_of(part)
        self.prompt += tokens_of(part, "prompt_logprobs")
        self.extras |= extras_of(part)
        for delta in calls_of(part):
            self._call(delta)
        if part.chunk is not None and part.chunk.finish_reason:
            self.finish_reason = part.chunk.finish_reason

    def follow(self, part: InferResult) -> None:
        """Take in of a part that is sent on what is needed behind the last one."""
        self.counts.see(part.chunk)
        self.text += text_of(part, "generated")

    async def complete(self, asking: Asking, asked: Asked, grounds: Grounds | None = None, choice: int = 0) -> bool:
        """Add to what is told of a whole answer its sources and its explanation, where they are asked for; whether they
        are."""
        if grounds is not None:
            self.extras["sources"] = await grounds.shown(self.text)
        if asked.explain is not None:
            prompt = asked.prompts[choice // asked.n]
            self.extras["explanation"] = await explained(asking, asked.explain, prompt, self.text, grounds)
        return grounds is not None or asked.explain is not None

    def _call(self, delta: dict[str, Any]) -> None:
        """A call's further arguments, or a new call."""
        index, function = delta["index"], delta.get("function") or {}
        if index < len(self.calls):
            self.calls[index]["function"]["arguments"] += function.get("arguments") or ""
            return
        named = {"name": function.get("name", ""), "arguments": function.get("arguments") or ""}
        self.calls.append({"id": delta.get("id", ""), "type": "function", "function": named})


def usage(choices: Sequence[Counts], n: int) -> dict[str, Any]:
    """`usage`: the prompt of `n` choices is counted once."""
    first = choices[::n]
    prompt, completion = sum(each.prompt for each in first), sum(each.completion for each in choices)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": sum(each.cached for each in first)},
        "completion_tokens_details": {"reasoning_tokens": sum(each.reasoning for each in choices)},
    }
