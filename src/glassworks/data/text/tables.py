"""Rows of a table as (name, text, label)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from glassworks.catalog import require
from glassworks.errors import DataError

if TYPE_CHECKING:
    import polars

    from glassworks.data.text.sources import Columns


def load_polars() -> Any:
    """The library. Raises MissingLibrary."""
    require(("polars",), "reading tables", extra="text")
    import polars

    return polars


def rows_of(table: polars.DataFrame, columns: Columns, name: str) -> Iterator[tuple[str, str, str]]:
    """(name, text, label) a row; what is missing is empty. Raises DataError for a column that is not there."""
    for column, key in ((columns.text, "text"), (columns.label, "label")):
        if column and column not in table.columns:
            raise DataError(
                f"{name} has no column '{column}'",
                f"its columns: {', '.join(table.columns)}; name yours: data.{key} = ...",
            )
    wanted = [columns.text, columns.label] if columns.label else [columns.text, columns.text]
    texts, labels = (table[column].to_list() for column in wanted)
    for number, (text, label) in enumerate(zip(texts, labels, strict=True), 1):
        yield f"row {number}", _text(text, ""), _text(label, columns.separator)


def _text(value: object, separator: str) -> str:
    if value is None:
        return ""
    if isinstance(value, list | tuple) and separator:
        return separator.join(map(str, value))
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
