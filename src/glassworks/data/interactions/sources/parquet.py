"""`parquet:PATH`: a Parquet file, or a folder of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from glassworks.data.text.tables import load_polars
from glassworks.errors import DataError

if TYPE_CHECKING:
    import polars

SUMMARY = "a Parquet file, or a folder of Parquet files with the same columns"


def scan(path: str) -> polars.LazyFrame:
    """With the types of the file. Raises DataError."""
    library, place = load_polars(), Path(path)
    if not place.exists() or (place.is_dir() and not any(place.glob("*.parquet"))):
        raise DataError(f"there is no Parquet file {path}", "give the path of a file, or of a folder of them")
    table: polars.LazyFrame = library.scan_parquet(place / "*.parquet" if place.is_dir() else place)
    return table
