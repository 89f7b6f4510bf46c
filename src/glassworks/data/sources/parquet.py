"""`parquet:PATH`: a Parquet file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from glassworks.contracts import Source
from glassworks.data.interactions.reader import InteractionReader
from glassworks.data.text.reader import Columns, Row, TextReader
from glassworks.errors import DataError

if TYPE_CHECKING:
    import polars


class Parquet(Source, TextReader, InteractionReader):
    """A Parquet file; of interactions a folder of files with the same columns too."""

    name: ClassVar[str] = "parquet"

    def texts(self, what: str, columns: Columns) -> Iterator[Row]:
        from glassworks.data.text.tables import parquet_rows

        return parquet_rows(what, columns)

    def interactions(self, what: str) -> polars.LazyFrame:
        """With the types of the file."""
        from glassworks.data.text.tables import load_polars

        library, path = load_polars(), Path(what)
        if not path.exists() or (path.is_dir() and not any(path.glob("*.parquet"))):
            raise DataError(f"there is no Parquet file {what}", "give the path of a file, or of a folder of them")
        table: polars.LazyFrame = library.scan_parquet(path / "*.parquet" if path.is_dir() else path)
        return table
