"""Tables to look through: their columns, and rows by number, without reading what is not shown."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glassworks.data.roles import Column
from glassworks.data.tabular.reading import load_polars, read_table
from glassworks.errors import DataError

if TYPE_CHECKING:
    import polars

_LOOKED_AT, _SHOWN, _CUT = 2000, 3, 200
_LINES = 200_000
"""Of a file of JSON lines so many are looked through."""
_BYTES, _COLUMNS, _CELLS = 2**28, 2000, 20_000_000
"""And of these no more: each line may have keys of its own, and a column is made for every key."""


def scan_table(path: Path) -> polars.LazyFrame:
    """A CSV, TSV, Parquet or JSON lines file, by its suffix. Values of CSV stay text. Raises MissingLibrary, and
    DataError for JSON lines of too many different keys."""
    library = load_polars()
    table: polars.LazyFrame
    if path.suffix == ".parquet":
        table = library.scan_parquet(path)
    elif path.suffix == ".jsonl":
        table = _of_objects(path).lazy()
    else:
        table = read_table(path).frame
    return table


def count_rows(path: Path, name: str) -> int:
    """Every row is looked at. Raises DataError for what is no table; `name` is what people call it."""
    library = load_polars()
    try:
        counted = scan_table(path).select(library.all().is_null().sum(), library.len().alias("\0rows"))
        return int(counted.collect(engine="streaming")["\0rows"][0])
    except DataError as error:
        raise DataError(error.problem.replace(str(path), f"'{name}'"), error.mend) from None
    except (library.exceptions.PolarsError, OSError) as error:
        reason = str(error).split("\n")[0][:200].replace(str(path), name)
        raise DataError(f"'{name}' is no table: {reason}", "close every quote, and write the table again") from None


def columns_of(table: Path | polars.LazyFrame) -> tuple[Column, ...]:
    """The columns, by their first rows."""
    frame = scan_table(table) if isinstance(table, Path) else table
    return tuple(_column(series) for series in frame.head(_LOOKED_AT).collect(engine="streaming"))


def shown(value: object) -> str:
    """A value as people read it."""
    if value is None:
        return ""
    if isinstance(value, list | tuple):
        return ", ".join(map(shown, value))
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _column(series: polars.Series) -> Column:
    values = [shown(value) for value in series.to_list()]
    filled = [value for value in values if value]
    kind = "list" if series.dtype.is_nested() else "number" if filled and all(map(is_number, filled)) else "text"
    return Column(
        name=series.name,
        kind=kind,
        sample=tuple(value[:_CUT] for value in values[:_SHOWN]),
        distinct=len(set(filled)),
        filled=len(filled),
        length=round(sum(map(len, filled)) / max(1, len(filled)), 1),
    )


def is_number(text: str) -> bool:
    """Whether a cell holds a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def _of_objects(path: Path) -> polars.DataFrame:
    """Lists stay lists of text, everything else is text; a column for every key."""
    library = load_polars()
    rows: list[Mapping[str, Any]] = []
    names: dict[str, None] = {}
    for row in itertools.islice(_objects(path), _LINES):
        rows.append(row)
        names.update(dict.fromkeys(row))
        if len(names) > _COLUMNS:
            raise DataError(f"line {len(rows)} brings the key number {len(names):,}", "give all lines the same keys")
        if len(rows) * len(names) > _CELLS:
            break
    lists = {name for name in names if any(isinstance(row.get(name), list) for row in rows)}
    columns = {name: [_cell(row.get(name), name in lists) for row in rows] for name in names}
    kinds = {name: library.List(library.String) if name in lists else library.String for name in names}
    return library.DataFrame(columns, schema=kinds)  # type: ignore[no-any-return]


def _objects(path: Path) -> Iterator[Mapping[str, Any]]:
    import msgspec

    decoder = msgspec.json.Decoder(dict)
    left = _BYTES
    with path.open("rb") as file:
        for line in file:
            if line.strip():
                yield decoder.decode(line)
            left -= len(line)
            if left < 0:
                return


def _cell(value: object, listed: bool) -> list[str] | str | None:
    if value is None:
        return None
    if listed:
        return [shown(each) for each in value] if isinstance(value, list) else [shown(value)]
    return shown(value)
