"""A cache of the vectors of single texts on disk, keyed by the model and the text: what stays is not embedded again."""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_MOST_BYTES = 2 * 2**30
"""Of vectors; beyond them the least recently used ones are forgotten."""
_ASKED = 500
_WAIT_S = 10.0
Vectors = NDArray[np.float32]


class KeptRows:
    """A file of them, for all models. What cannot be read is computed again, and what cannot be written is not kept."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def get(self, model: str, texts: Sequence[str], compute: Callable[[Sequence[str]], Vectors]) -> Vectors:
        """Vectors (N D) of texts by the model of that digest; each distinct one is computed once."""
        keys = [_key(model, text) for text in texts]
        found = self._read(list(dict.fromkeys(keys)))
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in found}
        if missing:
            made = dict(zip(missing, compute(list(missing.values())), strict=True))
            width = len(next(iter(made.values())))
            if any(len(vector) != width for vector in found.values()):  # of a damaged file
                return compute(texts)
            found |= made
            self._write(made)
        return np.stack([found[key] for key in keys])

    def _read(self, keys: Sequence[bytes]) -> dict[bytes, Vectors]:
        found: dict[bytes, Vectors] = {}
        with contextlib.suppress(OSError, sqlite3.Error, ValueError), self._opened() as connection:
            for begin in range(0, len(keys), _ASKED):
                some = keys[begin : begin + _ASKED]
                marks = ",".join("?" * len(some))
                rows = connection.execute(f"SELECT key, vector FROM rows WHERE key IN ({marks})", some)  # noqa: S608
                found |= {key: np.frombuffer(vector, np.float32) for key, vector in rows}
                connection.execute(f"UPDATE rows SET used = ? WHERE key IN ({marks})", [int(time.time()), *some])  # noqa: S608
        return found

    def _write(self, made: dict[bytes, Vectors]) -> None:
        with contextlib.suppress(OSError, sqlite3.Error), self._opened() as connection:
            now = int(time.time())
            rows = [(key, vector.astype(np.float32).tobytes(), now) for key, vector in made.items()]
            connection.executemany("INSERT OR REPLACE INTO rows VALUES (?, ?, ?)", rows)
            most = _MOST_BYTES // max(1, len(rows[0][1]))
            connection.execute(
                "DELETE FROM rows WHERE key IN (SELECT key FROM rows ORDER BY used DESC LIMIT -1 OFFSET ?)", [most]
            )

    @contextlib.contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.closing(sqlite3.connect(self._file, timeout=_WAIT_S)) as connection, connection:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute(
                "CREATE TABLE IF NOT EXISTS rows (key BLOB PRIMARY KEY, vector BLOB NOT NULL, used INTEGER NOT NULL) "
                "WITHOUT ROWID"
            )
            yield connection


def _key(model: str, text: str) -> bytes:
    return hashlib.blake2b(f"{model}\0{text}".encode("utf-8", "surrogatepass"), digest_size=20).digest()
