"""`labels.csv` in a folder of pictures: which labels each of them has, any number of them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from glassworks.data.assigned import NOTHING, Assigned, part_of
from glassworks.data.class_folders import FOLDERS
from glassworks.data.label_cells import LAYOUT, columns_of_labels, is_mostly_binary, listed_labels
from glassworks.data.picture_names import PictureNames
from glassworks.data.reader import PLAIN, Reading
from glassworks.data.tabular.columns import require_column
from glassworks.data.tabular.records import Records, read_records
from glassworks.errors import DataError
from glassworks.sentences import Sentence, sentence

TABLE = "labels.csv"
_PATHS = (
    *("file", "filename", "path", "filepath", "image", "imagename", "imagefile", "imagepath", "imageid", "picture"),
    *("img", "imgname", "imgpath", "photo", "文件", "文件名", "图片", "路径"),
)
_LISTS = ("labels", "label", "tags", "tag", "classes", "class", "category", "categories", "标签", "类别")
_MOST_TARGETS = 2**25
"""Pictures times labels: each takes eight bytes, whether a picture has the label or not."""


@dataclass(frozen=True, kw_only=True)
class LabelTable:
    """`targets` (0 and 1 in int64 N K) say which of `classes` each of `files` has."""

    files: tuple[Path, ...]
    targets: NDArray[np.int64]
    classes: tuple[str, ...]
    assigned: Assigned = NOTHING
    notes: tuple[Sentence, ...] = ()


def read_label_table(folder: Path, table: Path, pictures: Sequence[Path], how: Reading = PLAIN) -> LabelTable:
    """The labels of a folder's `pictures`. Raises DataError for every way in which the table can be wrong.

    A column `file` (or `filename`, `path`, `image`, `picture` ... in any case) names a picture, from the folder on. Its
    labels are in one column `labels` (or `label`, `tags`, `class` ...); other columns are then notes. Without such a
    column each other one that holds yes and no (1 and 0, true and false ...) is a label.
    """
    read = read_records(table, how.table)
    names = PictureNames(folder, pictures)
    named, seen = _column_of_pictures(read, names, table)
    paths = [
        names.find(cell, f"{table}, line {line}") for line, cell in zip(read.lines, read.column(named), strict=True)
    ]
    classes, labels, notes = _labels(read, named, table, how)
    rows = _one_line_each(table, read, paths, labels)
    known = classes or tuple(sorted({each for row in rows for each in labels[row]}))
    found = [(paths[row], labels[row]) for row in rows]
    return LabelTable(
        files=tuple(path for path, _ in found),
        targets=_targets(table, found, known),
        classes=known,
        assigned=_assigned(read, rows, [path.relative_to(folder).as_posix() for path, _ in found], how, str(table)),
        notes=(*read.findings, *seen, *notes, *_otherwise(names)),
    )


def _column_of_pictures(read: Records, names: PictureNames, table: Path) -> tuple[str, tuple[Sentence, ...]]:
    """By its name, else by its cells. Raises DataError."""
    columns = read.layout.names
    if (known := _column(read, _PATHS)) is not None:
        return known, ()
    if any(names.has(name) for name in columns):
        header = ", ".join(f'"{name}"' for name in ("file", "labels", "notes", "more")[: len(columns)])
        raise DataError(
            f"{table} has no line of names: its first one is {', '.join(columns)[:120]}",
            f"write file,labels above it, or say so: data.header = [{header}{', ...' if len(columns) > 4 else ''}]",
        )
    counts = {name: sum(map(names.has, read.column(name))) for name in columns}
    found = max(columns, key=lambda name: counts[name], default="")
    if not found or 2 * counts[found] <= len(read.rows):
        raise DataError(
            f"{table} has no column 'file'; it has: {', '.join(columns)[:120]}", "name the pictures' column file"
        )
    return found, (sentence("finding.column-of-pictures", name=found),)


def _labels(
    read: Records, named: str, table: Path, how: Reading
) -> tuple[tuple[str, ...], list[tuple[str, ...]], tuple[Sentence, ...]]:
    """The classes where columns name them, the labels of each row, and what was understood."""
    listed, seen = _column(read, _LISTS), tuple[Sentence, ...]()
    own = {how.split, how.group, named}
    others = [name for name in read.layout.names if name not in own and name.strip()]
    if listed is None and len(others) == 1 and not is_mostly_binary(read.column(others[0])):
        listed, seen = others[0], (sentence("finding.column-of-labels", name=others[0]),)
    if listed is not None:
        where = [f"line {line}" for line in read.lines]
        found, notes = listed_labels(read.column(listed), where, listed, how.separator, how.table, str(table))
        return (), found, (*seen, *notes)
    columns = {name: read.column(name) for name in read.layout.names if name not in own}
    classes, found, notes = columns_of_labels(columns, read.lines, str(table))
    if not classes:
        raise DataError(f"{table} has no column of labels; it has: {', '.join(read.layout.names)[:120]}", LAYOUT)
    repeated = [name for name in read.layout.repeated if name in classes]
    if repeated:
        raise DataError(f"{table} has the column '{repeated[0]}' twice", "give each column a name of its own")
    return classes, found, notes


def _column(read: Records, names: Sequence[str]) -> str | None:
    """The first of the columns, as people call it: in any case, with blanks or `_` between words."""
    plain: Mapping[str, str] = {re.sub(r"[\s_-]", "", name).casefold(): name for name in read.layout.names[::-1]}
    return next((plain[name] for name in names if name in plain), None)


def _one_line_each(table: Path, read: Records, paths: Sequence[Path], labels: Sequence[tuple[str, ...]]) -> list[int]:
    """The row of each picture. Raises DataError for one with two lines that say different things."""
    rows: dict[Path, int] = {}
    for row, path in enumerate(paths):
        first = rows.setdefault(path, row)
        if labels[first] != labels[row]:
            both = " and ".join(f"'{';'.join(labels[each]) or 'none'}'" for each in (first, row))
            raise DataError(
                f"{table}, line {read.lines[row]}: '{path.name}' has two lines, with the labels {both}",
                "keep one line for each picture, with ; between its labels",
            )
    return list(rows.values())


def _targets(table: Path, found: Sequence[tuple[Path, tuple[str, ...]]], classes: tuple[str, ...]) -> NDArray[np.int64]:
    if not found or not classes:
        raise DataError(f"{table} names no {'label' if found else 'picture'}", "write a line for each picture")
    if len(found) * len(classes) > _MOST_TARGETS:
        raise DataError(
            f"{table} has {len(classes):,} labels for {len(found):,} pictures",
            f"use fewer: at most {_MOST_TARGETS:,} in all, pictures times labels",
        )
    number = {name: index for index, name in enumerate(classes)}
    targets = np.zeros((len(found), len(classes)), np.int64)
    for row, (_, labels) in zip(targets, found, strict=True):
        row[[number[label] for label in labels]] = 1
    return targets


def _assigned(read: Records, rows: Sequence[int], names: Sequence[str], how: Reading, source: str) -> Assigned:
    parts, groups = [""] * len(rows), [""] * len(rows)
    if how.split == FOLDERS and FOLDERS not in read.layout.names:
        parts = [part_of(name.partition("/")[0], f"{source}: {name}") for name in names]
    elif how.split:
        cells = read.column(require_column(how.split, read.layout.names, source, "split"))
        parts = [part_of(cells[row], f"{source}, line {read.lines[row]}") for row in rows]
    if how.group:
        cells = read.column(require_column(how.group, read.layout.names, source, "group"))
        groups = [cells[row].strip() for row in rows]
    return Assigned.of(parts, groups)


def _otherwise(names: PictureNames) -> tuple[Sentence, ...]:
    if not names.otherwise:
        return ()
    given, found = names.otherwise[0]
    return (sentence("finding.names-otherwise", n=len(names.otherwise), given=given.strip()[:80], found=found),)
