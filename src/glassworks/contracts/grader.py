"""What an answer of a language model is worth."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from glassworks.record import Record


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """An answer that was possible: the sum of the log-probabilities (natural) of its tokens, and how many those are."""

    text: str
    log_probability: float
    tokens: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Answered:
    """What a model gave for one example: the `text` that it wrote, or how probable it found each of the `choices`."""

    text: str = ""
    choices: tuple[Choice, ...] = ()


class Grader(ABC):
    """Compares what a language model answered with what is known to be right. No model is needed for it."""

    name: ClassVar[str]
    options: ClassVar[type[Record]]
    """What can be said of how it compares; everything has a default."""
    asks: ClassVar[Literal["text", "choices"]] = "text"
    """What of `Answered` it looks at."""

    @abstractmethod
    def grade(self, answered: Answered, expected: str, options: Any) -> Mapping[str, float]:
        """Values by the names of metrics, where more is better; not a number for what does not apply.

        `expected` is the right answer as it is written; of choices, its text. Each metric is the mean of its values.
        Raises InputError for what is expected and can be no right answer.
        """
