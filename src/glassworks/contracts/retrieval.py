"""Models that find passages of texts, from which others answer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any


class Retrieval(ABC):
    """Its models find passages of texts for a question, from which a model that writes can answer."""

    @abstractmethod
    def question(self, messages: Sequence[Mapping[str, Any]]) -> str:
        """The last question of a conversation. Raises InputError where there is none."""

    @abstractmethod
    def asked(self, question: str, top: int) -> str:
        """What such a model is sent for so many passages."""

    @abstractmethod
    def found(self, answer: bytes) -> Sequence[Mapping[str, Any]]:
        """The passages of its answer, the best first: `id`, `file`, `start`, `end`, `text`, `score`."""

    @abstractmethod
    def grounded(
        self, messages: Sequence[Mapping[str, Any]], passages: Sequence[Mapping[str, Any]]
    ) -> list[dict[str, Any]]:
        """A conversation whose last question has the passages before it, as data."""

    @abstractmethod
    def located(
        self, messages: Sequence[Mapping[str, Any]], passages: Sequence[Mapping[str, Any]]
    ) -> list[tuple[int, int, int]]:
        """Where each passage stands in the conversation that `grounded` makes: (message, start, end) in characters."""

    @abstractmethod
    def sentences(self, answer: str) -> list[tuple[int, int]]:
        """(start, end) of each sentence of an answer, as citations count them."""

    @abstractmethod
    def cited(self, answer: str, passages: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Which sentence of an answer stands on which passage: `passage` (its number, from 1), `id`, `file`, `start`,
        `end` and `quote` (the characters of the file), `answer_start` and `answer_end` (those of the answer), `by`."""
