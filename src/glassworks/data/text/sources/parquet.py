"""`parquet:PATH`: a Parquet file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from glassworks.data.text.tables import load_polars, rows_of
from glassworks.errors import DataError

if TYPE_CHECKING:
    from glassworks.data.text.sources import Columns

SUMMARY = "a Parquet file"


def read(path: str, columns: Columns) -> Iterator[tuple[str, str, str]]:
    """The rows. Raises DataError."""
    polars = load_polars()
    if not Path(path).is_file():
        raise DataError(f"there is no file {path}", "give the path of a file that exists")
    try:
        table = polars.read_parquet(path)
    except (polars.exceptions.PolarsError, OSError) as error:
        reason = str(error).split("\n")[0][:200]
        raise DataError(f"{path} is not a Parquet file: {reason}", "write it again as Parquet") from None
    return rows_of(table, columns, path)
