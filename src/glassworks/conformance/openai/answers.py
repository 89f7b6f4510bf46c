"""What a server answers: whole, and as server-sent events, with the time at which each came."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from glassworks.conformance.target import Failed

DONE = "[DONE]"
FINISHES = ("stop", "length", "tool_calls", "content_filter", "function_call")


@dataclass(frozen=True)
class Answer:
    """A whole answer of chat or completions."""

    json: Any

    @property
    def choices(self) -> list[Any]:
        """All its choices."""
        return list(self.json["choices"])

    @property
    def text(self) -> str:
        """What the first choice says."""
        return text_of(self.choices[0])

    @property
    def finish(self) -> str | None:
        """Why the first choice ended."""
        found: str | None = self.choices[0]["finish_reason"]
        return found

    @property
    def usage(self) -> Mapping[str, Any]:
        """How many tokens it took."""
        found: Mapping[str, Any] = self.json["usage"]
        return found

    @property
    def tokens(self) -> int:
        """How many tokens were generated, by the server's word."""
        return int(self.usage["completion_tokens"])

    @property
    def logprobs(self) -> list[Any]:
        """The tokens of the first choice with their log-probabilities, in chat's shape. Raises Failed."""
        return content_of((self.choices[0].get("logprobs") or {}).get("content"))

    @property
    def calls(self) -> list[Any]:
        """The calls of tools of the first choice."""
        return list(self.choices[0]["message"].get("tool_calls") or [])


@dataclass(frozen=True)
class Event:
    """One event; `at` are seconds since the request was sent."""

    name: str
    data: str
    at: float


@dataclass(frozen=True)
class Stream:
    """A whole stream."""

    headers: Mapping[str, str]
    events: Sequence[Event]
    seconds: float

    @cached_property
    def chunks(self) -> list[Any]:
        """The JSON of all events but the last `[DONE]`. Raises Failed."""
        return [_loaded(event.data) for event in self.events if event.data != DONE]

    def choices(self, index: int = 0) -> list[Any]:
        """All that came for one choice."""
        return [each for chunk in self.chunks for each in chunk.get("choices", ()) if each.get("index", 0) == index]

    def text(self, index: int = 0) -> str:
        """What one choice said."""
        return "".join(text_of(choice) for choice in self.choices(index))

    def finishes(self, index: int = 0) -> list[str]:
        """All reasons for an end that came for one choice; there should be one."""
        return [each["finish_reason"] for each in self.choices(index) if each.get("finish_reason") is not None]

    @property
    def logprobs(self) -> list[Any]:
        """The tokens of the first choice with their log-probabilities. Raises Failed."""
        found = [(each.get("logprobs") or {}).get("content") for each in self.choices()]
        return [token for part in found if part is not None for token in content_of(part)]

    @property
    def calls(self) -> list[Any]:
        """The calls of tools of the first choice, put together from their parts."""
        found: dict[int, Any] = {}
        for choice in self.choices():
            for part in (choice.get("delta") or {}).get("tool_calls") or ():
                call = found.setdefault(
                    part["index"], {"id": "", "type": "", "function": {"name": "", "arguments": ""}}
                )
                for name in ("id", "type"):
                    call[name] += part.get(name) or ""
                for name, value in (part.get("function") or {}).items():
                    call["function"][name] += value or ""
        return [found[index] for index in sorted(found)]

    @property
    def usage(self) -> Mapping[str, Any] | None:
        """What the last chunk says of tokens, if one does."""
        return next((chunk["usage"] for chunk in reversed(self.chunks) if chunk.get("usage")), None)


def text_of(choice: Mapping[str, Any]) -> str:
    """The text of a choice or of a part of one."""
    if "text" in choice:
        return str(choice["text"] or "")
    said = choice.get("message") or choice.get("delta") or {}
    return str(said.get("content") or "")


def content_of(found: Any) -> list[Any]:
    """A list of tokens as chat has it. Raises Failed for another shape."""
    if not isinstance(found, list) or not all(isinstance(each, dict) and "token" in each for each in found):
        raise Failed(f"logprobs.content is no list of tokens: {json.dumps(found)[:120]}")
    return found


def events_of(lines: Sequence[tuple[bytes, float]]) -> list[Event]:
    """Events of the lines of a stream, each with the time at which it came. Raises Failed for broken UTF-8."""
    found: list[Event] = []
    name, data = "", list[str]()
    for line, at in lines:
        try:
            text = line.decode()
        except UnicodeDecodeError:
            raise Failed(f"an event is no UTF-8, so a character was split: {line[:80]!r}") from None
        field, _, value = text.partition(":")
        value = value.removeprefix(" ")
        if field == "event":
            name = value
        elif field == "data":
            data.append(value)
        elif not text and data:
            found.append(Event(name, "\n".join(data), at))
        if not text:
            name, data = "", []
    if data:
        raise Failed(f"the stream ends within an event: {data[0][:80]!r}")
    return found


def _loaded(data: str) -> Any:
    try:
        found = json.loads(data)
    except ValueError:
        raise Failed(f"an event is neither JSON nor {DONE}: {data[:80]!r}") from None
    if isinstance(found, dict) and found.get("error"):
        raise Failed(f"the stream ended with an error: {json.dumps(found['error'])[:160]}")
    return found
