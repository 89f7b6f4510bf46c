"""The records of a table whose quotation marks are not always what RFC 4180 says."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from glassworks.errors import DataError

_MOST_QUOTED = 2**20
"""Characters of one quoted cell: a mark that is not closed within them is a sign as any other."""
_FEW, _LEARNED = 5, 2000
_SHOWN = 40


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """`delimiter` stands between cells, `quote` around those that hold it; both empty where there is none.

    With `escaped` a backslash before a quotation mark takes its meaning away.
    """

    delimiter: str
    quote: str = '"'
    escaped: bool = False


@dataclass(kw_only=True)
class Lines:
    """A table's text, read record by record. `literal` counts the lines whose quotation marks are read as signs."""

    text: str
    name: str
    dialect: Dialect
    width: int
    literal: int = 0
    first_literal: int = 0
    _known: list[frozenset[str]] | None = field(default=None, init=False)

    def records(self, start: int = 0, line: int = 1) -> Iterator[tuple[int, list[str]]]:
        """(line, cells) of each record that is not empty, from the character `start` in that line on.

        Raises DataError for a record that has not `width` cells, and where two ways of reading it are as likely.
        """
        text, quote, end = self.text, self.dialect.quote, len(self.text)
        while start < end:
            stop = _end_of_line(text, start)
            plain = text[start:stop].removesuffix("\r")
            if not quote or quote not in plain:
                if plain.strip():
                    yield line, self._checked(line, plain, _split(plain, self.dialect))
                start, line = stop + 1, line + 1
                continue
            cells, after = self._quoted(start, stop, line)
            yield line, cells
            line += text.count("\n", start, after)
            start = after

    def _quoted(self, start: int, stop: int, line: int) -> tuple[list[str], int]:
        """The cells of a record with quotation marks, and where the next one begins."""
        readings = [_parse(self.text, start, self.dialect, mode) for mode in ("strict", "lenient", "literal")]
        strict, lenient, literal = (each and (self._trimmed(each[0]), each[1]) for each in readings)
        for found in (strict, lenient):
            if found and len(found[0]) == self.width:
                lines = self.text.count("\n", start, found[1] - 1)
                if lines and self._are_records(start, found[1]):
                    if lines > 1:
                        break
                    raise self._unclear(line, start)
                return found
        if literal and len(literal[0]) == self.width:
            self.literal, self.first_literal = self.literal + 1, self.first_literal or line
            return literal
        plain = self.text[start:stop].removesuffix("\r")
        self._checked(line, plain, (strict or literal or ([], 0))[0])
        raise self._unclear(line, start)

    def _trimmed(self, cells: list[str]) -> list[str]:
        """Without empty cells at the end that no column is for."""
        while len(cells) > self.width and not cells[-1].strip():
            cells = cells[:-1]
        return cells

    def _checked(self, line: int, plain: str, cells: list[str]) -> list[str]:
        cells = self._trimmed(cells)
        if len(cells) != self.width:
            raise wrong_width(self.name, line, plain, len(cells), self.width, self.dialect.delimiter)
        return cells

    def _are_records(self, start: int, end: int) -> bool:
        """Whether what lies between two quotation marks is rather whole records of their own: each line has its cells,
        and such as others have where a column has few different ones."""
        known = self._few()
        if not any(known):
            return False
        lines = self.text[start:end].split("\n")
        rows = [_split(each.removesuffix("\r"), self.dialect) for each in lines if each.strip()]
        return all(
            len(row) == self.width and all(not few or cell.strip() in few for cell, few in zip(row, known, strict=True))
            for row in rows
        )

    def _few(self) -> list[frozenset[str]]:
        """The values of each column that has few, by lines without a quotation mark; empty for another column."""
        if self._known is None:
            plain = (each.removesuffix("\r") for each in self.text[:_MOST_QUOTED].split("\n")[1:_LEARNED])
            rows = [_split(each, self.dialect) for each in plain if self.dialect.quote not in each and each.strip()]
            columns = list(zip(*(row for row in rows if len(row) == self.width), strict=True))
            counts = [Counter(cell.strip() for cell in column) for column in columns]
            self._known = [
                frozenset(each) if len(rows) >= _FEW and len(each) <= max(2, len(rows) // _FEW) else frozenset()
                for each in counts
            ] or [frozenset()]
        return self._known

    def _unclear(self, line: int, start: int) -> DataError:
        shown = self.text[start : start + _SHOWN].split("\n")[0]
        return DataError(
            f"{self.name}, line {line}: a quotation mark is not closed, or stands alone: {shown}",
            'close it, or write "" for one within a quoted text; data.quote = "" reads all of them as signs',
        )


def wrong_width(name: str, line: int, plain: str, found: int, width: int, delimiter: str) -> DataError:
    """A record with too many cells, or too few."""
    what = {"\t": "a tab", " ": "a space"}.get(delimiter, delimiter)
    mend = f'put a text that holds {what} in "quotes"' if found > width else "give each line a value for each column"
    return DataError(
        f"{name}, line {line} has {found} cells, the line of column names {width}: {plain[: 2 * _SHOWN]}",
        f"{mend}; or name what separates cells: data.delimiter = ...",
    )


def has_escapes(text: str, dialect: Dialect) -> bool:
    """Whether a backslash stands before quotation marks within cells."""
    quote, delimiter = re.escape(dialect.quote), re.escape(dialect.delimiter)
    return bool(dialect.quote) and bool(re.search(rf"\\{quote}(?!{quote})(?!\s*(?:{delimiter or '$'}|$))", text, re.M))


def cells_of(line: str, dialect: Dialect) -> list[str]:
    """The cells of one line, as far as it can be read alone."""
    if not dialect.quote or dialect.quote not in line:
        return _split(line, dialect)
    for mode in ("strict", "lenient", "literal"):
        found = _parse(line, 0, dialect, mode)
        if found and found[1] >= len(line):
            return found[0]
    return _split(line, dialect)


def _split(line: str, dialect: Dialect) -> list[str]:
    return line.split(dialect.delimiter) if dialect.delimiter else [line]


def _end_of_line(text: str, start: int) -> int:
    found = text.find("\n", start)
    return found if found >= 0 else len(text)


def _parse(text: str, start: int, dialect: Dialect, mode: str) -> tuple[list[str], int] | None:
    """The cells of the record that begins there, and where the next one does; None where the mode cannot read it.

    `strict` is RFC 4180; `lenient` lets a quoted cell hold quotation marks that end no cell; `literal` reads a cell
    whose marks do not enclose it as it stands, and ends with the line.
    """
    cells: list[str] = []
    at = start
    while True:
        cell, at = _cell(text, at, dialect, mode)
        if cell is None:
            return None
        cells.append(cell)
        if dialect.delimiter and text.startswith(dialect.delimiter, at):
            at += len(dialect.delimiter)
            continue
        at += text.startswith("\r", at)
        return cells, at + 1


def _cell(text: str, at: int, dialect: Dialect, mode: str) -> tuple[str | None, int]:
    """The cell that begins there, and where it ends; None where the mode cannot read it."""
    begin = at
    while text.startswith(" ", begin):
        begin += 1
    if text.startswith(dialect.quote, begin):
        close = _closing(text, begin + 1, dialect, mode)
        if close is not None:
            cell = text[begin + 1 : close].replace(dialect.quote * 2, dialect.quote)
            if dialect.escaped:
                cell = cell.replace(f"\\{dialect.quote}", dialect.quote)
            return cell, _ends_at(text, close + 1, dialect)
        if mode != "literal":
            return None, at
    stop = _end_of_line(text, at)
    if dialect.delimiter:
        found = text.find(dialect.delimiter, at, stop)
        stop = found if found >= 0 else stop
    if stop > at and text[stop - 1] == "\r" and (stop == len(text) or text[stop] == "\n"):
        stop -= 1
    return text[at:stop], stop


def _closing(text: str, at: int, dialect: Dialect, mode: str) -> int | None:
    """Where the mark stands that ends a cell; None without one."""
    most = _end_of_line(text, at) if mode == "literal" else min(len(text), at + _MOST_QUOTED)
    while (at := text.find(dialect.quote, at, most)) >= 0:
        if text.startswith(dialect.quote, at + 1):
            at += 2
        elif dialect.escaped and text[at - 1] == "\\":
            at += 1
        elif _ends_at(text, at + 1, dialect) >= 0:
            return at
        elif mode == "lenient":
            at += 1
        else:
            return None
    return None


def _ends_at(text: str, at: int, dialect: Dialect) -> int:
    """Where a cell ends, blanks after its quotation mark left out; -1 where something else follows."""
    while text.startswith((" ", "\r") if dialect.delimiter != " " else "\r", at):
        at += 1
    if at >= len(text) or text[at] == "\n" or (dialect.delimiter and text.startswith(dialect.delimiter, at)):
        return at
    return -1
