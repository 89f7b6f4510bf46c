"""Answers that are the expected one."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import ClassVar, Literal

from glassworks.contracts import Answered, Grader, Record

Step = Literal["nfkc", "case", "punctuation", "articles", "blanks"]
_ARTICLES = re.compile(r"\b(a|an|the)\b", re.IGNORECASE)


class ExactMatchOptions(Record):
    """`normalize` is what is done, in this order, to both texts before `normalized_match` compares them: `nfkc` (forms
    of Unicode), `case`, `punctuation` (taken away), `articles` (a, an, the), `blanks` (one between words)."""

    normalize: tuple[Step, ...] = ("nfkc", "case", "punctuation", "articles", "blanks")


class ExactMatch(Grader):
    """Whether an answer is the expected one: without blanks around it, and normalized (Rajpurkar et al. 2016)."""

    name: ClassVar[str] = "exact_match"
    options: ClassVar[type[Record]] = ExactMatchOptions

    def grade(self, answered: Answered, expected: str, options: ExactMatchOptions) -> Mapping[str, float]:
        same = normalized(answered.text, options.normalize) == normalized(expected, options.normalize)
        return {
            "exact_match": float(answered.text.strip() == expected.strip()),
            "normalized_match": float(same),
        }


def normalized(text: str, steps: Sequence[Step]) -> str:
    """The text after these steps; what has nothing but punctuation keeps it."""
    for step in steps:
        text = _STEPS[step](text)
    return text.strip()


def _without_punctuation(text: str) -> str:
    found = "".join(sign for sign in text if not unicodedata.category(sign).startswith("P"))
    return found if found.strip() else text


_STEPS: Mapping[str, Callable[[str], str]] = MappingProxyType(
    {
        "nfkc": lambda text: unicodedata.normalize("NFKC", text),
        "case": str.casefold,
        "punctuation": _without_punctuation,
        "articles": lambda text: _ARTICLES.sub(" ", text),
        "blanks": lambda text: " ".join(text.split()),
    }
)
"""What each step does."""
