"""Which large files were checked before and have not been touched since: they need not be read again to be trusted.

A file is the same while its device, inode, size, and times of modification and of change are: the system sets the last
one itself whenever content or attributes change. Small files are always read.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from glassworks.errors import StorageError
from glassworks.storage import write_atomically

LARGE_BYTES = 64 * 2**20
SETTLED_NS = 2 * 10**9
"""Clocks of file systems are coarse."""


class Verified:
    """Remembers in a folder of this machine, by the SHA-256 that a file must have."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def knows(self, path: Path, sha256: str) -> bool:
        """Whether this very file was found to have that hash, and was not touched since."""
        if path.stat().st_size < LARGE_BYTES:
            return False
        try:
            known = json.loads((self._folder / f"{sha256}.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return False
        return bool(known == _mark(path))

    def marks(self, folder: Path, names: Iterable[str]) -> Mapping[str, list[int]]:
        """Of large files, to be taken before they are read. One that was changed just now could change again unseen."""
        marks = {name: _mark(folder / name) for name in names}
        settled = time.time_ns() - SETTLED_NS
        return {name: mark for name, mark in marks.items() if mark[2] >= LARGE_BYTES and mark[4] <= settled}

    def note(self, folder: Path, files: Mapping[str, str], marks: Mapping[str, list[int]]) -> None:
        """These files were found to have their recorded hashes. What cannot be kept is checked again next time."""
        for name, mark in marks.items():
            if _mark(folder / name) != mark:
                continue
            try:
                self._folder.mkdir(parents=True, exist_ok=True)
                write_atomically(self._folder / f"{files[name]}.json", json.dumps(mark).encode())
            except (OSError, StorageError):
                return


def _mark(path: Path) -> list[int]:
    found = path.stat()
    return [found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns]
