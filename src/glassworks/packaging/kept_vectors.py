"""A cache of vectors on disk, keyed by the model and the embedded data."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from glassworks.contracts import Array

_MOST = 8
"""Files; beyond them the least recently used one is removed."""


class KeptVectors:
    """A folder of them. What cannot be read is computed again, and what cannot be written is not kept."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, model: str, x: Array, compute: Callable[[], NDArray[np.float32]]) -> NDArray[np.float32]:
        """Vectors (N D) of stored examples (N ...) by the model of that digest."""
        file = self._folder / f"{_digest(model, x)}.npy"
        found = _read(file, len(x))
        if found is not None:
            return found
        found = compute()
        try:
            self._write(file, found)
        except OSError:
            # A full or read-only disk costs time at the next training, and nothing else.
            return found
        return found

    def _write(self, file: Path, vectors: NDArray[np.float32]) -> None:
        """Atomically."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self._folder) as made:
            part = Path(made) / file.name
            np.save(part, vectors, allow_pickle=False)
            part.replace(file)
        by_use = sorted(self._folder.glob("*.npy"), key=lambda each: each.stat().st_mtime_ns)
        for old in by_use[:-_MOST]:
            old.unlink(missing_ok=True)


def _digest(model: str, x: Array) -> str:
    whole = hashlib.sha256(f"{model} {x.dtype} {x.shape} ".encode())
    if x.dtype != object:
        whole.update(np.ascontiguousarray(x).tobytes())
        return whole.hexdigest()
    for each in x.ravel().tolist():
        content = str(each).encode("utf-8", "surrogatepass")
        whole.update(len(content).to_bytes(8, "little") + content)
    return whole.hexdigest()


def _read(file: Path, rows: int) -> NDArray[np.float32] | None:
    """None without a readable one."""
    try:
        found: NDArray[np.float32] = np.load(file, allow_pickle=False)
        os.utime(file)
    except (OSError, ValueError, EOFError):
        return None
    return found if found.dtype == np.float32 and found.ndim == 2 and len(found) == rows else None
