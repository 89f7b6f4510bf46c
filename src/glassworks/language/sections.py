"""Marked sections of a text that comes in parts, such as `<think>...</think>`; how it is cut makes no difference."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from glassworks.language.tokenizer import overlap


@dataclass(frozen=True, kw_only=True, slots=True)
class Section:
    """Further text in or out of the marks, without them; `ended` where a mark follows it."""

    inside: bool
    text: str
    ended: bool = False


class Sections:
    """Cuts at `opening` and `closing` in turn; holds back only what may be the beginning of the next mark."""

    def __init__(self, opening: str, closing: str, *, inside: bool = False) -> None:
        self._marks, self._pending = {False: opening, True: closing}, ""
        self.inside = inside
        """Whether the text so far ends in a section."""

    def feed(self, text: str) -> Iterator[Section]:
        """What can be read now of further text."""
        self._pending += text
        while (mark := self._marks[self.inside]) in self._pending:
            before, _, self._pending = self._pending.partition(mark)
            self.inside = not self.inside
            yield Section(inside=not self.inside, text=before, ended=True)
        kept = overlap(self._pending, mark)
        shown = self._pending[: len(self._pending) - kept]
        self._pending = self._pending[len(shown) :]
        if shown:
            yield Section(inside=self.inside, text=shown)

    def finish(self) -> Iterator[Section]:
        """What was held back."""
        if self._pending:
            yield Section(inside=self.inside, text=self._pending)
        self._pending = ""


class Trimmed:
    """A text without the whitespace at its ends: what may be at the end waits for more."""

    def __init__(self, *, started: bool = False) -> None:
        """With `started`, whitespace at the beginning stays."""
        self._started, self._pending = started, ""

    def feed(self, text: str) -> str:
        """What can be read now of further text."""
        text = self._pending + text
        if not self._started:
            text = text.lstrip()
        shown = text.rstrip()
        self._started = self._started or bool(shown)
        self._pending = text[len(shown) :]
        return shown

    def finish(self) -> str:
        """The whitespace at the end."""
        found, self._pending = self._pending, ""
        return found
