"""Tokens of an answer become the parts that are sent: text, reasoning, calls of tools, log-probabilities."""

from __future__ import annotations

import json
import secrets
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from glassworks.contracts import Chunk
from glassworks.language.answer_text import AnswerText, Reasoning
from glassworks.language.parameters import Asked
from glassworks.language.sampling import Generated
from glassworks.language.tokenizer import LanguageTokenizer, StopMatcher
from glassworks.language.tool_calls import Call

if TYPE_CHECKING:
    from glassworks.contracts import Array

TEXT, REASONING, TOOL_CALLS, LOGPROBS = "generated", "reasoning", "tool_calls", "logprobs"


class Answer:
    """One answer as its tokens come. A stop string ends it wherever it stands, in reasoning and calls too."""

    def __init__(self, tokenizer: LanguageTokenizer, asked: Asked, text: AnswerText, visible: frozenset[int]) -> None:
        """`visible` are special tokens whose text is read."""
        self._decoder, self._stops = tokenizer.decoder(visible), StopMatcher(asked.stop)
        self._text, self._parallel = text, asked.parallel_tool_calls
        self._shown = _Shown(tokenizer) if asked.logprobs else None
        self._cached = self._count = self._reasoning = self._calls = 0

    def feed(self, generated: Generated) -> Chunk:
        """The chunk of further tokens; it may have no outputs."""
        part, reason = _Part(), generated.finish_reason
        self._cached = max(self._cached, generated.cached)
        for index, token in enumerate(generated.ids):
            self._count += 1
            self._reasoning += self._text.reasons
            if self._shown:
                self._shown.add(generated, index)
            self._read(self._decoder.feed([token]), part)
        if reason:
            self._finish(part)
        if self._shown:
            part.tokens += self._shown.rest() if reason and not self._stops.stopped else ()
        reason = "stop" if self._stops.stopped else reason
        if self._calls and (reason == "stop" or not self._parallel):
            reason = "tool_calls"
        return Chunk(
            outputs=part.outputs(),
            cached_tokens=self._cached,
            completion_tokens=self._count,
            reasoning_tokens=self._reasoning,
            finish_reason=reason,
        )

    def _read(self, text: str, part: _Part, *, last: bool = False) -> None:
        if self._shown:
            self._shown.read(text)
        shown = self._stops.feed(text)
        if last and not self._stops.stopped:
            shown += self._stops.finish()
        self._take(self._text.feed(shown), part)
        if self._shown:
            part.tokens += self._shown.until(shown)

    def _finish(self, part: _Part) -> None:
        self._read(self._decoder.finish(), part, last=True)
        self._take(self._text.finish(), part)

    def _take(self, found: Iterable[str | Reasoning | Call], part: _Part) -> None:
        for each in found:
            if isinstance(each, str):
                part.text += each
            elif isinstance(each, Reasoning):
                part.reasoning += each.text
            elif self._parallel or not self._calls:
                part.calls.append(_delta(each, self._calls))
                self._calls += 1


@dataclass
class _Part:
    text: str = ""
    reasoning: str = ""
    calls: list[dict[str, Any]] = field(default_factory=list)
    tokens: list[dict[str, Any]] = field(default_factory=list)

    def outputs(self) -> dict[str, Array]:
        found = {TEXT: self.text, REASONING: self.reasoning}
        lists = {TOOL_CALLS: self.calls, LOGPROBS: self.tokens}
        found |= {name: json.dumps(each, ensure_ascii=False) for name, each in lists.items() if each}
        return {name: objects([value.encode()]) for name, value in found.items() if value}


class _Shown:
    """Log-probabilities of the tokens whose text is shown, with the part in which it is."""

    def __init__(self, tokenizer: LanguageTokenizer) -> None:
        self._tokenizer = tokenizer
        self._waiting: deque[tuple[int, dict[str, Any]]] = deque()
        self._read = self._until = 0
        """Characters of the text so far, and how many of them are shown."""

    def add(self, generated: Generated, index: int) -> None:
        top = generated.alternatives[index] if generated.alternatives else ()
        entry = self._tokenizer.scored(generated.ids[index], generated.log_probabilities[index])
        entry["top"] = [self._tokenizer.scored(*each) for each in top]
        self._waiting.append((self._read, entry))

    def read(self, text: str) -> None:
        self._read += len(text)

    def until(self, text: str) -> Iterable[dict[str, Any]]:
        """Tokens of further text."""
        self._until += len(text)
        while self._waiting and self._waiting[0][0] < self._until:
            yield self._waiting.popleft()[1]

    def rest(self) -> Iterable[dict[str, Any]]:
        """Tokens at the end without text."""
        while self._waiting:
            yield self._waiting.popleft()[1]


def objects(values: Sequence[Any]) -> Array:
    """A column of objects."""
    found = np.empty(len(values), object)
    found[:] = values
    return found


def _delta(call: Call, index: int) -> dict[str, Any]:
    function = {"name": call.name, "arguments": call.arguments}
    return {"index": index, "id": f"call_{secrets.token_hex(12)}", "type": "function", "function": function}
