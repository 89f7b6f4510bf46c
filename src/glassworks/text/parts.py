"""Texts of more than one part, such as a title and a body: one text, in which a mark stands between the parts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

MARK = "\u241f"
"""The symbol of the unit separator, which nobody writes: models read it as a word of its own."""
BETWEEN = f" {MARK} "


def join_parts(parts: Sequence[str]) -> str:
    """One text of the parts in their order; empty where all of them are."""
    if len(parts) == 1:
        return parts[0]
    return BETWEEN.join(part.replace(MARK, " ") for part in parts) if any(part.strip() for part in parts) else ""


def part_names(preprocessing: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of the parts that a model has learned from; none where its texts are whole."""
    found = (preprocessing.get("columns") or {}).get("text") or preprocessing.get("column")
    return tuple(map(str, found)) if isinstance(found, list | tuple) else ()


def whole_text(text: str, names: Sequence[str]) -> str:
    """A JSON object of all the parts as one text; any other text as it is."""
    if not names or not text.lstrip().startswith("{"):
        return text
    try:
        found = json.loads(text)
    except ValueError:
        return text
    if not isinstance(found, dict) or set(found) != set(names):
        return text
    return join_parts(["" if found[name] is None else str(found[name]) for name in names])


def sections(text: str, names: Sequence[str]) -> tuple[tuple[str, int, int], ...]:
    """(name, begin, end) of each part, in characters of the whole text; a text without marks is the first part."""
    found, begin = [], 0
    for name in names:
        last = name == names[-1]
        end = -1 if last else text.find(BETWEEN, begin)
        found.append((name, min(begin, len(text)), end if end >= 0 else len(text)))
        begin = end + len(BETWEEN) if end >= 0 else len(text)
    return tuple(found)
