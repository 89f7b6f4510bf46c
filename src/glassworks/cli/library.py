"""The index that a conversation in the terminal answers from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from glassworks.contracts import Retrieval
from glassworks.errors import InputError, Unsupported

if TYPE_CHECKING:
    from glassworks.packaging.opened import OpenedBundle

_TOP = 5


class Library:
    """Finds passages for each question."""

    def __init__(self, opened: OpenedBundle) -> None:
        """Raises Unsupported for a model that finds none."""
        if not isinstance(opened.task, Retrieval):
            raise Unsupported(
                f"'{opened.manifest.name}' is for {opened.manifest.task} and finds no passages",
                "name an index: a model of the family passage_index",
            )
        self._opened, self._task = opened, opened.task
        self.passages: Sequence[Mapping[str, Any]] = ()
        """Those of the last question, as many as the context had room for."""
        self.left_out = 0
        self._messages: Sequence[Mapping[str, str]] = ()

    def before(
        self, messages: Sequence[Mapping[str, str]], fits: Callable[[Sequence[Mapping[str, str]]], bool]
    ) -> list[dict[str, Any]]:
        """The conversation with passages before its last question. Raises InputError where not one fits."""
        question = self._task.asked(self._task.question(messages), _TOP)
        outputs = self._opened.predict(np.array([question], object))
        found = self._task.found(next(iter(outputs.values()))[0])
        for count in range(len(found), -1, -1):
            grounded = self._task.grounded(messages, found[:count])
            if count == 0 or fits(grounded):
                break
        if found and not count:
            raise InputError("no passage fits into the context beside the conversation", "forget what was said: /clear")
        self.passages, self.left_out = found[:count], len(found) - count
        self._messages = messages
        return grounded

    def asking(self, answer: str) -> dict[str, Any]:
        """What an explanation is asked for that tells which passage drove which sentence of the last answer."""
        return {
            "messages": self._task.grounded(self._messages, self.passages),
            "parts": "passages",
            "passages": self._task.located(self._messages, self.passages),
            "spans": self._task.sentences(answer),
            "answer": answer,
        }

    def citations(self, answer: str) -> list[dict[str, Any]]:
        """Which sentence of the answer stands on which passage."""
        return self._task.cited(answer, self.passages)

    def close(self) -> None:
        """Give the engine's memory back."""
        self._opened.close()
