"""Rows of a table as (name, text, label)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glassworks.catalog import require
from glassworks.data.assigned import part_of
from glassworks.data.text.reader import Row
from glassworks.errors import DataError

if TYPE_CHECKING:
    import polars

    from glassworks.data.text.reader import Columns


def load_polars() -> Any:
    """The library. Raises MissingLibrary."""
    require(("polars",), "reading tables", extra="text")
    import polars

    return polars


def rows_of(table: polars.DataFrame, columns: Columns, name: str) -> Iterator[Row]:
    """(name, text, label) a row; what is missing is empty. Raises DataError for a column that is not there."""
    for column, key in columns.keyed():
        if column not in table.columns:
            raise DataError(
                f"{name} has no column '{column}'",
                f"its columns: {', '.join(table.columns)}; name yours: data.{key} = ... or --{key}",
            )
    nothing = [""] * len(table)
    wanted = (columns.text, columns.label, columns.split, columns.group)
    cells = (table[column].to_list() if column else nothing for column in wanted)
    for number, row in enumerate(zip(*cells, strict=True), 1):
        yield row_of(f"row {number}", row, columns, name)


def row_of(name: str, cells: Sequence[object], columns: Columns, source: str) -> Row:
    """A row of the cells of text, label, part and group. Raises DataError."""
    text, label, part, group = cells
    where = f"{source}, {name}"
    own = part_of(_text(part), where) if columns.split else ""
    return Row(name, _text(text), label_of(label, columns, where), own, _text(group).strip())


def parquet_rows(path: str, columns: Columns) -> Iterator[Row]:
    """The rows of a Parquet file. Raises DataError."""
    polars = load_polars()
    if not Path(path).is_file():
        raise DataError(f"there is no file {path}", "give the path of a file that exists")
    try:
        table = polars.read_parquet(path)
    except (polars.exceptions.PolarsError, OSError) as error:
        reason = str(error).split("\n")[0][:200]
        raise DataError(f"{path} is not a Parquet file: {reason}", "write it again as Parquet") from None
    return rows_of(table, columns, path)


def label_of(value: object, columns: Columns, row: str) -> str:
    """A label as text; the labels of a list are joined by the separator. Raises DataError where there is none."""
    if not isinstance(value, list | tuple):
        return _text(value)
    if not columns.separator:
        raise DataError(
            f"{row}: '{columns.label}' is a list of labels",
            'say that texts have more than one, by a sign that no label holds: data.separator = "|" or --separator "|"',
        )
    return columns.separator.join(map(_text, value))


def _text(value: object) -> str:
    if value is None:
        return ""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
