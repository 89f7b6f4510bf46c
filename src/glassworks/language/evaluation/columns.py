"""Which columns of a table are questions, choices and answers."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from glassworks.data.conversations.forms import LISTS
from glassworks.data.tabular.columns import find_column
from glassworks.errors import DataError, InputError

NAMES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "text": ("text",),
        "messages": LISTS,
        "prompt": ("prompt", "question", "input", "query", "instruction"),
        "choices": ("choices", "options", "endings"),
        "answer": ("answer", "completion", "expected", "target", "output", "answerKey"),
        "preferred": ("preferred_output", "chosen"),
        "rejected": ("non_preferred_output", "rejected"),
        "response": ("response",),
        "score": ("score", "human", "rating"),
        "id": ("id",),
        "tools": ("tools",),
    }
)
"""Role -> what a column of that role may be called without being named."""
_ALONE = ("response", "score", "id", "tools")
"""A table may have any number of such names; the first counts."""
_SHOWN = 12
_MEND = "say which is which: --columns prompt=COLUMN,answer=COLUMN (roles: text, messages, prompt, choices, answer)"
_FORMS = MappingProxyType(
    {
        "preferences": ("preferred", "rejected"),
        "multiple choice": ("prompt", "choices", "answer"),
        "conversations": ("messages",),
        "questions": ("prompt", "answer"),
        "texts": ("text",),
        "prompts": ("prompt",),
    }
)
"""What can be measured -> the roles that it needs, what needs most first. Of `prompts` a judge's opinion alone."""


def roles_of(names: Sequence[str], given: Mapping[str, str], learned: Mapping[str, str], source: str) -> dict[str, str]:
    """Role -> column: those `given`, else those that the model `learned` from, else those with a usual name. The only
    column of a table is its text. Raises InputError and DataError.
    """
    for role in given:
        if role not in NAMES:
            near = difflib.get_close_matches(role, NAMES, n=1)
            hint = f"did you mean {near[0]}? " if near else ""
            raise InputError(f"'{role:.50}' is no role of a column", f"{hint}roles: {', '.join(NAMES)}")
    found = {role: _named(role, column, names, source) for role, column in given.items() if column}
    for role, usual in NAMES.items():
        column = None if role in given else _usual(role, (learned.get(role, ""), *usual), names, source)
        if column is not None and column not in found.values():
            found[role] = column
    if not found and len(names) == 1:
        return {"text": names[0]}
    return found


def measured_by(roles: Iterable[str], names: Sequence[str], source: str, opinion: bool) -> str:
    """What these columns let one measure; `prompts` only where a judge gives its `opinion`. Raises DataError."""
    there = set(roles)
    for form, wanted in _FORMS.items():
        if there.issuperset(wanted) and (form != "prompts" or opinion):
            return form
    shown = ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
    if there == {"prompt"}:
        raise DataError(
            f"{source:.80} has questions without answers: {shown}",
            "name the column of answers: --columns answer=COLUMN; or let a judge grade what is answered: --judge MODEL",
        )
    raise DataError(f"{source:.80} has no columns to measure a language model by: {shown}", _MEND)


def needed(form: str) -> tuple[str, ...]:
    """The roles that a row must have something in."""
    return _FORMS[form]


def _named(role: str, column: str, names: Sequence[str], source: str) -> str:
    """Several columns may hold the choices, joined by +."""
    parts = column.split("+") if role == "choices" and column not in names else [column]
    found = [find_column(part, names) for part in parts]
    if missing := [part for part, one in zip(parts, found, strict=True) if one is None]:
        near = difflib.get_close_matches(missing[0], names, n=1)
        shown = ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
        hint = f"did you mean {near[0]}? " if near else ""
        raise DataError(f"{source:.80} has no column '{missing[0]:.50}'", f"{hint}its columns: {shown}")
    return "+".join(one for one in found if one is not None)


def _usual(role: str, usual: Sequence[str], names: Sequence[str], source: str) -> str | None:
    if usual[0] and (learned := find_column(usual[0], names)):
        return learned
    found = list(dict.fromkeys(one for name in usual[1:] if (one := find_column(name, names))))
    if len(found) > 1 and role not in _ALONE:
        raise DataError(
            f"{source:.80} has more than one column that could be the {role}: {', '.join(found)}",
            f"name it: --columns {role}={found[0]}",
        )
    return found[0] if found else None
