"""The text of an answer to a conversation becomes reasoning, content and calls of tools."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from glassworks.language.sections import Sections, Trimmed
from glassworks.language.tool_calls import Call, Form, calls_of

THINK, THOUGHT = "<think>", "</think>"


@dataclass(frozen=True, kw_only=True, slots=True)
class Reasoning:
    """Text of a part that thinks."""

    text: str


class AnswerText:
    """Reads one answer; how its text is cut makes no difference.

    With `reasoning`, what is between the marks of thinking is kept separate, and whitespace around them dropped;
    `inside` says that the prompt has opened one. `form` is that of the calls of tools, None where there are none.
    """

    def __init__(self, *, reasoning: bool = False, inside: bool = False, form: Form | None = None) -> None:
        self._sections = Sections(THINK, THOUGHT, inside=inside) if reasoning else None
        self._calls = calls_of(form) if form else None
        self._thought = Trimmed()
        self._leading = False

    @property
    def reasons(self) -> bool:
        """Whether the text so far ends in a part that thinks."""
        return self._sections is not None and self._sections.inside

    def feed(self, text: str) -> Iterator[str | Reasoning | Call]:
        """What can be read now of further text."""
        if self._sections is None:
            yield from self._content(text)
            return
        for section in self._sections.feed(text):
            yield from self._section(section.inside, section.text)
            if section.ended:
                self._thought, self._leading = Trimmed(), section.inside

    def finish(self) -> Iterator[str | Reasoning | Call]:
        """What was held back; half a call is dropped."""
        for section in self._sections.finish() if self._sections else ():
            yield from self._section(section.inside, section.text)
        if self._calls:
            yield from self._calls.finish()

    def _section(self, inside: bool, text: str) -> Iterator[str | Reasoning | Call]:
        if not inside:
            yield from self._content(text)
        elif shown := self._thought.feed(text):
            yield Reasoning(text=shown)

    def _content(self, text: str) -> Iterator[str | Call]:
        if self._leading:
            text = text.lstrip()
            self._leading = not text
        if self._calls:
            yield from self._calls.feed(text)
        elif text:
            yield text
