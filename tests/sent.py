"""Data as somebody has sent them, kept in the store of GLASSWORKS_HOME."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from glassworks.data.uploads.records import Item
from glassworks.data.uploads.store import DataStore


def kept(folder: Path, content: bytes, name: str, kind: Any = None) -> Item:
    """A file's content under a name."""
    file = folder / "sent"
    file.write_bytes(content)
    return DataStore().keep(file, name, kind, hashlib.sha256(content).hexdigest())


def kept_source(folder: Path, content: bytes, name: str, kind: Any = None) -> str:
    """The same, as a job names it."""
    return kept(folder, content, name, kind).source
