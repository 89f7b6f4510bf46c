"""Rows of a source as examples of which the right answer is known."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from glassworks.contracts import Questions, Understood
from glassworks.data.conversations.reader import ConversationReader
from glassworks.data.kinds import kind_of, reader_of
from glassworks.data.tabular.format import TableFormat
from glassworks.errors import DataError, InputError
from glassworks.language.evaluation.columns import measured_by, roles_of
from glassworks.language.evaluation.rows import Example, Reading

_BAD, _NAMED, _SAMPLES, _SHOWN = 0.1, 3, 3, 200
_MOST_ROWS = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Examples:
    """All that are measured, and how their rows were understood."""

    items: Sequence[Example]
    understood: Understood

    @property
    def measured(self) -> str:
        """What can be measured on them."""
        return self.understood.measured

    def fingerprint(self) -> str:
        """Of all that is asked and expected."""
        lines = (json.dumps(asdict(each), sort_keys=True, ensure_ascii=True) for each in self.items)
        return hashlib.sha256("\n".join((self.measured, *lines)).encode()).hexdigest()


def read_examples(asked: Questions, learned: Mapping[str, Any], chats: bool) -> Examples:
    """The rows of the source; `learned` are the columns that the model learned from, and `chats` says whether it holds
    conversations. Raises DataError where more than a tenth cannot be used, or none.
    """
    records = _records(asked.source)
    names = list(dict.fromkeys(name for _, record in records if not isinstance(record, str) for name in record))
    if not names:
        problem = next((record for _, record in records if isinstance(record, str)), "it is empty")
        raise DataError(f"{asked.source:.80} holds no row: {problem:.150}", "give a table, or JSON objects, one a line")
    hints = {key: value for key, value in learned.items() if isinstance(value, str)}
    roles = roles_of(names, asked.columns, hints, asked.source)
    measured = measured_by(roles, names, asked.source, bool(asked.judge))
    reading = Reading(roles, measured, asked.template, chats and not asked.plain, hints.get("system", ""))
    items, unreadable = _read(records, reading)
    _require_enough(items, unreadable, asked)
    chosen = _chosen(items, asked.limit)
    notes = _notes(unreadable, len(items), len(chosen), reading)
    rows = [_shown(each) for each in chosen[:_SAMPLES]]
    understood = Understood(measured=measured, columns=roles, rows=rows, examples=len(chosen), notes=notes)
    return Examples(items=chosen, understood=understood)


def _records(source: str) -> list[tuple[str, Mapping[str, Any] | str]]:
    """Rows with all their columns; of what has no columns, texts. Raises DataError."""
    reader = reader_of(source, ConversationReader) if _has_columns(source) else None
    if reader is None:
        from glassworks.data.text.reader import Columns, read_rows

        rows = read_rows(source, Columns().alone())
        return [(row.name, {"text": row.text}) for row in rows if row.text.strip()]
    found = []
    for number, record in enumerate(reader[0].conversations(reader[1], TableFormat())):
        if number >= _MOST_ROWS:
            raise DataError(f"{source:.80} has more than {_MOST_ROWS:,} rows", "give fewer: a thousand measure well")
        found.append(record)
    return found


def _has_columns(source: str) -> bool:
    try:
        kind_of(source, ConversationReader.kind)
    except DataError:
        kind_of(source)
        return False
    return True


def _read(
    records: Iterable[tuple[str, Mapping[str, Any] | str]], reading: Reading
) -> tuple[list[Example], list[tuple[str, str]]]:
    items, unreadable = list[Example](), list[tuple[str, str]]()
    for where, record in records:
        try:
            if isinstance(record, str):
                raise InputError(record, "mend it")
            items.append(reading.example(where, record))
        except InputError as error:
            unreadable.append((where, error.problem[:150]))
    return items, unreadable


def _require_enough(items: Sequence[Example], unreadable: Sequence[tuple[str, str]], asked: Questions) -> None:
    total = len(items) + len(unreadable)
    if unreadable and len(unreadable) > _BAD * total:
        where, why = unreadable[0]
        raise DataError(
            f"{len(unreadable):,} of {total:,} rows of {asked.source:.60} cannot be used, such as {where}: {why}",
            "mend these rows, or take them away; --columns says which column is what",
        )
    if not items:
        raise DataError(f"{asked.source:.80} has no rows", "give at least one")


def _chosen(items: Sequence[Example], limit: int) -> Sequence[Example]:
    """At random, but always the same, in their order."""
    if not limit or limit >= len(items):
        return items
    rows = np.sort(np.random.default_rng(0).permutation(len(items))[:limit])
    return [items[row] for row in rows.tolist()]


def _notes(unreadable: Sequence[tuple[str, str]], total: int, chosen: int, reading: Reading) -> list[str]:
    found = []
    if unreadable:
        some = "; ".join(f"{where}: {why}" for where, why in unreadable[:_NAMED])
        found.append(f"{len(unreadable):,} rows are left out: {some}")
    if chosen < total:
        found.append(f"{chosen:,} of {total:,} rows were drawn")
    if reading.measured not in ("texts",):
        found.append("asked through the chat template" if reading.chats else "asked as plain text")
    return found


def _shown(example: Example) -> dict[str, str]:
    """What people look at to see whether it was understood."""
    found = {"row": example.id, "prompt": example.prompt or example.text, "expected": example.expected}
    if example.choices:
        found["choices"] = " | ".join(example.choices)
    return {key: value[:_SHOWN] for key, value in found.items() if value}
