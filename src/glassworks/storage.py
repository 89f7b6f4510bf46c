"""Files and databases on disk: written whole or not at all, and failures as errors of two lines."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

from glassworks.errors import InputError, StorageError

_PAUSE_S = 0.005
_LINKED_BYTES = 32 * 2**20
"""Smaller files are copied: what happens to one of them then does not happen to the other."""


def write_atomically(path: Path, content: bytes) -> None:
    """Replace `path` by `content`, synced to disk; on failure the old file stays. Raises StorageError."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.partial")
    with storage_errors(path):
        try:
            with beside.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)


def require_other(output: Path, read: str) -> None:
    """Raise InputError where `output` is the file that is read: a result is never written over what it is made of."""
    try:
        same = output.samefile(read)
    except (OSError, ValueError):  # one of them is not there, or no path at all
        return
    if same:
        raise InputError(f"{output} is the input, and would be written over", "name another file: -o")


def linked(source: Path, target: Path) -> None:
    """The file under a second name where it is large and the disk allows that, else a copy; `target` must not exist.

    Neither may be written to afterwards. Raises OSError.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    if not hard_linked(source, target):
        shutil.copyfile(source, target)


def hard_linked(source: Path, target: Path) -> bool:
    """Give a large file a second name, and say whether that was done: files of gigabytes are not kept twice."""
    if source.stat().st_size < _LINKED_BYTES:
        return False
    try:
        target.hardlink_to(source)
    except OSError:
        return False
    return True


@contextlib.contextmanager
def storage_errors(path: Path, elsewhere: str = "set GLASSWORKS_HOME") -> Iterator[None]:
    """Tells a full or read-only disk, or a folder that is not there; `elsewhere` is how to write to another one."""
    try:
        yield
    except OSError as error:
        what, mend = error.strerror or str(error), f"make the folder writable, or {elsewhere}"
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            what, mend = "the disk is full", "free some space and give the same command again"
        elif error.errno in (errno.ENOENT, errno.ENOTDIR) and not path.parent.is_dir():
            what, mend = f"there is no folder {path.parent}", f"make that folder, or {elsewhere}"
        raise StorageError(f"cannot write {path}: {what}", mend) from error


def write_ahead(connection: sqlite3.Connection) -> None:
    """Keep a log beside the file, so that readers wait for no writer; waits as long as the connection's timeout.

    SQLite asks for the file alone to switch and does not wait for somebody who is about to write, whatever the timeout
    (sqlite3_busy_handler: not called where two could wait for each other). Raises sqlite3.OperationalError when the
    time is over.
    """
    (patience_ms,) = connection.execute("PRAGMA busy_timeout").fetchone()
    deadline = time.monotonic() + patience_ms / 1000
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL").close()
            return
        except sqlite3.OperationalError as error:
            if not error.sqlite_errorname.startswith("SQLITE_BUSY") or time.monotonic() > deadline:
                raise
            time.sleep(_PAUSE_S)
