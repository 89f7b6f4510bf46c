"""Usage added up by what is asked for, and as a table that spreadsheets open."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from glassworks.serving.access.ledger import Total
from glassworks.serving.access.segments import Sums

BY = {"day": ("day",), "key": ("key_id", "name"), "model": ("model",), "version": ("version",), "verb": ("verb",)}
"""What usage can be added up by, and the columns that it has then."""
COUNTS = Sums._fields
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What spreadsheets take for the beginning of a formula."""
_MARK = "\ufeff"
"""Without it Excel takes UTF-8 for the machine's own encoding."""


def added_up(totals: Iterable[Total], names: Mapping[str, str], by: Sequence[str]) -> list[dict[str, Any]]:
    """One row for each group, in the order of the groups; `names` are those of keys by their ids."""
    columns = [column for group in by for column in BY[group]]
    sums: dict[tuple[str, ...], list[int]] = {}
    for total in totals:
        values = {**total.model_dump(), "name": names.get(total.key_id, total.key_id)}
        row = sums.setdefault(tuple(values[column] for column in columns), [0] * len(COUNTS))
        for column, count in enumerate(COUNTS):
            row[column] += values[count]
    return [
        {**dict(zip(columns, group, strict=True)), **dict(zip(COUNTS, row, strict=True))}
        for group, row in sorted(sums.items())
    ]


def as_csv(rows: Sequence[Mapping[str, Any]], by: Sequence[str]) -> str:
    """A table with a head. A text that a spreadsheet would compute begins with an apostrophe."""
    columns = [*(column for group in by for column in BY[group]), *COUNTS]
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_plain(row[column]) for column in columns])
    return _MARK + text.getvalue()


def _plain(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
