"""Segment files of the usage ledger: one writer each, one whole line a record, alive while its lock is held."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from glassworks.storage import storage_errors

_SUFFIX = ".jsonl"
_log = logging.getLogger("glassworks.access")


class Group(NamedTuple):
    """What usage is added up by."""

    key_id: str
    model: str
    version: str
    verb: str


class Sums(NamedTuple):
    """What is added up; lines of before end after `compute_us`."""

    requests: int = 0
    errors: int = 0
    rows: int = 0
    tokens: int = 0
    compute_us: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0

    def plus(self, other: Sums) -> Sums:
        """Both together."""
        return Sums(*map(sum, zip(self, other, strict=True)))


class Line(msgspec.Struct, frozen=True):
    """One call of `record`: the day in UTC, and for each group (key id, model, version, verb) its sums."""

    day: str
    usage: list[tuple[Group, Sums]]


class Segment:
    """An open segment of this process. Making it and `append` raise StorageError."""

    def __init__(self, folder: Path) -> None:
        with storage_errors(folder):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file, self.path = _made(folder)
        self.size_bytes = 0

    def append(self, line: bytes) -> None:
        """Add a line with one `write`, which a kill leaves whole or undone; nothing of a failed one stays."""
        with storage_errors(self.path):
            try:
                if os.write(self._file, line) < len(line):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            except OSError:
                os.ftruncate(self._file, self.size_bytes)
                raise
        self.size_bytes += len(line)

    def close(self) -> None:
        """Give up the lock: from now on the segment may be folded."""
        os.close(self._file)


def segments(folder: Path) -> list[Path]:
    """The segments of all processes, living or dead."""
    return sorted(folder.glob(f"*{_SUFFIX}"))


def read_segment(path: Path) -> Iterator[Line]:
    """The whole lines. A last line without its end was never acknowledged; a damaged one is logged and left out."""
    for number, text in enumerate(path.read_bytes().split(b"\n")[:-1], 1):
        try:
            yield msgspec.json.decode(text, type=Line)
        except msgspec.DecodeError as error:
            _log.error("line %d of %s is damaged and does not count: %s", number, path, error)


@contextlib.contextmanager
def closed(path: Path) -> Iterator[bool]:
    """Whether nobody writes a segment any more; in the block nobody else can take it."""
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


@contextlib.contextmanager
def locked(path: Path, *, alone: bool) -> Iterator[None]:
    """Wait for a lock that many share or one has alone; the end of a process, however it comes, frees it."""
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        yield
    finally:
        os.close(file)


def _made(folder: Path) -> tuple[int, Path]:
    """A new file with its lock. Before that is held, another process may take the file for a dead one's and delete it:
    then the next is made."""
    while True:
        path = folder / f"{uuid.uuid4().hex}{_SUFFIX}"
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(file).st_nlink:
                return file, path
        os.close(file)
