"""Ids of any type, kept as given: numbers that are whole stay numbers, everything else is text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glassworks.errors import DataError

if TYPE_CHECKING:
    import polars


def distinct_ids(table: polars.LazyFrame, column: str, source: str) -> polars.DataFrame:
    """The distinct values `raw` of a column with their `id` (Int64 or String), in the order of the ids.

    Text is taken for whole numbers only where every value would be written just so: `007` stays text.
    Raises DataError for values that cannot be ids.
    """
    import polars

    found = table.select(polars.col(column).drop_nulls().unique().alias("raw")).collect(engine="streaming")
    ids = found["raw"].rename("id")
    if ids.dtype == polars.String:
        ids = _numbers(ids)
    elif ids.dtype.is_float():
        whole = ids.cast(polars.Int64, strict=False)
        if not bool((whole.cast(polars.Float64) == ids).all()):
            raise DataError(
                f"'{source}': the ids in the column '{column}' are fractions, such as {ids[0]}",
                "name the column of ids, or write them as text",
            )
        ids = whole
    elif ids.dtype.is_integer() and ids.dtype != polars.UInt64:
        ids = ids.cast(polars.Int64)
    elif ids.dtype.is_nested() or ids.dtype == polars.Binary:
        raise DataError(
            f"'{source}': the column '{column}' holds {ids.dtype}, which cannot be an id", "give numbers or text"
        )
    else:
        ids = ids.cast(polars.String)
    return found.with_columns(ids).sort("id")


def alike(one: polars.Series, other: polars.Series) -> tuple[polars.Series, polars.Series]:
    """Both as text where their kinds differ."""
    import polars

    if one.dtype == other.dtype:
        return one, other
    return one.cast(polars.String), other.cast(polars.String)


def _numbers(ids: polars.Series) -> polars.Series:
    import polars

    numbers = ids.cast(polars.Int64, strict=False)
    written = numbers.cast(polars.String)
    return numbers if bool((written == ids).fill_null(value=False).all()) else ids
