"""The tables of items and of users: what is known of them beside who met what."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glassworks.data.interactions.collection import ItemColumns
from glassworks.data.interactions.ids import cleaned, distinct_ids
from glassworks.data.interactions.reader import sample_of, scan
from glassworks.data.interactions.times.spans import first_rows
from glassworks.data.tabular.format import TableFormat
from glassworks.data.tabular.missing import WORDS
from glassworks.errors import DataError
from glassworks.sentences import Sentence, sentence

if TYPE_CHECKING:
    import polars

    from glassworks.data.interactions.keys import InteractionData

_LOST = 0.1
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
    return _described(data, "item", columns)


def read_users(data: InteractionData) -> tuple[polars.DataFrame, ItemColumns, tuple[Sentence, ...]]:
    """A row a user with the column `id`, as `read_items`; without rows where the job names no table of users."""
    import polars

    columns = ItemColumns(categories=data.user_categories, numbers=data.user_numbers)
    if not data.users:
        return polars.DataFrame({"id": []}, schema={"id": polars.Int64}), ItemColumns(), ()
    return _described(data, "user", columns)


def _described(
    data: InteractionData, role: str, columns: ItemColumns
) -> tuple[polars.DataFrame, ItemColumns, tuple[Sentence, ...]]:
    import polars

    source, name = getattr(data, f"{role}s"), getattr(data, role)
    read_from = scan(source, TableFormat.of(data))
    table = read_from.frame
    _require_columns(table, data, role, columns)
    words = _require_numbers(table, columns.numbers, source)
    table = table.with_columns(cleaned(name, table.collect_schema()[name], data.na).alias(name))
    ids = distinct_ids(table, name, source)
    rows = table.filter(polars.col(name).is_not_null()).select(
        polars.col(name).alias("raw"), *_features(columns, data, table)
    )
    numbered = rows.join(ids.table.lazy(), on="raw", how="left", maintain_order="left")
    read = numbered.unique("number", keep="first", maintain_order=True).collect(engine="streaming")
    total = int(table.select(polars.len()).collect(engine="streaming").item())
    repeated = (sentence(f"finding.repeated-{role}s", n=total - len(read)),) if total > len(read) else ()
    return read.sort("number").drop("raw", "number"), columns, (*read_from.findings, *ids.findings, *words, *repeated)


def _require_columns(table: polars.LazyFrame, data: InteractionData, role: str, columns: ItemColumns) -> None:
    known, source = table.collect_schema().names(), getattr(data, f"{role}s")
    title = (columns.title,) if columns.title else ()
    prefix = "" if role == "item" else "user_"
    keys = {f"{prefix}categories": columns.categories, f"{prefix}numbers": columns.numbers}
    keys |= {"descriptions": columns.texts, "title": title, role: (getattr(data, role),)}
    for key, wanted in keys.items():
        for name in wanted:
            if name not in known:
                raise DataError(
                    f"{source} has no column '{name}'",
                    f"its columns: {', '.join(known)}; name yours: data.{key} = ...",
                )
            if name in RESERVED and key != role:
                raise DataError(f"{source}: the name '{name}' is taken", "give the column another name")


def _require_numbers(table: polars.LazyFrame, names: tuple[str, ...], source: str) -> tuple[Sentence, ...]:
    """What of columns of numbers is written and is none. Raises DataError where that is more than a tenth."""
    import polars

    found, kinds = list[Sentence](), table.collect_schema()
    for name in names:
        given = polars.col(name).cast(polars.String).str.strip_chars()
        given = polars.when(~given.is_in(["", *WORDS])).then(given)
        word = given.is_not_null() & ~given.cast(polars.Float64, strict=False).is_finite().fill_null(value=False)
        if kinds[name] != polars.String:
            continue
        count, rows = table.select(word.sum().alias("n"), given.count().alias("all")).collect(engine="streaming").row(0)
        if not count:
            continue
        ((row, value),) = first_rows(table, given, word)
        said = sentence("finding.words-for-numbers", n=count, column=name[:60], row=row, example=value[:40])
        if count > max(1, _LOST * rows):
            raise DataError(f"{source}: {said}", "write plain numbers, such as 1000 or 0.5, or take it for a category")
        found.append(said)
    return tuple(found)


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
