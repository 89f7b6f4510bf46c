"""`read_table`: a CSV, TSV or Parquet file as columns, however it is written."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glassworks.catalog import require
from glassworks.data.encodings import decode, lines_read_twice, refuse_device
from glassworks.data.tabular.dialect import Layout, layout_of
from glassworks.data.tabular.format import Table, TableFormat
from glassworks.data.tabular.lines import Lines
from glassworks.data.tabular.profile import is_even, profile_of
from glassworks.errors import DataError
from glassworks.sentences import Sentence, sentence

if TYPE_CHECKING:
    import polars

_HEAD_BYTES = 2**20
_LARGE_BYTES = 64 * 2**20
"""A file with quotation marks that is smaller is read line by line."""
_GZIP = b"\x1f\x8b"
_PARQUET = b"PAR1"
_END = "\x1a"
"""What old programs write behind a text."""
_MOST_UNPACKED = 2**33
_AT_A_TIME = 100_000
_FEW_ZEROS = 10


def load_polars() -> Any:
    """The library. Raises MissingLibrary."""
    require(("polars",), "reading tables", extra="text")
    import polars

    return polars


def read_table(path: Path, form: TableFormat | None = None) -> Table:
    """A CSV, TSV or Parquet file. CSV in UTF-8 without quotation marks is scanned and not read, so that it may be
    larger than memory. Raises DataError, MissingLibrary."""
    load_polars()
    form = form or TableFormat()
    refuse_device(path)
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
        if head.startswith(_PARQUET):
            return scan_parquet(path, form)
        return _scanned(path, head, form) or _read(path, head, form)
    except FileNotFoundError:
        raise DataError(f"there is no file {path}", "give the path of a file that exists") from None
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}", "give a readable file") from None


def scan_parquet(path: Path, form: TableFormat | None = None) -> Table:
    """A Parquet file, with its own types. Raises DataError, OSError, MissingLibrary."""
    library = load_polars()
    try:
        frame = library.scan_parquet(path)
        frame.collect_schema()
    except library.exceptions.PolarsError as error:
        reason = str(error).split("\n")[0][:120]
        raise DataError(f"{path} is not a Parquet file: {reason}", "write it again as Parquet") from None
    return Table(frame=frame, name=str(path), format=form or TableFormat())


def _scanned(path: Path, head: bytes, form: TableFormat) -> Table | None:
    """A table that polars reads as it lies; None for one that it would not read, or not rightly."""
    if form.encoding.lower() not in ("", "utf-8", "utf8") or head.startswith(_GZIP) or not head.strip():
        return None
    profile = profile_of(path, form.quote)
    if not profile.plain or (profile.quotes and path.stat().st_size < _LARGE_BYTES):
        return None
    layout = layout_of(head.decode("utf-8-sig", "ignore"), form, str(path))
    delimiter, width = layout.dialect.delimiter, len(layout.names)
    if len(delimiter) != 1 or not delimiter.isascii():
        return None
    even = _are_records(path, layout) if profile.quotes else is_even(path, delimiter, width, layout.first)
    if not even:
        return None
    twice = () if form.encoding else lines_read_twice(head.decode("utf-8-sig", "ignore"), str(path))
    frame = _lines_of(path, layout, layout.names, delimiter, layout.dialect.quote if profile.quotes else None)
    return _table(frame, path, form, layout, "UTF-8", twice)


def _lines_of(path: Path, layout: Layout, names: Sequence[str], separator: str, quote: str | None) -> polars.LazyFrame:
    library = load_polars()
    return library.scan_csv(  # type: ignore[no-any-return]
        path,
        has_header=False,
        skip_lines=layout.first,
        schema=dict.fromkeys(names, library.String),
        separator=separator,
        quote_char=quote,
    )


def _are_records(path: Path, layout: Layout) -> bool:
    """Whether each line of a large file is a record of RFC 4180 by itself: then its quotation marks can be trusted."""
    library, dialect = load_polars(), layout.dialect
    if dialect.escaped or dialect.quote != '"':
        return False
    sign = re.escape(dialect.delimiter)
    cell = rf'(?:"(?:[^"]|"")*"|[^"{sign}]*)'
    record = rf"^{cell}(?:{sign}{cell}){{{len(layout.names) - 1}}}\r?$"
    lines = _lines_of(path, layout, ["line"], "\0", None)  # a byte that the file does not hold
    odd = lines.select(library.col("line").str.contains(record).fill_null(value=False).not_().any())
    return not bool(odd.collect(engine="streaming").item())


def _read(path: Path, head: bytes, form: TableFormat) -> Table:
    """A table that is read as a whole, record by record."""
    content, findings = _unpacked(path) if head.startswith(_GZIP) else path.read_bytes(), list[Sentence]()
    if (zeros := content.count(0)) and _are_stray(content, zeros):
        line = content.count(b"\n", 0, content.index(0)) + 1
        findings.append(sentence("finding.zero-bytes", n=zeros, line=line))
        content = content.replace(b"\0", b"")
    decoded = decode(content, str(path), form.encoding)
    findings.extend(decoded.findings)
    text = decoded.text.removeprefix("\ufeff").removesuffix(_END)
    if "\n" not in text:
        text = text.replace("\r", "\n")
    layout = layout_of(text[:_HEAD_BYTES], form, str(path))
    lines = Lines(text=text, name=str(path), dialect=layout.dialect, width=len(layout.names))
    frame = _frame(lines.records(_start_of(text, layout.first), layout.first + 1), layout.names)
    if lines.literal:
        findings.append(sentence("finding.literal-quotes", n=lines.literal, line=lines.first_literal))
    return _table(frame.lazy(), path, form, layout, decoded.encoding, findings)


def _are_stray(content: bytes, zeros: int) -> bool:
    """Whether zero bytes stand in a text of UTF-8, where they mean nothing: of UTF-16 they are a part."""
    try:
        content.replace(b"\0", b"").decode()
    except UnicodeDecodeError:
        return False
    return zeros * _FEW_ZEROS < len(content)


def _frame(records: Iterator[tuple[int, list[str]]], names: Sequence[str]) -> polars.DataFrame:
    """Columns of text; an empty cell is null. In parts, so that the cells are not all held twice."""
    library = load_polars()
    schema = dict.fromkeys(names, library.String)
    parts = []
    while part := [[cell or None for cell in row] for _, row in islice(records, _AT_A_TIME)]:
        parts.append(library.DataFrame(part, schema=schema, orient="row"))
    return library.concat(parts) if parts else library.DataFrame(schema=schema)  # type: ignore[no-any-return]


def _start_of(text: str, line: int) -> int:
    """Where the line begins, which counts from 0."""
    at = 0
    for _ in range(line):
        at = text.find("\n", at) + 1
        if not at:
            return len(text)
    return at


def _unpacked(path: Path) -> bytes:
    try:
        with gzip.open(path) as file:
            content = file.read(_MOST_UNPACKED)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path} is damaged: {error}", "pack or copy it again") from None
    return content


def _table(
    frame: polars.LazyFrame,
    path: Path,
    form: TableFormat,
    layout: Layout,
    encoding: str,
    findings: Sequence[Sentence],
) -> Table:
    found = list(findings)
    if encoding != "UTF-8" or layout.dialect.delimiter not in (",", "\t", ""):
        shown = {"\t": "a tab"}.get(layout.dialect.delimiter, f"'{layout.dialect.delimiter or 'nothing'}'")
        found.append(sentence("finding.table-as-read", encoding=encoding or "UTF-8", delimiter=shown))
    if layout.comments:
        found.append(sentence("finding.lines-above", n=layout.comments))
    known = {"encoding": encoding, "delimiter": layout.dialect.delimiter, "quote": layout.dialect.quote}
    return Table(
        frame=frame,
        name=str(path),
        format=form.model_copy(update=known),
        findings=tuple(found),
        repeated=layout.repeated,
    )
