"""`csv:PATH`: a table with a line of column names, in UTF-8."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from glassworks.data.text.tables import load_polars
from glassworks.errors import DataError

if TYPE_CHECKING:
    import polars

SUMMARY = "a table of comma-separated values (.tsv: tabs) with a line of column names"


def scan(path: str) -> polars.LazyFrame:
    """Every column as text: whether an id is a number is decided by all of its rows. Raises DataError."""
    library = load_polars()
    if not Path(path).is_file():
        raise DataError(f"there is no file {path}", "give the path of a file that exists")
    if not Path(path).stat().st_size:
        raise DataError(f"{path} is empty", "give a table with a line of column names")
    table: polars.LazyFrame = library.scan_csv(
        path, infer_schema=False, separator="\t" if path.endswith(".tsv") else ","
    )
    return table
