"""`parquet:PATH`: a Parquet file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from glassworks.contracts import Source
from glassworks.data.conversations.reader import ConversationReader, Record
from glassworks.data.interactions.reader import InteractionReader
from glassworks.data.tabular.format import Table, TableFormat
from glassworks.data.text.reader import Columns, Rows, TextReader
from glassworks.errors import DataError


class Parquet(Source, TextReader, InteractionReader, ConversationReader):
    """A Parquet file; of interactions a folder of files with the same columns too."""

    name: ClassVar[str] = "parquet"

    def texts(self, what: str, columns: Columns) -> Rows:
        from glassworks.data.hub_layout import classes_of_file, named_classes
        from glassworks.data.tabular.cells import cells_of_table
        from glassworks.data.tabular.reading import scan_parquet
        from glassworks.data.text.tables import rows_of

        if not Path(what).is_file():
            raise DataError(f"there is no file {what}", "give the path of a file that exists")
        cells = cells_of_table(scan_parquet(Path(what), columns.form))
        return rows_of(named_classes(cells, classes_of_file(Path(what))), columns)

    def interactions(self, what: str, form: TableFormat) -> Table:
        """With the types of the file."""
        from glassworks.data.tabular.reading import scan_parquet

        path = Path(what)
        if not path.exists() or (path.is_dir() and not any(path.glob("*.parquet"))):
            raise DataError(f"there is no Parquet file {what}", "give the path of a file, or of a folder of them")
        return scan_parquet(path / "*.parquet" if path.is_dir() else path, form)

    def conversations(self, what: str, form: TableFormat) -> Iterator[Record]:
        from glassworks.data.conversations.records import records_of_cells
        from glassworks.data.tabular.cells import cells_of_table
        from glassworks.data.tabular.reading import scan_parquet

        if not Path(what).is_file():
            raise DataError(f"there is no file {what}", "give the path of a file that exists")
        return records_of_cells(cells_of_table(scan_parquet(Path(what), form)))
