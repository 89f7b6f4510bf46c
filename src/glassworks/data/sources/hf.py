"""`hf:OWNER/NAME`: a data set of the Hugging Face hub, or a local folder in its layout (Parquet files)."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from glassworks.contracts import Source
from glassworks.data.hub import downloaded
from glassworks.data.text.reader import Columns, Row, Rows, TextReader
from glassworks.errors import DataError
from glassworks.locations import Naming


class HuggingFace(Source, TextReader):
    """A data set of the Hugging Face hub by OWNER/NAME, or a local copy of one."""

    name: ClassVar[str] = "hf"
    naming: ClassVar[Naming] = "path or name"

    def texts(self, what: str, columns: Columns) -> Rows:
        """The rows of all its Parquet files, in the order of their names."""
        from glassworks.data.tabular.cells import cells_of_table
        from glassworks.data.tabular.reading import scan_parquet
        from glassworks.data.text.tables import rows_of

        folder = Path(what)
        if not folder.is_dir():
            folder = downloaded(what, "data set", ("*.parquet",), local="hf:FOLDER", kind="dataset")
        files = sorted(folder.rglob("*.parquet"))
        if not files:
            raise DataError(f"{what} holds no Parquet file", "give a data set in Parquet, or convert it to CSV")
        rows: list[Row] = []
        for file in files:
            found = rows_of(cells_of_table(scan_parquet(file, columns.form)), columns)
            rows += [row._replace(name=f"{file.name} {row.name}") for row in found]
        return Rows(rows)
