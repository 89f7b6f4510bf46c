"""What separates the cells of a table, and where its column names are: found in its first lines."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from glassworks.data.tabular.columns import has_no_names
from glassworks.data.tabular.format import TableFormat
from glassworks.data.tabular.lines import Dialect, cells_of, has_escapes
from glassworks.data.tabular.missing import trimmed
from glassworks.errors import DataError

_DELIMITERS = (",", "\t", ";", "|")
_LOOKED_AT, _MOST = 200, 0.8
_SEPARATOR_LINE = re.compile(r'"?sep=(.)"?[\s,;]*', re.IGNORECASE)
"""What Excel reads in the first line."""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """`names` are those of the columns, and the first record is in the line `first`, which counts from 0.

    `comments` counts lines above the names that are none; the names in `repeated` stand there more than once, and all
    but the first were numbered.
    """

    dialect: Dialect
    names: tuple[str, ...]
    first: int
    comments: int = 0
    repeated: tuple[str, ...] = ()


def layout_of(head: str, given: TableFormat, name: str) -> Layout:
    """How a table is written, by its first lines. Raises DataError where it has no column names that can be used."""
    lines = [each.removesuffix("\r") for each in head.removeprefix("\ufeff").split("\n")[:_LOOKED_AT]]
    filled = [number for number, line in enumerate(lines) if line.strip()]
    if not filled:
        raise DataError(f"{name} is empty", "give a table with a line of column names")
    first, delimiter = filled[0], given.delimiter
    if said := _SEPARATOR_LINE.fullmatch(lines[first]):
        first, delimiter = filled[1] if len(filled) > 1 else first, delimiter or said[1]
    begin, comments = _behind_comments(lines, first)
    if not comments and not given.header:
        begin = _behind_title(lines, begin, delimiter)
        comments = sum(map(bool, map(str.strip, lines[first:begin])))
    dialect = _dialect(lines[begin:], given.quote, delimiter, name)
    if given.header:
        _require_width(lines[begin], dialect, given.header, name)
        return Layout(dialect=dialect, names=given.header, first=begin, comments=comments)
    names, twice = _named([*_row_names(lines[begin:], dialect), *cells_of(lines[begin], dialect)])
    return Layout(dialect=dialect, names=names, first=begin + 1, comments=comments, repeated=twice)


def _behind_comments(lines: Sequence[str], first: int) -> tuple[int, int]:
    """Where the table begins, and how many lines before it begin with # and have no cells as the next one has."""
    begin = first
    while begin < len(lines) - 1 and (lines[begin].startswith("# ") or (begin > first and not lines[begin].strip())):
        begin += 1
    if begin > first and not any(each in lines[begin] for each in _DELIMITERS):
        return first, 0
    if begin > first and all(lines[first].count(each) == lines[begin].count(each) for each in _DELIMITERS):
        return first, 0
    return begin, begin - first


def _behind_title(lines: Sequence[str], first: int, delimiter: str) -> int:
    """The line of column names below a title: where most lines have some cells, and the title only one."""
    title = lines[first].strip()
    if " " not in title and any(map(str.strip, lines[first + 1 : first + 2])):
        return first
    for each in (delimiter,) if delimiter else _DELIMITERS:
        rows = [_without_empty(cells_of(line, Dialect(delimiter=each))) for line in lines]
        filled = [len(row) for row in rows[first:] if row]
        width = max(set(filled), key=filled.count)
        begin = next(number for number, row in enumerate(rows) if len(row) == width and number >= first)
        names = [trimmed(cell) for cell in rows[begin]]
        clear = len(set(names)) == width and all(names) and not has_no_names(names)
        if width > 1 == len(rows[first]) and clear and filled.count(width) >= _MOST * len(filled):
            return begin
    return first


def _without_empty(cells: Sequence[str]) -> list[str]:
    """Without the empty ones at the end."""
    found = list(cells)
    while found and not found[-1].strip():
        found.pop()
    return found


def _row_names(lines: Sequence[str], dialect: Dialect) -> list[str]:
    """An empty name for a first column that counts the rows and has none, as R writes it."""
    rows = [cells_of(line, dialect) for line in lines if line.strip()]
    first = [row[0].strip() for row in rows[1:]]
    counts = len(first) > 1 and first[0] in ("0", "1") and first == [str(int(first[0]) + n) for n in range(len(first))]
    return [""] if counts and all(len(row) == len(rows[0]) + 1 for row in rows[1:]) else []


def _dialect(lines: Sequence[str], quote: str | None, delimiter: str, name: str) -> Dialect:
    """The one in which most lines have as many cells as the first one has; of two alike the one with more."""
    rows = [line for line in lines if line.strip()]
    quotes = (quote,) if quote is not None else ('"', "'") if _has_single(rows) else ('"',)
    candidates = [
        Dialect(delimiter=each, quote=sign) for sign in quotes for each in ((delimiter,) if delimiter else _DELIMITERS)
    ]
    scores = {each: _score(rows, each) for each in candidates}
    best = max(candidates, key=lambda each: (scores[each], -candidates.index(each)))
    if not delimiter and scores[best][1] < 2:
        best = Dialect(delimiter="", quote=quotes[0])
    text = "\n".join(rows)
    return Dialect(delimiter=best.delimiter, quote=best.quote, escaped=has_escapes(text, best))


def _has_single(rows: Sequence[str]) -> bool:
    """Whether cells are enclosed in single quotation marks: at the beginning or the end of most lines."""
    found = sum(each.strip().startswith("'") or each.strip().endswith("'") for each in rows[1:])
    return found > len(rows) // 2 and not any('"' in each for each in rows)


def _score(rows: Sequence[str], dialect: Dialect) -> tuple[float, int]:
    """The share of lines with as many cells as the first one, in tenths, and those cells; nothing for one cell."""
    width = len(cells_of(rows[0], dialect))
    if width < 2:
        return 0.0, width
    even = sum(len(cells_of(each, dialect)) == width for each in rows)
    return round(10 * even / len(rows)) / 10, width


def _require_width(line: str, dialect: Dialect, header: Sequence[str], name: str) -> None:
    width = len(cells_of(line, dialect))
    if width != len(header):
        raise DataError(
            f"{name}: data.header names {len(header)} columns, and its first line has {width} cells: {line[:80]}",
            "name each column, in their order",
        )
    twice = next((each for index, each in enumerate(header) if each in header[:index]), None)
    if twice is not None:
        raise DataError(f"data.header names the column '{twice[:80]}' twice", "give each column a name of its own")


def _named(cells: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of their own: without blanks around, numbered where there is none or the same one again; and those that are
    there more than once."""
    cells = _without_empty(cells) or cells[:1]
    names: list[str] = []
    twice: list[str] = []
    for number, cell in enumerate(cells, 1):
        plain = trimmed(cell)
        own = plain or f"column_{number}"
        while own in names:
            own = f"{own}_{number}"
        if own != plain and plain:
            twice.append(plain)
        names.append(own)
    return tuple(names), tuple(dict.fromkeys(twice))
