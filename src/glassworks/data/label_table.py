"""`labels.csv` in a folder of pictures: which labels each of them has, any number of them."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from glassworks.data.encodings import decode
from glassworks.errors import DataError

TABLE = "labels.csv"
_PATHS = ("file", "file_name", "filename", "path", "image", "picture")
_LISTS = ("labels", "label", "tags")
_BETWEEN = re.compile(r"[;|]")
_LAYOUT = "write the columns file and labels, with ; between labels, or file and one column of 0 and 1 a label"
_SHOWN = 40
_MOST_TARGETS = 2**25
"""Pictures times labels: each takes eight bytes, whether a picture has the label or not."""


@dataclass(frozen=True, kw_only=True)
class LabelTable:
    """`targets` (0 and 1 in int64 N K) say which of `classes` each of `files` has."""

    files: tuple[Path, ...]
    targets: NDArray[np.int64]
    classes: tuple[str, ...]


def read_label_table(folder: Path) -> LabelTable:
    """The labels of a folder's pictures. Raises DataError for every way in which the table can be wrong.

    A column `file` (or `file_name`, `filename`, `path`, `image`, `picture`) names a picture, from the folder on. Its
    labels are in one column `labels` (or `label`, `tags`) with `;` or `|` between them; other columns are then
    notes. Without such a column each other one is a label, with 1 for a picture that has it, else 0.
    """
    table = folder / TABLE
    header, rows = _read(table)
    path = _column(table, header, _PATHS)
    listed = next((header.index(name) for name in _LISTS if name in header), None)
    named = [column for column in range(len(header)) if column != path]
    if listed is None and not named:
        raise DataError(f"{table} has no column of labels; it has: {', '.join(header)}", _LAYOUT)
    found: dict[Path, tuple[str, ...]] = {}
    for line, row in rows:
        file = _file(folder, f"{table}, line {line}", row[path])
        labels = (
            tuple(sorted(set(filter(None, map(str.strip, _BETWEEN.split(row[listed]))))))
            if listed is not None
            else tuple(header[column] for column in named if _is_set(table, line, header[column], row[column]))
        )
        if found.setdefault(file, labels) != labels:
            both = " and ".join(f"'{_together(each)}'" for each in (found[file], labels))
            raise DataError(
                f"{table}, line {line}: '{row[path]}' has two lines, with the labels {both}",
                "keep one line for each picture",
            )
    known = (header[column] for column in named) if listed is None else sorted({x for y in found.values() for x in y})
    return _table(table, found, tuple(known))


def _table(table: Path, found: Mapping[Path, tuple[str, ...]], classes: tuple[str, ...]) -> LabelTable:
    if not found or not classes:
        raise DataError(f"{table} names no {'label' if found else 'picture'}", "write a line for each picture")
    if len(found) * len(classes) > _MOST_TARGETS:
        raise DataError(
            f"{table} has {len(classes):,} labels for {len(found):,} pictures",
            f"use fewer: at most {_MOST_TARGETS:,} in all, pictures times labels",
        )
    number = {name: index for index, name in enumerate(classes)}
    targets = np.zeros((len(found), len(classes)), np.int64)
    for row, labels in zip(targets, found.values(), strict=True):
        row[[number[label] for label in labels]] = 1
    return LabelTable(files=tuple(found), targets=targets, classes=classes)


def _read(table: Path) -> tuple[list[str], Iterator[tuple[int, list[str]]]]:
    """The header, and (line, values) of each row that is not empty."""
    try:
        content = table.read_bytes()
    except OSError as error:
        raise DataError(f"{table} cannot be read: {error.strerror or error}", "make it readable") from None
    reader = csv.reader(io.StringIO(decode(content, str(table)).text, newline=""), strict=True)
    try:
        rows = [(reader.line_num, row) for row in reader if any(map(str.strip, row))]
    except csv.Error as error:
        raise DataError(f"{table}, line {reader.line_num}: {error}", "write it as comma-separated values") from None
    if not rows:
        raise DataError(f"{table} is empty", _LAYOUT)
    header = [name.strip() for name in rows[0][1]]
    for line, row in rows[1:]:
        if len(row) != len(header):
            raise DataError(
                f"{table}, line {line} has {len(row)} values, the header {len(header)}",
                'give each line a value for each column; put one that holds a comma in "quotes"',
            )
    twice = [name for index, name in enumerate(header) if not name or name in header[:index]]
    if twice:
        what = f"the column '{twice[0]}' twice" if twice[0] else "a column without a name"
        raise DataError(f"{table} has {what}", "give each column a name of its own")
    return header, iter(rows[1:])


def _column(table: Path, header: Sequence[str], names: Sequence[str]) -> int:
    for name in names:
        if name in header:
            return header.index(name)
    raise DataError(
        f"{table} has no column '{names[0]}'; it has: {', '.join(header)}", f"name the pictures' column {names[0]}"
    )


def _file(folder: Path, where: str, given: str) -> Path:
    """The picture's path, which must lie in the folder."""
    given = given.strip()
    path = folder / given.replace("\\", "/")
    try:
        inside = bool(given) and path.resolve().is_relative_to(folder.resolve())
        there = inside and path.is_file()
    except (OSError, ValueError):  # a name that no file can have, such as one with a zero byte
        inside, there = True, False
    if not inside:
        raise DataError(f"{where}: '{given}' leads out of the folder", f"name pictures from {folder} on")
    if not there:
        raise DataError(
            f"{where}: there is no picture '{given[:200]}'", "put it into the folder, or take the line away"
        )
    return path


def _is_set(table: Path, line: int, name: str, value: str) -> bool:
    if value.strip() not in ("0", "1"):
        raise DataError(
            f"{table}, line {line}: the column '{name}' holds '{value[:_SHOWN]}', a label's column holds 0 or 1",
            _LAYOUT,
        )
    return value.strip() == "1"


def _together(labels: Sequence[str]) -> str:
    return ";".join(labels) or "none"
