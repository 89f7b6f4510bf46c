"""Records of any source as conversations: what each asks and answers, and what of them cannot be used."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from glassworks.data.assigned import Assigned, part_of
from glassworks.data.conversations.forms import LISTS, MEND, listed, messages_of_list, messages_of_pair, tools_of_cell
from glassworks.data.conversations.keys import ConversationData
from glassworks.data.conversations.reader import ConversationReader, Record
from glassworks.data.kinds import reader_of
from glassworks.data.split_keys import errors_of_part
from glassworks.data.tabular.columns import find_column
from glassworks.data.tabular.format import TableFormat
from glassworks.data.tabular.missing import is_missing
from glassworks.errors import DataError, InputError

_ANSWERS = ("completion", "answer")
_FORM = '{"messages": [{"role": "user", "content": "..."}, {"role": "assistant", "content": "..."}]}'
_ALPACA = ("instruction", "output", "input")
"""Columns of a task, its answer and what it is about, which may be empty, where the job names none."""
_NAMED, _BAD = 10, 0.1
_NOTHING = frozenset(("NaN", "nan", "<NA>"))
"""What pandas writes where there is no text; None or NA can be an answer."""


@dataclass(frozen=True, kw_only=True)
class Conversations:
    """`items` are JSON objects with `messages` and `tools`, `names` say where each is, `unreadable` why others are not
    among them; `parts` are those that the data assign, as `Assigned` has them.
    """

    source: str
    items: tuple[str, ...]
    names: tuple[str, ...]
    unreadable: tuple[tuple[str, str], ...]
    parts: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.items)


def read_conversations(data: ConversationData, check: Callable[[Any, Any], None]) -> Conversations:
    """The conversations of the job's source; `check` gets messages and tools of each, and raises InputError for
    what cannot be learned. Raises DataError where none can, or more than a tenth cannot.
    """
    found = _collected(data, _records(data), check)
    total = len(found) + len(found.unreadable)
    if not total:
        raise DataError(f"'{data.source}' holds no conversation", f"write one JSON object a line: {_FORM}")
    if len(found.unreadable) > _BAD * total:
        some = "; ".join(f"{name}: {why}" for name, why in found.unreadable[:3])
        raise DataError(
            f"{len(found.unreadable):,} of {total:,} conversations cannot be used: {some[:200]}",
            "mend these lines, or take them away; name other columns: data.prompt, data.answer",
        )
    return found


def read_again(item: str) -> tuple[list[dict[str, Any]], list[Any]]:
    """Messages and tools of one of `Conversations.items`."""
    found = json.loads(item)
    return found["messages"], found["tools"]


def findings(found: Conversations) -> tuple[str, ...]:
    """What people should know of those that are left out, by name and reason."""
    if not found.unreadable:
        return ()
    named = "; ".join(f"{name}: {why}" for name, why in found.unreadable[:_NAMED])
    more = f"; and {len(found.unreadable) - _NAMED:,} more" if len(found.unreadable) > _NAMED else ""
    return (f"{len(found.unreadable):,} conversations are left out: {named}{more}",)


def _records(data: ConversationData) -> Iterator[tuple[str, Record]]:
    """The records of all files, each with its part, which is empty where no file is one."""
    for part, source in ({"train": data.source, **data.split_files} if data.split_files else {"": data.source}).items():
        with errors_of_part(part) if part else nullcontext():
            reader, what = reader_of(source, ConversationReader)
            for name, record in reader.conversations(what, TableFormat.of(data)):
                yield part, (f"{part}: {name}" if part else name, record)


def _part(record: Mapping[str, Any] | str, data: ConversationData, name: str) -> str:
    if not data.split_column or isinstance(record, str):
        return ""
    return part_of(str(record.get(data.split_column) or ""), f"{data.source}, {name}")


def _collected(
    data: ConversationData, records: Iterable[tuple[str, Record]], check: Callable[[Any, Any], None]
) -> Conversations:
    items, names, unreadable, parts = list[str](), list[str](), list[tuple[str, str]](), list[str]()
    for part, (name, record) in records:
        own = part or _part(record, data, name)
        try:
            messages, tools = _asked(record, data)
            check(messages, tools)
        except InputError as error:
            unreadable.append((name, error.problem[:200]))
            continue
        items.append(json.dumps({"messages": messages, "tools": tools}, ensure_ascii=False))
        names.append(name)
        parts.append(own)
    return Conversations(
        source=data.source,
        items=tuple(items),
        names=tuple(names),
        unreadable=tuple(unreadable),
        parts=Assigned.of(parts, ()).parts,
    )


def _asked(record: Mapping[str, Any] | str, data: ConversationData) -> tuple[Any, Any]:
    if isinstance(record, str):
        raise InputError(record, MEND)
    names = (data.messages,) if data.messages else LISTS
    key = next(filter(None, (find_column(name, list(record)) for name in names)), None)
    given = record[key] if key is not None else None
    nothing = given is None or is_missing(given, _NOTHING)
    messages = _of_columns(record, data) if nothing else messages_of_list(listed(given))
    system = record.get("system") or data.system
    if isinstance(system, str) and system.strip() and isinstance(messages, Sequence) and not _has_system(messages):
        messages = [{"role": "system", "content": system}, *messages]
    return messages, _tools(record.get("tools"))


def _tools(given: Any) -> Any:
    return [] if given is None or is_missing(given, _NOTHING) else tools_of_cell(given)


def _of_columns(record: Mapping[str, Any], data: ConversationData) -> list[dict[str, Any]]:
    names = [find_column(each, list(record)) for each in ((data.answer,) if data.answer else _ANSWERS)]
    answer, prompt = next(filter(None, names), None), find_column(data.prompt, list(record))
    task, output, about = (find_column(name, list(record)) for name in _ALPACA)
    further = None
    if prompt is None and answer is None and task is not None and output is not None:
        prompt, answer, further = task, output, record.get(about or "")
    if prompt is None or answer is None:
        raise InputError(
            f"it has neither '{data.messages or LISTS[0]}' nor '{data.prompt}' and "
            f"'{data.answer or ' or '.join(_ANSWERS)}'; it has {', '.join(list(record)[:8]) or 'nothing'}",
            MEND,
        )
    question, said = record[prompt], record[answer]
    if is_missing(question, _NOTHING) or is_missing(said, _NOTHING):
        raise InputError(f"'{prompt}' or '{answer}' is empty", MEND)
    if not is_missing(further, _NOTHING):
        question = f"{question}\n\n{further}"
    return messages_of_pair(question, said)


def _has_system(messages: Sequence[Any]) -> bool:
    return any(isinstance(each, Mapping) and each.get("role") in ("system", "developer") for each in messages)
