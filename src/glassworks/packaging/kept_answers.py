"""What packaged models said, on disk, so that none is asked twice."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glassworks.contracts import Teacher
from glassworks.packaging.opened import OpenedBundle

if TYPE_CHECKING:
    from glassworks.contracts import Session

_MOST = 8
"""Files; beyond them the least recently used one is removed."""
_WAIT_S = 30.0
_READ, _WRITE = "SELECT answer FROM answers WHERE asked = ?", "INSERT OR REPLACE INTO answers VALUES (?, ?)"


class KeptAnswers:
    """Those of one model. What cannot be read is asked again, and what cannot be written is not kept."""

    def __init__(self, folder: Path, model: str) -> None:
        self._lock, self._file = threading.Lock(), folder / f"{model}.sqlite"
        self._known = self._opened()

    def get(self, asked: Any, answer: Callable[[], Any]) -> Any:
        """What is kept of it, else what `answer` gives."""
        key = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).digest()
        kept = self._read(key)
        if kept is None:
            kept = json.dumps(answer(), ensure_ascii=False)
            self._write(key, kept)
        return json.loads(kept)

    def close(self) -> None:
        """Give the file back."""
        if self._known:
            self._known.close()

    def _opened(self) -> sqlite3.Connection | None:
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            known = sqlite3.connect(self._file, timeout=_WAIT_S, check_same_thread=False, isolation_level=None)
            known.execute("PRAGMA journal_mode = WAL")
            known.execute("PRAGMA synchronous = NORMAL")
            known.execute("CREATE TABLE IF NOT EXISTS answers (asked BLOB PRIMARY KEY, answer TEXT NOT NULL)")
            self._file.touch()
            self._forget_oldest()
        except (OSError, sqlite3.Error):
            return None
        return known

    def _forget_oldest(self) -> None:
        by_use = sorted(self._file.parent.glob("*.sqlite"), key=lambda each: each.stat().st_mtime_ns)
        for old in by_use[:-_MOST]:
            for name in (old.name, f"{old.name}-wal", f"{old.name}-shm"):
                (old.parent / name).unlink(missing_ok=True)

    def _read(self, key: bytes) -> str | None:
        with self._lock:
            try:
                found = self._known.execute(_READ, (key,)).fetchone() if self._known else None
            except sqlite3.Error:
                return None
        return str(found[0]) if found else None

    def _write(self, key: bytes, answer: str) -> None:
        with self._lock:
            try:
                if self._known:
                    self._known.execute(_WRITE, (key, answer))
            except sqlite3.Error:
                # A full or read-only disk costs time when it is asked again, and nothing else.
                return


class PackagedTeacher(Teacher):
    """A bundle; `kept` is the folder of what such models said."""

    def __init__(self, opened: OpenedBundle, reference: str, kept: Path) -> None:
        self.reference, self.preprocessing = reference, opened.manifest.preprocessing
        self.folder = opened.bundle.folder
        self._opened, self._kept = opened, KeptAnswers(kept, opened.bundle.sha256)

    @property
    def session(self) -> Session:
        return self._opened.session("predict")

    def once(self, asked: Any, answer: Callable[[], Any]) -> Any:
        return self._kept.get(asked, answer)

    def close(self) -> None:
        """Give back what is kept; the bundle is its owner's."""
        self._kept.close()
