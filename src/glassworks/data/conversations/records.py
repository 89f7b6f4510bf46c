"""Records of conversations from lines of JSON, and from tables."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from glassworks.data.encodings import read_text

if TYPE_CHECKING:
    from glassworks.data.conversations.reader import Record
    from glassworks.data.tabular.cells import Cells
    from glassworks.data.tabular.format import TableFormat


def records_of_lines(path: Path, form: TableFormat) -> Iterator[Record]:
    """One JSON object a line; what is none is a record too, so that every bad line is named. Raises DataError."""
    import msgspec

    decoder = msgspec.json.Decoder(dict)
    for number, line in enumerate(read_text(path, form.encoding).text.removeprefix("\ufeff").split("\n"), 1):
        if not line.strip():
            continue
        try:
            yield f"line {number}", decoder.decode(line.encode("utf-8", "replace"))
        except msgspec.DecodeError as error:
            yield f"line {number}", f"it is no JSON object: {error}"


def records_of_cells(cells: Cells) -> Iterator[Record]:
    """The rows of a table."""
    columns = [cells.values(name) for name in cells.names]
    for where, *row in zip(cells.where, *columns, strict=True):
        yield where, dict(zip(cells.names, row, strict=True))
