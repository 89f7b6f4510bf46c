"""The folder an exporter writes into: new, empty, or its own."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from glassworks.errors import InputError


def claim_folder(folder: Path, *, own: Collection[str], mark: str) -> None:
    """Refuse a folder with content that the exporter did not write. Raises InputError.

    `own` are the names that it writes; content is its own only where the file `mark` is among it.
    """
    if not folder.exists():
        return
    if not folder.is_dir():
        raise InputError(f"{folder} is a file", "give a new or empty folder")
    names = {path.name for path in folder.iterdir()}
    foreign = sorted(names.difference(own) if mark in names else names)
    if foreign:
        raise InputError(
            f"{folder} is not empty: it holds {', '.join(foreign[:5])}, which no export wrote",
            "give a new or empty folder",
        )
