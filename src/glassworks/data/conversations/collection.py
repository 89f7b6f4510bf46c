"""Records of any source as conversations: what each asks and answers, and what of them cannot be used."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from glassworks.data.assigned import Assigned, part_of
from glassworks.data.conversations.answers import conversation_of, has_answer, shown
from glassworks.data.conversations.forms import MEND, NOTHING, tools_of_cell
from glassworks.data.conversations.keys import ConversationData
from glassworks.data.conversations.preferences import columns_of, has_system, preference_of
from glassworks.data.conversations.reader import ConversationReader, Record
from glassworks.data.kinds import reader_of
from glassworks.data.split_keys import errors_of_part
from glassworks.data.tabular.columns import find_column
from glassworks.data.tabular.format import TableFormat
from glassworks.data.tabular.missing import is_missing
from glassworks.errors import DataError, InputError

Wanted: TypeAlias = Literal["answers", "questions", "preferences", "either"]
"""What each record must have: an answer, a question at least, or a preferred and a rejected answer."""
_FORM = '{"messages": [{"role": "user", "content": "..."}, {"role": "assistant", "content": "..."}]}'
_NO_PREFERENCE = (
    "give preferred_output and non_preferred_output, or name columns: data.preferred, data.rejected; "
    "or take model.tuning away to learn from right answers"
)
_PREFERENCE = (
    '{"input": {"messages": [...]}, "preferred_output": [{"role": "assistant", "content": "..."}], '
    '"non_preferred_output": [...]}'
)
_NAMED, _REASONS = 10, 3


@dataclass(frozen=True, kw_only=True)
class Conversations:
    """`items` are JSON objects with `messages` and `tools`, and where an answer is preferred to another one, what was
    `rejected` instead of the last message. `names` say where each is, `unreadable` why others are not among them;
    `parts` are those that the data assign, as `Assigned` has them.
    """

    source: str
    items: tuple[str, ...]
    names: tuple[str, ...]
    unreadable: tuple[tuple[str, str], ...]
    parts: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.items)


def read_conversations(
    data: ConversationData, check: Callable[[Any, Any], None], wanted: Wanted = "answers"
) -> Conversations:
    """The conversations of the job's source; `check` gets messages and tools of each, and raises InputError for
    what cannot be learned. Raises DataError where none can, more than a tenth cannot, or one is not what is wanted.
    """
    found = _collected(data, _records(data), check, wanted)
    total = len(found) + len(found.unreadable)
    if not total:
        form = _PREFERENCE if wanted == "preferences" else _FORM
        raise DataError(f"'{data.source}' holds no conversation", f"write one JSON object a line: {form}")
    if len(found.unreadable) > data.tolerated * total:
        raise DataError(
            f"{len(found.unreadable):,} of {total:,} conversations cannot be used: {_reasons(found.unreadable)}",
            "mend these lines, or take them away; name other columns: data.prompt, "
            + ("data.preferred, data.rejected" if wanted == "preferences" else "data.answer"),
        )
    return found


def _reasons(unreadable: Sequence[tuple[str, str]]) -> str:
    """The first with their reasons, some more by their names."""
    some = "; ".join(f"{name}: {why}" for name, why in unreadable[:_REASONS])[:170]
    more = ", ".join(name for name, _ in unreadable[_REASONS:_NAMED])
    return f"{some}; also {more[:60]}" if more else some


def read_again(item: str) -> tuple[list[dict[str, Any]], list[Any]]:
    """Messages and tools of one of `Conversations.items`."""
    found = json.loads(item)
    return found["messages"], found["tools"]


def read_rejected(item: str) -> list[dict[str, Any]]:
    """The messages of one of `Conversations.items` with the answer that was rejected; none where none was."""
    found = json.loads(item)
    return [*found["messages"][:-1], *found["rejected"]] if "rejected" in found else []


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
    data: ConversationData, records: Iterable[tuple[str, Record]], check: Callable[[Any, Any], None], wanted: Wanted
) -> Conversations:
    items, names, unreadable, parts = list[str](), list[str](), list[tuple[str, str]](), list[str]()
    for part, (name, record) in records:
        own = part or _part(record, data, name)
        _require_form(record, data, wanted, f"{data.source}, {name}")
        try:
            item = _item(record, data, wanted)
            check(item["messages"], item["tools"])
            if "rejected" in item:
                check([*item["messages"][:-1], *item["rejected"]], item["tools"])
        except InputError as error:
            unreadable.append((name, error.problem[:200]))
            continue
        items.append(json.dumps(item, ensure_ascii=False))
        names.append(name)
        parts.append(own)
    return Conversations(
        source=data.source,
        items=tuple(items),
        names=tuple(names),
        unreadable=tuple(unreadable),
        parts=Assigned.of(parts, ()).parts,
    )


def _require_form(record: Mapping[str, Any] | str, data: ConversationData, wanted: Wanted, where: str) -> None:
    """Raises DataError for a record of the other form: what a job learns from is said in it, never guessed."""
    if isinstance(record, str) or wanted == "either":
        return
    both, answered = columns_of(record, data), has_answer(record, data)
    if wanted == "preferences" and answered and not both:
        raise DataError(f"{where}: it has one answer, and model.tuning is dpo", _NO_PREFERENCE)
    if wanted in ("answers", "questions") and both and not answered:
        alone = find_column(data.prompt, list(record)) is not None
        raise DataError(
            f"{where}: it has a preferred and a rejected answer ({', '.join(both)}), this job learns right answers",
            'learn what is preferred: model.tuning = "dpo"'
            + (f'; or the preferred answers alone: data.answer = "{both[0]}"' if alone else ""),
        )


def _item(record: Mapping[str, Any] | str, data: ConversationData, wanted: Wanted) -> dict[str, Any]:
    if isinstance(record, str):
        raise InputError(record, MEND)
    both = columns_of(record, data)
    if both and wanted in ("preferences", "either"):
        found = preference_of(record, both, data)
    elif wanted == "preferences":
        raise InputError(f"it has no preferred and rejected answer; it has {shown(record)}", MEND)
    else:
        found = {"messages": conversation_of(record, data, answered=wanted != "questions")}
    messages, system = found["messages"], record.get("system") or data.system
    if isinstance(system, str) and system.strip() and isinstance(messages, Sequence) and not has_system(messages):
        found["messages"] = [{"role": "system", "content": system}, *messages]
    return {**found, "tools": _tools(found.get("tools") or record.get("tools"))}


def _tools(given: Any) -> Any:
    return [] if given is None or is_missing(given, NOTHING) else tools_of_cell(given)
