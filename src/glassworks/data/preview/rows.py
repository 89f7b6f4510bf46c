"""A look at texts and at tables, which are scanned and not read."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from glassworks.data.preview.records import ClassCount, Example, Layout, Page, Preview, paged
from glassworks.data.roles import events_of, labelled_of, parts_of
from glassworks.data.tables import columns_of, shown
from glassworks.data.tabular.missing import WORDS
from glassworks.data.tabular.reading import load_polars
from glassworks.data.text.reader import Row
from glassworks.errors import DataError

if TYPE_CHECKING:
    import polars

_INDEX = "\0index"
_CLASSES, _CELL = 1000, 2000


class TextsPreview(Preview):
    """Texts of a sample, or the lines of a file; they are gone through from the beginning."""

    kind = "texts"

    def __init__(self, rows: Callable[[], Iterable[Row]], examples: int | None = None) -> None:
        self._rows, self._known = rows, examples

    def examples(self) -> int:
        return self._known if self._known is not None else sum(self._counts.values())

    def classes(self) -> tuple[ClassCount, ...]:
        labelled = {name: count for name, count in self._counts.items() if name}
        if len(labelled) > _CLASSES:
            return ()
        found = sorted(labelled.items(), key=lambda each: (-each[1], each[0]))
        return tuple(ClassCount(name=name, examples=count) for name, count in found)

    def page(self, after: int = -1, limit: int = 50, label: str = "") -> Page:
        rows = itertools.islice(enumerate(self._rows()), max(0, after + 1), None)
        chosen = (row for row in rows if not label or label in _labels(row[1]))
        found = [
            Example(index=index, text=row.text[:_CELL], label=", ".join(_labels(row)) or None)
            for index, row in itertools.islice(chosen, limit + 1)
        ]
        return paged(found, limit)

    @cached_property
    def _counts(self) -> Counter[str]:
        return Counter(label for row in self._rows() for label in _labels(row))


def _labels(row: Row) -> tuple[str, ...]:
    return row.label if isinstance(row.label, tuple) else (row.label,)


class TablePreview(Preview):
    """A table; `kind` says how it is read, None where that is open. `named` are columns by their roles as people name
    them, before what they look like; a role of none has an empty name."""

    def __init__(
        self,
        table: polars.LazyFrame,
        kind: str | None,
        examples: int | None = None,
        named: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.kind, self._table, self._known, self._named = kind, table, examples, named

    def examples(self) -> int:
        return self._known if self._known is not None else self._counted

    @cached_property
    def _counted(self) -> int:
        polars = load_polars()
        return int(self._table.select(polars.len()).collect(engine="streaming").item())

    def layout(self) -> Layout:
        return self._layout

    @cached_property
    def _layout(self) -> Layout:
        columns = columns_of(self._table)
        roles = {**labelled_of(columns), **events_of(columns)}
        if self.kind is not None:
            roles = (events_of if self.kind == "interactions" else labelled_of)(columns)
        others = {role: name for role, name in roles.items() if name not in self._named.values()}
        roles = {role: name for role, name in {**others, **self._named}.items() if name}
        parts = () if "text" in self._named else parts_of(columns, roles)
        return Layout(columns=columns, roles=roles, parts=parts)

    def read_as(self, kind: str, columns: Mapping[str, str]) -> Preview:
        names = [column.name for column in self._layout.columns]
        for name in columns.values():
            if name and name not in names:
                raise DataError(f"there is no column '{name[:80]}'", f"the columns: {', '.join(names)}")
        if kind == self.kind and not columns:
            return self
        return TablePreview(self._table, kind, self._known, columns)

    def classes(self) -> tuple[ClassCount, ...]:
        return self._classes if "label" in self._layout.roles and self.kind != "interactions" else ()

    @cached_property
    def _classes(self) -> tuple[ClassCount, ...]:
        polars, label = load_polars(), self._label
        known = polars.col("name").is_not_null()
        if not self._table.collect_schema()[self._layout.roles["label"]].is_nested():
            known &= ~polars.col("name").is_in(["", *WORDS])  # as they are read where a text has one label
        counts = self._table.select(label.alias("name")).filter(known)
        grouped = counts.group_by("name").len().sort("len", "name", descending=[True, False]).head(_CLASSES + 1)
        rows = grouped.collect(engine="streaming").rows()
        return () if len(rows) > _CLASSES else tuple(ClassCount(name=str(n), examples=int(c)) for n, c in rows)

    @property
    def _label(self) -> Any:
        """The label of each row as text; a list of labels gives a row each."""
        polars, name = load_polars(), self._layout.roles["label"]
        column = polars.col(name)
        if self._table.collect_schema()[name].is_nested():
            column = column.explode()
        return column.cast(polars.String).str.strip_chars()

    def page(self, after: int = -1, limit: int = 50, label: str = "") -> Page:
        polars = load_polars()
        table = self._table.with_row_index(_INDEX)
        if after >= 0:
            table = table.filter(polars.col(_INDEX) > after)
        if label:
            table = self._of_class(table, label)
        rows = table.head(limit + 1).collect(engine="streaming").rows(named=True)
        return paged([self._example(row) for row in rows], limit)

    def _of_class(self, table: polars.LazyFrame, label: str) -> polars.LazyFrame:
        polars, name = load_polars(), self._layout.roles.get("label")
        if name is None:
            return table.head(0)
        column = polars.col(name)
        if self._table.collect_schema()[name].is_nested():
            return table.filter(column.list.contains(label))
        return table.filter(column.cast(polars.String).str.strip_chars() == label)

    def _example(self, row: dict[str, Any]) -> Example:
        cells = {name: shown(value)[:_CELL] for name, value in row.items() if name != _INDEX}
        roles = self._layout.roles if self.kind != "interactions" else {}
        text, label = (cells.get(roles.get(role, "")) for role in ("text", "label"))
        return Example(index=int(row[_INDEX]), text=text, label=label or None, row=cells)
