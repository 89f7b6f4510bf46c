"""The item table: what is known of items beside who met them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glassworks.data.interactions.collection import ItemColumns
from glassworks.data.interactions.ids import distinct_ids
from glassworks.data.interactions.reader import sample_of, scan
from glassworks.data.tabular.format import TableFormat
from glassworks.errors import DataError
from glassworks.sentences import Sentence, sentence

if TYPE_CHECKING:
    import polars

    from glassworks.data.interactions.keys import InteractionData

RESERVED = ("id", "popularity")


def read_items(data: InteractionData) -> tuple[polars.DataFrame, ItemColumns, tuple[Sentence, ...]]:
    """A row an item, with the column `id`: its columns by role, and findings. Raises DataError.

    Categories are lists of text, numbers floating, descriptions and title text.
    """
    import polars

    if sample := sample_of(data.source):
        return *sample.items(), ()
    columns = ItemColumns(categories=data.categories, numbers=data.numbers, texts=data.descriptions, title=data.title)
    if not data.items:
        return polars.DataFrame({"id": []}, schema={"id": polars.Int64}), ItemColumns(), ()
    read_from = scan(data.items, TableFormat.of(data))
    table = read_from.frame
    _require_columns(table, data, columns)
    ids = distinct_ids(table, data.item, data.items)
    rows = table.filter(polars.col(data.item).is_not_null()).select(
        polars.col(data.item).alias("raw"), *_features(columns, data, table)
    )
    read = rows.unique("raw", keep="first", maintain_order=True).collect(engine="streaming")
    total = int(table.select(polars.len()).collect(engine="streaming").item())
    repeated = (sentence("finding.repeated-items", n=total - len(read)),) if total > len(read) else ()
    joined = ids.join(read, on="raw", how="left").drop("raw")
    return joined, columns, (*read_from.findings, *repeated)


def _require_columns(table: polars.LazyFrame, data: InteractionData, columns: ItemColumns) -> None:
    known = table.collect_schema().names()
    title = (columns.title,) if columns.title else ()
    keys = {"categories": columns.categories, "numbers": columns.numbers}
    keys |= {"descriptions": columns.texts, "title": title, "item": (data.item,)}
    for key, wanted in keys.items():
        for name in wanted:
            if name not in known:
                raise DataError(
                    f"{data.items} has no column '{name}'",
                    f"its columns: {', '.join(known)}; name yours: data.{key} = ...",
                )
            if name in RESERVED and key != "item":
                raise DataError(f"{data.items}: the name '{name}' is taken", "give the column another name")


def _features(columns: ItemColumns, data: InteractionData, table: polars.LazyFrame) -> list[polars.Expr]:
    import polars

    kinds = table.collect_schema()
    found = [_category(name, data.separator, kinds[name]) for name in columns.categories]
    for name in columns.numbers:
        number = polars.col(name).cast(polars.Float64, strict=False)
        found.append(polars.when(number.is_finite()).then(number).alias(name))
    texts = dict.fromkeys((*columns.texts, *((columns.title,) if columns.title else ())))
    return [*found, *(polars.col(name).cast(polars.String) for name in texts)]


def _category(name: str, separator: str, kind: polars.DataType) -> polars.Expr:
    """A list of text, without empty ones."""
    import polars

    column = polars.col(name)
    if isinstance(kind, polars.List):
        lists = column.cast(polars.List(polars.String))
    elif separator:
        lists = column.cast(polars.String).str.split(separator)
    else:
        lists = polars.concat_list(column.cast(polars.String))
    lists = lists.list.eval(polars.element().str.strip_chars())
    return lists.list.eval(polars.element().filter(polars.element().str.len_chars() > 0)).alias(name)
