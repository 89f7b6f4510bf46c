"""`jsonl:PATH`: one JSON object a line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from glassworks.contracts import Source
from glassworks.data.text.reader import Columns, Row, TextReader
from glassworks.errors import DataError


class JsonLines(Source, TextReader):
    """One JSON object a line, in any encoding."""

    name: ClassVar[str] = "jsonl"

    def texts(self, what: str, columns: Columns) -> Iterator[Row]:
        import msgspec

        from glassworks.data.encodings import read_text
        from glassworks.data.text.tables import row_of

        for number, line in enumerate(read_text(Path(what), columns.encoding).text.split("\n"), 1):
            if not line.strip():
                continue
            try:
                row = msgspec.json.decode(line.encode("utf-8", "replace"))
            except msgspec.DecodeError as error:
                raise DataError(f"{what}, line {number} is not JSON: {error}", "write one JSON object a line") from None
            for column, key in columns.keyed():
                if column and (not isinstance(row, dict) or column not in row):
                    raise DataError(
                        f"{what}, line {number} has no '{column}'",
                        f"every line needs it; or name yours: data.{key} = ... or --{key}",
                    )
            cells = (row[columns.text], row[columns.label] if columns.label else "")
            own = (row[name] if name else "" for name in (columns.split, columns.group))
            yield row_of(f"line {number}", (*cells, *own), columns, what)
