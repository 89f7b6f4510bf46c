"""`jsonl:PATH`: one JSON object a line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from glassworks.contracts import Source
from glassworks.data.conversations.reader import ConversationReader, Record
from glassworks.data.text.reader import Columns, Rows, TextReader

if TYPE_CHECKING:
    from glassworks.data.tabular.format import TableFormat


class JsonLines(Source, TextReader, ConversationReader):
    """One JSON object a line, or a list of them."""

    name: ClassVar[str] = "jsonl"

    def texts(self, what: str, columns: Columns) -> Rows:
        from glassworks.data.tabular.cells import cells_of_objects
        from glassworks.data.tabular.objects import read_objects
        from glassworks.data.text.tables import rows_of

        return rows_of(cells_of_objects(read_objects(Path(what), columns.form), what), columns)

    def conversations(self, what: str, form: TableFormat) -> Iterator[Record]:
        from glassworks.data.conversations.records import records_of_json

        return records_of_json(Path(what), form)
