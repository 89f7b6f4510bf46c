"""Records with one answer: a list of messages that ends with it, or columns of a question and its answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from glassworks.data.conversations.forms import LISTS, MEND, NOTHING, listed, messages_of_list, messages_of_pair
from glassworks.data.conversations.keys import ConversationData
from glassworks.data.tabular.columns import find_column
from glassworks.data.tabular.missing import is_missing
from glassworks.errors import InputError

_ANSWERS = ("completion", "answer")
_ALPACA = ("instruction", "output", "input")
"""Columns of a task, its answer and what it is about, which may be empty, where the job names none."""


def has_answer(record: Mapping[str, Any], data: ConversationData) -> bool:
    """Whether a record is one of this form, as far as its keys tell."""
    return list_of(record, data) is not None or None not in _columns(record, data)[:2]


def list_of(record: Mapping[str, Any], data: ConversationData) -> Any:
    """What a record holds as its list of messages; None where it has none."""
    names = (data.messages,) if data.messages else LISTS
    key = next(filter(None, (find_column(name, list(record)) for name in names)), None)
    return None if key is None or is_missing(record[key], NOTHING) else record[key]


def conversation_of(record: Mapping[str, Any], data: ConversationData, *, answered: bool = True) -> Any:
    """The messages of a record; unless it must be `answered`, those of a question alone too. Raises InputError."""
    given = list_of(record, data)
    return _of_columns(record, data, answered) if given is None else messages_of_list(listed(given))


def _columns(record: Mapping[str, Any], data: ConversationData) -> tuple[str | None, str | None, str | None]:
    """The names of question and answer, and of what a question is about."""
    names = [find_column(each, list(record)) for each in ((data.answer,) if data.answer else _ANSWERS)]
    answer, prompt = next(filter(None, names), None), find_column(data.prompt, list(record))
    task, output, about = (find_column(name, list(record)) for name in _ALPACA)
    if prompt is None and answer is None and task is not None and output is not None:
        return task, output, about
    return prompt, answer, None


def _of_columns(record: Mapping[str, Any], data: ConversationData, answered: bool) -> list[dict[str, Any]]:
    prompt, answer, about = _columns(record, data)
    if not answered and prompt is not None and is_missing(record.get(answer or ""), NOTHING):
        if is_missing(record[prompt], NOTHING):
            raise InputError(f"'{prompt}' is empty", MEND)
        return messages_of_pair(record[prompt], None)
    if prompt is None or answer is None:
        raise InputError(
            f"it has neither '{data.messages or LISTS[0]}' nor '{data.prompt}' and "
            f"'{data.answer or ' or '.join(_ANSWERS)}'; it has {shown(record)}",
            MEND,
        )
    question, said, further = record[prompt], record[answer], record.get(about or "")
    if is_missing(question, NOTHING) or is_missing(said, NOTHING):
        raise InputError(f"'{prompt}' or '{answer}' is empty", MEND)
    if not is_missing(further, NOTHING):
        question = f"{question}\n\n{further}"
    return messages_of_pair(question, said)


def shown(record: Mapping[str, Any]) -> str:
    """The first names of its columns, for people."""
    return ", ".join(list(record)[:8])[:120] or "nothing"
