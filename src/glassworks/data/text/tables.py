"""Rows of a table, or of JSON, as texts with labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from glassworks.data.assigned import part_of
from glassworks.data.text.cells import joined, plain_value, texts_of, words_for_nothing
from glassworks.data.text.doubts import columns_of_parts, without_names
from glassworks.data.text.labels import columns_of_labels, labels_of, labels_of_columns
from glassworks.data.text.reader import Columns, Row, Rows
from glassworks.errors import DataError

if TYPE_CHECKING:
    from glassworks.data.tabular.cells import Cells
    from glassworks.data.text.labels import Label
    from glassworks.sentences import Sentence


def rows_of(cells: Cells, columns: Columns) -> Rows:
    """(name, text, label) a row; what is missing is empty. Raises DataError for a column that is not there, and for a
    cell that is no text or no label."""
    if not cells.names and not cells.where:
        return Rows([], cells.findings)
    cells, again = without_names(cells, columns)
    texts, found = _texts(cells, columns)
    labels, more = _labels(cells, columns)
    parts, groups = _own(cells, columns.split, "split"), _own(cells, columns.group, "group")
    if columns.split:
        parts = [part_of(part, f"{cells.source}, {name}") for part, name in zip(parts, cells.where, strict=True)]
    rows = [Row(*each) for each in zip(cells.where, texts, labels, parts, groups, strict=True)]
    return Rows(rows, (*cells.findings, *again, *found, *more, *columns_of_parts(cells, columns)))


def _texts(cells: Cells, columns: Columns) -> tuple[list[str], tuple[Sentence, ...]]:
    parts, findings = [], list["Sentence"]()
    for wanted in columns.parts:
        name = cells.column(wanted, "text", " or --text")
        texts = texts_of(cells.values(name), cells.where, name, columns.form.na)
        parts.append(texts)
        findings += words_for_nothing(texts, name)
    return joined(parts), tuple(findings)


def _own(cells: Cells, wanted: str, key: str) -> list[str]:
    """What the data say themselves of each row, by the column of that key; empty without one."""
    if not wanted:
        return [""] * len(cells.where)
    return [plain_value(value).strip() for value in cells.values(cells.column(wanted, key, f" or --{key}"))]


def _labels(cells: Cells, columns: Columns) -> tuple[Sequence[Label], tuple[Sentence, ...]]:
    if columns.labels:
        names = [cells.column(each, "labels") for each in columns.labels]
        return labels_of_columns({name: cells.values(name) for name in names}, cells.where, cells.source), ()
    if not columns.label:
        return [""] * len(cells.where), ()
    try:
        name = cells.column(columns.label, "label", " or --label")
    except DataError as error:
        raise _with_columns_of_labels(error, cells, columns) from None
    return labels_of(cells.values(name), cells.where, columns, cells.source)


def _with_columns_of_labels(error: DataError, cells: Cells, columns: Columns) -> DataError:
    """The mend for a table that has a column for each label, where it looks like one."""
    others = {name: cells.values(name) for name in cells.names if name not in columns.parts}
    found = columns_of_labels(others)
    if len(found) < 2:
        return error
    listed = ", ".join(f'"{name}"' for name in found)
    return DataError(error.problem, f"if these columns hold 0 and 1 for a label each: data.labels = [{listed}]")
