"""Records with two answers to one question, one of which is preferred."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from glassworks.data.conversations.answers import list_of
from glassworks.data.conversations.forms import NOTHING, messages_of_list
from glassworks.data.conversations.keys import ConversationData
from glassworks.data.tabular.columns import find_column
from glassworks.data.tabular.missing import is_missing
from glassworks.errors import InputError

_PREFERRED, _REJECTED = ("preferred_output", "chosen"), ("non_preferred_output", "rejected")
_INPUT = "input"
_WHO = frozenset(("role", "from"))
_MEND = "mend this preference, or take it away"
Messages = list[dict[str, Any]]


def columns_of(record: Mapping[str, Any], data: ConversationData) -> tuple[str, str] | None:
    """The names of a record's preferred and rejected answer; None where it has not both."""
    found = [
        next(filter(None, (find_column(name, list(record)) for name in ((own,) if own else names))), None)
        for own, names in ((data.preferred, _PREFERRED), (data.rejected, _REJECTED))
    ]
    return None if found[0] is None or found[1] is None else (found[0], found[1])


def preference_of(record: Mapping[str, Any], names: tuple[str, str], data: ConversationData) -> dict[str, Any]:
    """`messages` that end with the preferred answer, what stands there in the `rejected` case, and `tools`.

    OpenAI's form has the question as `input`; other ones have it in the column of `data.prompt`, a text or messages,
    or both answers are whole conversations, alike up to their last message. Of the question nothing is learned. Raises
    InputError.
    """
    preferred, rejected = (_said(record[name], name) for name in names)
    question, tools = _question(record, data)
    if question is None or "assistant" not in (preferred[0].get("role"), rejected[0].get("role")):
        question, preferred, rejected = _parted(preferred, rejected, data)
    for name, answer in zip(names, (preferred, rejected), strict=True):
        if len(answer) != 1 or answer[0].get("role") != "assistant":
            raise InputError(f"'{name}' is not one message of the assistant", _MEND)
    if preferred == rejected:
        raise InputError("both answers are the same", _MEND)
    asked = [{**each, "weight": 0} if each.get("role") == "assistant" else each for each in question]
    return {"messages": [*asked, *preferred], "tools": tools or record.get("tools") or [], "rejected": rejected}


def _question(record: Mapping[str, Any], data: ConversationData) -> tuple[Messages | None, Any]:
    """Messages before the answer, and their tools; None where the answers stand in whole conversations."""
    given = record.get(_INPUT)
    if isinstance(given, str) and given.lstrip().startswith("{"):  # a cell of a table
        given = _parsed(given)
    if isinstance(given, Mapping):
        return _messages(given.get("messages"), f"{_INPUT}.messages"), given.get("tools")
    name = find_column(data.prompt, list(record)) or (_INPUT if given is not None else None)
    found = list_of(record, data) if name is None else record[name]
    if is_missing(found, NOTHING):
        return None, None
    listed = _listed(found)
    return ([{"role": "user", "content": str(found)}] if listed is None else _messages(listed, name or "it")), None


def _said(value: Any, name: str) -> Messages:
    """An answer, or a whole conversation."""
    if is_missing(value, NOTHING) or value in ([], {}):
        raise InputError(f"'{name}' is empty", _MEND)
    listed = _listed(value)
    return [{"role": "assistant", "content": str(value)}] if listed is None else _messages(listed, name)


def _listed(value: Any) -> Any:
    """Messages, of a table's cell too; None for a text."""
    if isinstance(value, str):
        found = _parsed(value) if value.lstrip()[:1] in ("[", "{") else None
        one = found[0] if isinstance(found, list) and found else found
        return found if isinstance(one, Mapping) and _WHO.intersection(one) else None
    return value if isinstance(value, list | Mapping) else None


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _messages(value: Any, name: str) -> Messages:
    found = [value] if isinstance(value, Mapping) else value
    if not isinstance(found, list) or not found or not all(isinstance(each, Mapping) for each in found):
        raise InputError(f"'{name}' is {value!r:.100}, which is no list of messages", _MEND)
    return [dict(each) for each in messages_of_list(found)]


def _parted(preferred: Messages, rejected: Messages, data: ConversationData) -> tuple[Messages, Messages, Messages]:
    """The question that two whole conversations have in common, and their last messages."""
    if preferred[:-1] != rejected[:-1]:
        raise InputError("the conversations of its two answers are different before their last message", _MEND)
    if len(preferred) < 2:
        raise InputError(f"it has no question: neither '{_INPUT}' nor '{data.prompt}'", _MEND)
    return preferred[:-1], preferred[-1:], rejected[-1:]


def has_system(messages: Sequence[Any]) -> bool:
    """Whether the system says something in a conversation."""
    return any(isinstance(each, Mapping) and each.get("role") in ("system", "developer") for each in messages)
