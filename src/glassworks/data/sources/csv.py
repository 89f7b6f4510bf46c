"""`csv:PATH`: a table with a line of column names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from glassworks.contracts import Source
from glassworks.data.conversations.reader import ConversationReader, Record
from glassworks.data.interactions.reader import InteractionReader
from glassworks.data.tabular.format import Table, TableFormat
from glassworks.data.text.reader import Columns, Rows, TextReader


class Csv(Source, TextReader, InteractionReader, ConversationReader):
    """A table of values separated by commas, tabs, semicolons or |, with a line of column names."""

    name: ClassVar[str] = "csv"

    def texts(self, what: str, columns: Columns) -> Rows:
        from glassworks.data.tabular.cells import cells_of_table
        from glassworks.data.tabular.reading import read_table
        from glassworks.data.text.tables import rows_of

        return rows_of(cells_of_table(read_table(Path(what), columns.form)), columns)

    def interactions(self, what: str, form: TableFormat) -> Table:
        """Every column as text: whether an id is a number is decided by all of its rows."""
        from glassworks.data.tabular.reading import read_table

        return read_table(Path(what), form)

    def conversations(self, what: str, form: TableFormat) -> Iterator[Record]:
        from glassworks.data.conversations.records import records_of_cells
        from glassworks.data.tabular.cells import cells_of_table
        from glassworks.data.tabular.reading import read_table

        return records_of_cells(cells_of_table(read_table(Path(what), form)))
