"""The most probable of several answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import numpy as np

from glassworks.contracts import Answered, Grader, Record
from glassworks.errors import InputError


class MultipleChoiceOptions(Record):
    """Nothing can be said of it."""


class MultipleChoice(Grader):
    """Whether the right one of several answers is the most probable: by the sum of its log-probabilities (`acc`), and
    by that sum over its characters (`acc_norm`), as in lm-eval."""

    name: ClassVar[str] = "multiple_choice"
    options: ClassVar[type[Record]] = MultipleChoiceOptions
    asks: ClassVar[Literal["text", "choices"]] = "choices"

    def grade(self, answered: Answered, expected: str, options: MultipleChoiceOptions) -> Mapping[str, float]:
        """Of equals the first counts as chosen. Raises InputError where no choice is the expected one."""
        texts = [choice.text for choice in answered.choices]
        if expected not in texts:
            raise InputError(f"'{expected:.100}' is none of the choices", "let the answer be one of them")
        sums = np.array([choice.log_probability for choice in answered.choices], np.float64)
        lengths = np.array([max(len(text), 1) for text in texts], np.float64)
        return {
            "acc": float(texts[int(sums.argmax())] == expected),
            "acc_norm": float(texts[int((sums / lengths).argmax())] == expected),
        }
