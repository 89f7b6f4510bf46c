"""Records of conversations from JSON and from tables."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glassworks.data.encodings import read_text
from glassworks.data.tabular.objects import decoded, list_within
from glassworks.errors import DataError

if TYPE_CHECKING:
    from glassworks.data.conversations.reader import Record
    from glassworks.data.tabular.cells import Cells
    from glassworks.data.tabular.format import TableFormat

_MESSAGE = frozenset(("role", "from"))
_OBJECT = "write one JSON object a line, or one list of them"


def records_of_json(path: Path, form: TableFormat) -> Iterator[Record]:
    """One JSON object a line, or a list of them; what is no object is a record too, so that each is named. A list of
    messages is a conversation. Raises DataError.
    """
    text = read_text(path, form.encoding).text.removeprefix("\ufeff")
    if (inner := list_within(text)) and not _MESSAGE & inner.rows[0].keys():
        yield from zip(inner.names, inner.rows, strict=True)
    elif text.lstrip()[:1] == "[" and (rows := _list(text, path)) is not None:
        for number, row in enumerate(rows, 1):
            yield f"row {number}", _record(row)
    else:
        for number, line in enumerate(text.split("\n"), 1):
            if line.strip():
                yield f"line {number}", _of_line(line)


def _list(text: str, path: Path) -> list[Any] | None:
    """A document that is one list; None where lines are lists themselves. Raises DataError for a list that is none."""
    try:
        found: list[Any] = decoded(text)
    except json.JSONDecodeError as error:
        if error.msg == "Extra data" and "\n" in text[: error.pos]:
            return None
        raise DataError(
            f"{path}, line {error.lineno}, column {error.colno}: it begins a list of JSON, and is none: {error.msg}",
            f"write it whole, or {_OBJECT}",
        ) from None
    return found


def _of_line(line: str) -> Any:
    try:
        return _record(decoded(line.strip().removesuffix(",")))
    except ValueError as error:
        return f"it is no JSON object: {error}"


def _record(value: Any) -> Any:
    """An object, or why it is none."""
    if isinstance(value, list) and value and all(isinstance(each, dict) for each in value):
        return {"messages": value}
    return value if isinstance(value, dict) else f"it is no JSON object: {value!r:.60}"


def records_of_cells(cells: Cells) -> Iterator[Record]:
    """The rows of a table."""
    columns = [cells.values(name) for name in cells.names]
    for where, *row in zip(cells.where, *columns, strict=True):
        yield where, dict(zip(cells.names, row, strict=True))
