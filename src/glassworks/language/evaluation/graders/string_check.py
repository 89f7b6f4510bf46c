"""Texts that are, or hold, others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from glassworks.contracts import Answered, Grader, Record


class StringCheckOptions(Record):
    """`eq` and `ne`: the answer is, or is not, what is expected; `like`: it has that in it; `ilike`: in any case."""

    operation: Literal["eq", "ne", "like", "ilike"] = "eq"


class StringCheck(Grader):
    """Whether an answer is a text, sign by sign, or has it in it; OpenAI's string_check."""

    name: ClassVar[str] = "string_check"
    options: ClassVar[type[Record]] = StringCheckOptions

    def grade(self, answered: Answered, expected: str, options: StringCheckOptions) -> Mapping[str, float]:
        match options.operation:
            case "eq":
                passed = answered.text == expected
            case "ne":
                passed = answered.text != expected
            case "like":
                passed = expected in answered.text
            case "ilike":
                passed = expected.casefold() in answered.text.casefold()
        return {"string_check": float(passed)}
