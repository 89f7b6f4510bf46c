"""Calls of tools in an answer's text, by the form that a model's chat template teaches."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from glassworks.language.sections import Sections, Trimmed

Form = Literal["tags", "json"]
"""`<tool_call>{"name", "arguments"}</tool_call>` (Hermes, Qwen), or an answer that is `{"name", "parameters"}` alone
(Llama 3)."""
OPENING, CLOSING = "<tool_call>", "</tool_call>"
PYTHON_TAG = "<|python_tag|>"
_ARGUMENTS = ("arguments", "parameters")
_FIRST_KEY = re.compile(r'\{\s*"([^"]*)"')
_MARK_OR_JSON = (PYTHON_TAG, "{")


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """A call of a tool; `arguments` are JSON."""

    name: str
    arguments: str


class Calls(Protocol):
    """Text becomes text and calls."""

    def feed(self, text: str) -> Iterator[str | Call]:
        """What can be read now of further text."""

    def finish(self) -> Iterator[str | Call]:
        """What was held back; half a call is dropped."""


def form_of(template: str) -> Form | None:
    """The form that a chat template teaches; None where it is not known."""
    if OPENING in template and "<function=" not in template:
        return "tags"
    return "json" if '"parameters"' in template and '"name"' in template else None


def calls_of(form: Form) -> Calls:
    """A reader for one answer."""
    return TaggedCalls() if form == "tags" else JsonCalls()


class TaggedCalls:
    """Calls between tags; whitespace around them is dropped, and what is in them but is no call becomes text."""

    def __init__(self) -> None:
        self._sections, self._spaces, self._content = Sections(OPENING, CLOSING), Trimmed(started=True), ""

    def feed(self, text: str) -> Iterator[str | Call]:
        for section in self._sections.feed(text):
            if not section.inside:
                yield from _some(self._spaces.feed(section.text))
                if section.ended:
                    self._spaces = Trimmed()
                continue
            self._content += section.text
            if section.ended:
                yield from self._closed()

    def finish(self) -> Iterator[str | Call]:
        for section in self._sections.finish():
            if not section.inside:
                yield from _some(self._spaces.feed(section.text))
        yield from _some(self._spaces.finish())

    def _closed(self) -> Iterator[str | Call]:
        content, self._content = self._content.strip(), ""
        call = _call(_decoded(content))
        if call is not None:
            yield call
        else:
            yield from _some(content)


class JsonCalls:
    """An answer that is calls alone, one or more, with commas or semicolons between them; any other is text."""

    def __init__(self) -> None:
        self._pending = ""
        self._text = False

    def feed(self, text: str) -> Iterator[str | Call]:
        if self._text:
            yield from _some(text)
            return
        self._pending += text
        if not self._may_be_calls():
            self._text = True
            yield from _some(self._pending)
            self._pending = ""

    def finish(self) -> Iterator[str | Call]:
        values = _values(self._pending.strip().removeprefix(PYTHON_TAG))
        calls = [_call(value) for value in values]
        if not values or None in calls:
            first = _FIRST_KEY.search(self._pending)
            if values or first is None or first[1] not in ("name", *_ARGUMENTS):
                yield from _some(self._pending.replace(PYTHON_TAG, ""))
            return
        yield from (call for call in calls if call is not None)

    def _may_be_calls(self) -> bool:
        text = self._pending.lstrip()
        if not text.startswith(_MARK_OR_JSON):
            return any(mark.startswith(text) for mark in _MARK_OR_JSON)
        body = text.removeprefix(PYTHON_TAG).lstrip()
        first = _FIRST_KEY.match(body)
        return first is None or first[1] in ("type", "function", "name", *_ARGUMENTS)


def _some(text: str) -> Iterator[str]:
    if text:
        yield text


def _decoded(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _values(text: str) -> list[Any]:
    """JSON values at the beginning of a text."""
    decoder, found = json.JSONDecoder(), list[Any]()
    while text:
        try:
            value, end = decoder.raw_decode(text)
        except (ValueError, RecursionError):
            break
        found.append(value)
        text = text[end:].lstrip(" \r\n\t;,")
    return found


def _call(value: Any) -> Call | None:
    if not isinstance(value, dict) or not isinstance(value.get("name"), str):
        return None
    arguments: Any = next((value[key] for key in _ARGUMENTS if key in value), {})
    if not isinstance(arguments, str):
        arguments = json.dumps(arguments, ensure_ascii=False)
    return Call(name=value["name"], arguments=arguments)
