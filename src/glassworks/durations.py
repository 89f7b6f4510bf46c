"""Times as people write them: `90s`, `5m`."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}


def parse_duration(value: object) -> float:
    """Seconds from a number or a text such as `90s`, `5m`, `1.5h`, `250ms`, `30d`."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?(?:e[+-]?\d+)?)\s*(ms|s|m|h|d|w)\s*", str(value), re.ASCII)
    if not match:
        raise ValueError("a duration is a number of seconds or a text such as '90s', '5m' or '1.5h'")
    return float(match[1]) * _UNITS[match[2]]


_SCHEMA = {"anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"type": "string", "examples": ["90s", "5m"]}]}
Seconds = Annotated[
    float,
    BeforeValidator(parse_duration),
    Field(gt=0, allow_inf_nan=False),
    WithJsonSchema(_SCHEMA, mode="validation"),
    PlainSerializer(lambda seconds: repr(seconds).removesuffix(".0") + "s", return_type=str, when_used="json"),
]
