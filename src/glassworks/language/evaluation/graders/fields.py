"""Answers in JSON, field by field."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from glassworks.contracts import Answered, Grader, Record
from glassworks.errors import InputError

_DEEPEST, _MOST_FIELDS = 32, 1000


class FieldsOptions(Record):
    """`each` are the fields of the expected object whose own share of right values is told; empty for all."""

    each: tuple[str, ...] = ()


class Fields(Grader):
    """Whether an answer is JSON (`valid_json`), the same as expected (`all_fields`), how many of its fields are right
    (`field_f1`), and each of them alone (`field NAME`)."""

    name: ClassVar[str] = "fields"
    options: ClassVar[type[Record]] = FieldsOptions

    def grade(self, answered: Answered, expected: str, options: FieldsOptions) -> Mapping[str, float]:
        """Raises InputError where what is expected is no JSON object."""
        known = object_of(expected)
        if known is None:
            raise InputError(f"the expected answer is no JSON object: {expected!r:.100}", "write it as an object")
        given = object_of(answered.text)
        wanted = options.each or tuple(known)
        alone = {f"field {name}": _same(given, known, name) for name in wanted[:_MOST_FIELDS]}
        values, own = Counter(_leaves(known)), Counter(_leaves(given) if given is not None else ())
        common, both = (values & own).total(), values.total() + own.total()
        return {
            "valid_json": float(given is not None),
            "all_fields": float(given is not None and values == own),
            "field_f1": (2 * common / both if both else 1.0) if given is not None else 0.0,
            **alone,
        }


def object_of(text: str) -> dict[str, Any] | None:
    """The JSON object that a text is, None for anything else: strictly, with nothing around it but blanks."""
    try:
        found = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _refuse(name: str) -> Any:
    raise ValueError(name)


def _same(given: Mapping[str, Any] | None, known: Mapping[str, Any], name: str) -> float:
    if name not in known:
        return math.nan
    if given is None or name not in given:
        return 0.0
    return float(Counter(_leaves(given[name])) == Counter(_leaves(known[name])))


def _leaves(value: Any, path: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    """Each plain value with the path to it; numbers that are equal are one value, texts count without blanks around."""
    if depth < _DEEPEST and isinstance(value, dict) and value:
        for key, each in value.items():
            yield from _leaves(each, f"{path}/{key.replace('~', '~0').replace('/', '~1')}", depth + 1)
    elif depth < _DEEPEST and isinstance(value, list) and value:
        for index, each in enumerate(value):
            yield from _leaves(each, f"{path}/{index}", depth + 1)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield path, repr(float(value)) if abs(value) < 2**53 else repr(value)
    else:
        yield path, json.dumps(value.strip() if isinstance(value, str) else value, sort_keys=True)
