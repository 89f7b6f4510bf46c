"""`csv:PATH`: a table with a line of column names; in UTF-8, UTF-16 or GB18030."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from glassworks.data.text.encodings import read_text
from glassworks.data.text.tables import load_polars, rows_of
from glassworks.errors import DataError

if TYPE_CHECKING:
    from glassworks.data.text.sources import Columns

SUMMARY = "a table of comma-separated values (.tsv: tabs) with a line of column names"


def read(path: str, columns: Columns) -> Iterator[tuple[str, str, str]]:
    """The rows. Raises DataError."""
    polars, text = load_polars(), read_text(Path(path))
    if not text.strip():
        raise DataError(f"{path} is empty", "give a table with a line of column names")
    try:
        separator = "\t" if path.endswith(".tsv") else ","
        table = polars.read_csv(text.encode("utf-8", "replace"), infer_schema=False, separator=separator)
    except polars.exceptions.PolarsError as error:
        reason = str(error).split("\n")[0][:200]
        raise DataError(
            f"{path} is not a table of comma-separated values: {reason}",
            "quote texts that hold commas, and close every quote",
        ) from None
    return rows_of(table, columns, path)
