"""`csv:PATH`: a table with a line of column names."""

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


class Csv(Source, TextReader, InteractionReader):
    """A table of comma-separated values (.tsv: tabs) with a line of column names."""

    name: ClassVar[str] = "csv"

    def texts(self, what: str, columns: Columns) -> Iterator[Row]:
        """Read as a whole, in any encoding."""
        from glassworks.data.encodings import read_text
        from glassworks.data.text.tables import load_polars, rows_of

        library, text = load_polars(), read_text(Path(what), columns.encoding).text
        if not text.strip():
            raise _empty(what)
        try:
            table = library.read_csv(text.encode("utf-8", "replace"), infer_schema=False, separator=_separator(what))
        except library.exceptions.PolarsError as error:
            reason = str(error).split("\n")[0][:200]
            raise DataError(
                f"{what} is not a table of comma-separated values: {reason}",
                "quote texts that hold commas, and close every quote",
            ) from None
        return rows_of(table, columns, what)

    def interactions(self, what: str) -> polars.LazyFrame:
        """Every column as text, in UTF-8: whether an id is a number is decided by all of its rows."""
        from glassworks.data.text.tables import load_polars

        library = load_polars()
        if not Path(what).is_file():
            raise DataError(f"there is no file {what}", "give the path of a file that exists")
        if not Path(what).stat().st_size:
            raise _empty(what)
        table: polars.LazyFrame = library.scan_csv(what, infer_schema=False, separator=_separator(what))
        return table


def _separator(path: str) -> str:
    return "\t" if path.endswith(".tsv") else ","


def _empty(path: str) -> DataError:
    return DataError(f"{path} is empty", "give a table with a line of column names")
