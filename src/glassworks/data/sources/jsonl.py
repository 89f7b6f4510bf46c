"""`jsonl:PATH`: one JSON object a line."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from glassworks.contracts import Source
from glassworks.data.text.reader import Columns, Rows, TextReader


class JsonLines(Source, TextReader):
    """One JSON object a line, or a list of them."""

    name: ClassVar[str] = "jsonl"

    def texts(self, what: str, columns: Columns) -> Rows:
        from glassworks.data.tabular.cells import cells_of_objects
        from glassworks.data.tabular.objects import read_objects
        from glassworks.data.text.tables import rows_of

        return rows_of(cells_of_objects(read_objects(Path(what), columns.form), what), columns)
