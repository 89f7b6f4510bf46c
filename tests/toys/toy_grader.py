"""Counts letters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from glassworks.contracts import Answered, Grader, Record


class ToyOptions(Record):
    """Nothing can be said."""


class ToyGrader(Grader):
    """As long as what is expected."""

    name: ClassVar[str] = "toy_grader"
    options: ClassVar[type[Record]] = ToyOptions

    def grade(self, answered: Answered, expected: str, options: Any) -> Mapping[str, float]:
        return {"same_length": float(len(answered.text) == len(expected))}
