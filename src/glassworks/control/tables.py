"""Tables within requests, which records check later: what neither JSON nor TOML nor a database keeps is refused."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator

_DEPTH, _VALUES = 32, 10_000


def _plain(table: dict[str, Any]) -> dict[str, Any]:
    waiting: list[tuple[Any, int]] = [(table, 0)]
    seen = 0
    while waiting:
        value, depth = waiting.pop()
        seen += 1
        if depth > _DEPTH:
            raise ValueError(f"it is nested more than {_DEPTH} deep")
        if seen > _VALUES:
            raise ValueError(f"it holds more than {_VALUES:,} values")
        if isinstance(value, Mapping):
            waiting += [(each, depth + 1) for pair in value.items() for each in pair]
        elif isinstance(value, list):
            waiting += [(each, depth + 1) for each in value]
        elif isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{value} is no number of JSON")
        elif isinstance(value, str) and not _is_text(value):
            raise ValueError("a text holds half of a character")
    return table


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


Table = Annotated[dict[str, Any], AfterValidator(_plain)]
"""Of bounded depth and size, finite, and in whole characters."""
