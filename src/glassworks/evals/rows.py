"""The items of a run: a file with a line of JSON each, `{"item": {...}}`, and `"sample"` where there is one already."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from glassworks.errors import DataError, InputError
from glassworks.evals.records import json_of
from glassworks.record import Record
from glassworks.storage import storage_errors

MOST_ROWS, MOST_BYTES = 50_000, 2**18
"""Of one run; of one line."""
_SPACE = b" \t\r\n"
_FORM = 'write {"item": {...}} in each line'


class _Row(Record):
    item: dict[str, Any]
    sample: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Rows:
    """Where each line of a file begins, and how long it is."""

    path: Path
    offsets: Sequence[tuple[int, int]]

    def __len__(self) -> int:
        return len(self.offsets)

    def row(self, number: int) -> dict[str, Any]:
        """The line of an item, counted from 0. Raises StorageError."""
        begin, size = self.offsets[number]
        with storage_errors(self.path), self.path.open("rb") as file:
            file.seek(begin)
            found: dict[str, Any] = msgspec.json.decode(file.read(size))
            return found


def read(path: Path) -> Rows:
    """Of a file that was looked through. Raises StorageError."""
    offsets, begin = [], 0
    with storage_errors(path), path.open("rb") as file:
        for line in file:
            if line.strip(_SPACE):
                offsets.append((begin, len(line)))
            begin += len(line)
    return Rows(path, offsets)


def look_through(path: Path, check: Callable[[Mapping[str, Any]], str], needs_sample: bool) -> int:
    """How many items there are. Raises DataError that names the first line that is wrong."""
    count = 0
    with storage_errors(path), path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.strip(_SPACE):
                continue
            if count == MOST_ROWS:
                raise DataError(f"there are more than {MOST_ROWS:,} items", "send several files, and make several runs")
            if wrong := _wrong(line, check, needs_sample):
                raise DataError(f"line {number}: {wrong[0]}", wrong[1])
            count += 1
    if not count:
        raise DataError("there are no items", _FORM)
    return count


def written(path: Path, content: Sequence[Any]) -> None:
    """What came with a request, as a file. Raises StorageError."""
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"".join(msgspec.json.encode(each) + b"\n" for each in content))


def _wrong(line: bytes, check: Callable[[Mapping[str, Any]], str], needs_sample: bool) -> tuple[str, str] | None:
    """What is wrong with a line, and what to do."""
    if len(line) > MOST_BYTES:
        return f"it has {len(line):,} bytes", f"at most {MOST_BYTES:,} are read of one item"
    try:
        row = msgspec.json.decode(line.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return f"it is no JSON: {error!s:.150}", f"{_FORM}, as UTF-8"
    if not isinstance(row, dict) or not isinstance(row.get("item"), dict):
        return f"it has no object 'item': {line[:80]!r}", _FORM
    if unknown := row.keys() - {"item", "sample"}:
        return f"it has '{sorted(unknown)[0]:.60}' beside the item", "put it into the item, or leave it out"
    if not isinstance(row.get("sample") or {}, dict):
        return "its sample is no object", 'write "sample": {"output_text": "..."}'
    if needs_sample and row.get("sample") is None:
        return "it has no sample, and a grader reads one", 'add "sample": {"output_text": "..."}, or name a model'
    try:
        json_of(_Row(**row))
    except InputError as error:
        return f"it cannot be kept: {error.problem}", error.mend
    problem = check(row["item"])
    return (f"its item is not as item_schema says: {problem}", "mend the line, or the eval") if problem else None
