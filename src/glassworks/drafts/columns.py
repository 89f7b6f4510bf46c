"""The keys of `[data]` that read the columns of a table, as far as they are clear."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from glassworks.data.interactions.protocols import LEAST
from glassworks.data.preview import Preview
from glassworks.errors import DataError

_RATED, _LIKED = 1000, 0.8
"""Rows to find the ratings in; what is liked, of the best one."""
_SMALL_LOG, _LONG_HISTORY = 10_000, 50
"""Interactions; of a user, so many that some lie in the last part of the time."""
_COUNTED, _SHORT_HISTORY = 100_000, 2 * LEAST
"""Interactions that are looked at; of a user on average, so few that most have not enough to hide a part of."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """Data that a job is drafted for, and what people call them: the name of a file, or of a sample."""

    source: str
    name: str
    look: Preview


def text_keys(subject: Subject) -> tuple[Mapping[str, str], dict[str, Any]]:
    """Columns by their roles, and the keys of `[data]` that they need. Raises DataError without one for the text."""
    look, columns = subject.look, subject.look.layout().columns
    roles = look.layout().roles if columns else {"text": "text", **({"label": "label"} if look.classes() else {})}
    if "text" not in roles:
        names = ", ".join(column.name for column in columns)
        raise DataError(
            f"'{subject.name}': it is not clear which column holds the text; its columns: {names}",
            "say which one (columns.text), name it text, or write the job with data.text = ...",
        )
    data: dict[str, Any] = {role: name for role, name in roles.items() if name != role}
    if parts := look.layout().parts:
        data = {"text": list(parts), **{role: name for role, name in data.items() if role != "text"}}
    if any(column.name == roles.get("label") and column.kind == "list" for column in columns):
        data["separator"] = "|"
    return roles, data


def event_keys(subject: Subject) -> tuple[Mapping[str, str], dict[str, Any]]:
    """As `text_keys`, of interactions. Raises DataError without columns of users and items."""
    look, roles = subject.look, subject.look.layout().roles
    if not {"user", "item"} <= set(roles):
        names = ", ".join(column.name for column in look.layout().columns)
        raise DataError(
            f"'{subject.name}': it is not clear which columns hold users and items; its columns: {names}",
            "say which ones (columns.user, columns.item), name them user and item, or write the job with data.user = "
            "... and data.item = ...",
        )
    data: dict[str, Any] = {}
    if not subject.source.startswith("sample:"):  # a sample says itself
        data = {role: name for role, name in roles.items() if role in ("time", "weight") or role != name}
    if "weight" in roles and (positive := _positive(look, roles["weight"])) is not None:
        data["positive"] = positive
    if "time" in roles and (protocol := _protocol(look, roles["user"], roles["item"])):
        data["protocol"] = protocol
    return roles, data


def _protocol(look: Preview, user: str, item: str) -> str:
    """One by which enough people can be asked: each for the last of a short history, strangers where hardly anybody
    has enough in the last part of the time; empty where the usual one does."""
    if look.examples() > _COUNTED:
        return ""
    rows = [each.row or {} for each in look.page(limit=_COUNTED).items]
    pairs = {(row.get(user), row.get(item)) for row in rows}
    history = len(pairs) / max(1, len({who for who, _ in pairs}))
    if history < _SHORT_HISTORY:
        return "leave_last_out"
    return "strong_generalization" if look.examples() <= _SMALL_LOG and history < _LONG_HISTORY else ""


def _positive(look: Preview, column: str) -> float | int | None:
    """From which rating on an item is liked; None where weights are no ratings."""
    rows = [each.row or {} for each in look.page(limit=_RATED).items]
    try:
        levels = sorted({float(row[column]) for row in rows if row.get(column)})
    except ValueError:
        return None
    if not (3 <= len(levels) <= 11 and levels[0] > 0 and 3 <= levels[-1] <= 10):
        return None
    liked = next(level for level in levels if level >= _LIKED * levels[-1])
    return int(liked) if liked.is_integer() else liked
