"""Files of text that people send: in any encoding and with any separator, kept as UTF-8 with commas or tabs."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator
from pathlib import Path

import msgspec

from glassworks.data.encodings import decode
from glassworks.data.tables import is_number
from glassworks.errors import DataError

_CHUNK_BYTES = 2**20
_CONVERTED_BYTES = 64 * 2**20
"""What is not UTF-8 is converted as a whole, in memory."""
_LOOKED_AT, _ROWS = 64 * 1024, 50
_LINE_BYTES = 16 * 2**20
_TABLES = (".csv", ".tsv")


def write_utf8(source: Path, target: Path, name: str) -> str:
    """Copy a text without a mark of its encoding; the name of what it was converted from. Raises DataError, OSError."""
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    try:
        with source.open("rb") as read, target.open("wb") as write:
            while chunk := read.read(_CHUNK_BYTES):
                if b"\0" in chunk:
                    break
                write.write(decoder.decode(chunk).encode())
            else:
                decoder.decode(b"", final=True)
                return ""
    except UnicodeDecodeError:
        pass
    if source.stat().st_size > _CONVERTED_BYTES:
        raise DataError(f"'{name}' is not in UTF-8", "save it as UTF-8, which is read at any size")
    decoded = decode(source.read_bytes(), f"'{name}'")
    target.write_text(decoded.text, encoding="utf-8", newline="")
    return decoded.encoding


def separator_of(path: Path, name: str) -> str | None:
    """What separates the values of a table: a comma, a tab, a semicolon or |; None for what is no table.

    Raises DataError for what calls itself one and is none, and for what could be both.
    """
    suffix, lines = Path(name).suffix.lower(), _first_lines(path)
    found = {each: widths for each in ",\t;|" if (widths := _widths(lines, each))}
    even = [each for each, widths in found.items() if len(set(widths)) == 1 and widths[0] > 1]
    if even:
        best = max(even, key=lambda each: found[each][0])
        if suffix not in _TABLES and len(found[best]) < 2:
            return None
        if suffix == ".txt":
            raise DataError(
                f"'{name}' could be a table or a text", "name it .csv or .tsv as a table, or say that its kind is texts"
            )
        return best
    if suffix not in _TABLES:
        return None
    widths = found.get("\t" if suffix == ".tsv" else ",", [])
    odd = next((row for row, width in enumerate(widths) if width != widths[0]), None)
    if odd is not None:
        raise DataError(
            f"'{name}' is no table: row {odd} has {widths[odd]} values, the line of column names {widths[0]}",
            'put values that hold a comma in "quotes"',
        )
    return "\t" if suffix == ".tsv" else ","


def require_column_names(path: Path, separator: str, name: str) -> list[str]:
    """The names in the first line. Raises DataError where it has none."""
    header = next(csv.reader(_first_lines(path)[:1], delimiter=separator), [])
    names = [each.strip() for each in header]
    odd = next((each for index, each in enumerate(names) if not each or each in names[:index] or is_number(each)), None)
    if not names or odd is not None:
        what = f"'{odd}' is no name of a column of its own" if odd is not None else "it is empty"
        raise DataError(
            f"'{name}' does not begin with a line of column names: {what}", "write one, such as: text,label"
        )
    return names


def with_commas(source: Path, target: Path, name: str, separator: str) -> None:
    """A table with another separator as one with commas. Raises DataError, OSError."""
    try:
        with (
            source.open(encoding="utf-8", newline="") as read,
            target.open("w", encoding="utf-8", newline="") as write,
        ):
            csv.writer(write).writerows(csv.reader(read, delimiter=separator))
    except csv.Error as error:
        raise DataError(f"'{name}' is no table: {error}", "close every quote") from None


def is_jsonl(path: Path) -> bool:
    """Whether the first line is a JSON object."""
    with path.open("rb") as file:
        line = file.readline(_LINE_BYTES).strip()
    try:
        return isinstance(msgspec.json.decode(line), dict)
    except msgspec.DecodeError:
        return False


def count_objects(path: Path, name: str) -> int:
    """The lines of JSON. Raises DataError for one that is no object."""
    decoder, count = msgspec.json.Decoder(dict), 0
    for number, line in lines_of(path, name):
        try:
            decoder.decode(line)
        except msgspec.DecodeError as error:
            raise DataError(f"'{name}', line {number} is no JSON object: {error}", "write one a line") from None
        count += 1
    return count


def lines_of(path: Path, name: str) -> Iterator[tuple[int, bytes]]:
    """The lines that hold something, with their numbers. Raises DataError for one that is too long."""
    with path.open("rb") as file:
        number = 0
        while line := file.readline(_LINE_BYTES):
            number += 1
            if len(line) == _LINE_BYTES:
                raise DataError(f"'{name}', line {number} has more than {_LINE_BYTES:,} bytes", "write shorter lines")
            if stripped := line.strip():
                yield number, stripped


def _first_lines(path: Path) -> list[str]:
    """Without the last one where it may be cut."""
    with path.open("rb") as file:
        content = file.read(_LOOKED_AT)
    text = content.decode("utf-8", "ignore")
    lines = io.StringIO(text, newline="").readlines()
    return lines[:-1] if len(content) == _LOOKED_AT and len(lines) > 1 else lines


def _widths(lines: list[str], separator: str) -> list[int]:
    """Values of each row. A value may hold ends of lines, so the last row that was cut is left out."""
    rows: list[int] = []
    try:
        for row in csv.reader(lines, delimiter=separator):
            if row:
                rows.append(len(row))
            if len(rows) == _ROWS:
                break
    except csv.Error:
        return []
    return rows
