"""Results of examples in a file: whole or not there, and gone on with after an interruption."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from glassworks.errors import InputError
from glassworks.storage import storage_errors, write_atomically

_KEY = "evaluation"
_ELSEWHERE = "give another path: --output"


class Kept:
    """Rows that are finished already, and further ones; the file itself appears when all are there.

    What is finished stands in `FILE.partial` until then, a line each, after the key of what is measured: with another
    one it is begun anew. A line that was cut off by a kill is measured again.
    """

    def __init__(self, file: IO[bytes], path: Path, rows: dict[int, Mapping[str, Any]]) -> None:
        self.rows = rows
        self._file, self._path = file, path

    def append(self, number: int, row: Mapping[str, Any]) -> None:
        """Keep one more. Raises StorageError."""
        self.rows[number] = row
        with storage_errors(self._path, _ELSEWHERE):
            self._file.write(_line([number, row]))
            self._file.flush()

    def finish(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Write the file. Raises StorageError."""
        write_atomically(self._path, b"".join(map(_line, rows)))
        _partial(self._path).unlink(missing_ok=True)


@contextlib.contextmanager
def kept(path: Path, key: str) -> Iterator[Kept]:
    """The rows of an evaluation. Raises InputError where another process writes them, and StorageError."""
    partial = _partial(path)
    with storage_errors(path, _ELSEWHERE):
        if path.is_dir():
            raise InputError(f"{path} is a folder", "name a file: --output FILE.jsonl")
        file = partial.open("a+b")
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise InputError(f"another evaluation writes {path}", "wait for it, or name another file") from None
        with storage_errors(path, _ELSEWHERE):
            rows, size = _read(file, key, partial)
            file.truncate(size)
            if not size:
                file.write(_line({_KEY: key}))
                file.flush()
        yield Kept(file, path, rows)


def _partial(path: Path) -> Path:
    return path.with_name(f"{path.name}.partial")


def _read(file: IO[bytes], key: str, path: Path) -> tuple[dict[int, Mapping[str, Any]], int]:
    """Whole lines of the same evaluation, and where they end."""
    file.seek(0, os.SEEK_SET)
    rows, size = dict[int, Mapping[str, Any]](), 0
    for count, line in enumerate(file):
        try:
            found = json.loads(line) if line.endswith(b"\n") else None
        except ValueError:
            found = None
        if count == 0 and not (isinstance(found, dict) and set(found) == {_KEY}):
            raise InputError(f"{path} is in the way: no evaluation wrote it", "move it, or name another file: --output")
        if count == 0 and found != {_KEY: key}:
            return {}, 0
        if isinstance(found, list) and len(found) == 2 and isinstance(found[1], dict):
            rows[int(found[0])] = found[1]
        elif count:
            break
        size += len(line)
    return rows, size


def _line(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=True, allow_nan=False).encode() + b"\n"
