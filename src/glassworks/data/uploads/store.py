"""Where uploaded data are kept: each in a folder that is named after its content, there as a whole or not at all."""

from __future__ import annotations

import contextlib
import re
import shutil
import uuid
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from glassworks.data.uploads.recognition import CONTENT, Recognized, keep_content
from glassworks.data.uploads.records import Form, Item, Kind, Limits
from glassworks.errors import DataError, NotFound, StorageError
from glassworks.locations import home_of
from glassworks.storage import storage_errors, write_atomically

ID_LENGTH, _LEAST = 32, 8
_META = "meta.json"
_LIMITS = Limits()
_TABLES: frozenset[Form] = frozenset({"csv", "tsv", "parquet", "jsonl"})


class DataStore:
    """The uploaded data of a machine, in `data/` of GLASSWORKS_HOME or of the folder that is given."""

    def __init__(self, home: Path | None = None, limits: Limits = _LIMITS) -> None:
        self.folder = (home or home_of()) / "data"
        self.limits = limits
        self._items = self.folder / "items"

    def items(self) -> tuple[Item, ...]:
        """The newest first."""
        folders = list(self._items.iterdir()) if self._items.is_dir() else []
        found = [item for folder in folders if (item := _read(folder)) is not None]
        return tuple(sorted(found, key=lambda item: (item.created_at, item.id), reverse=True))

    def find(self, name: str) -> Item:
        """One by its id, or by the beginning of it, 8 characters at least. Raises NotFound."""
        found: list[Path] = []
        if re.fullmatch(rf"[0-9a-f]{{{_LEAST},{ID_LENGTH}}}", name, re.ASCII):
            found = [self._items / name] if len(name) == ID_LENGTH else list(self._items.glob(f"{name}*"))
        items = [item for folder in found if (item := _read(folder)) is not None]
        if len(items) == 1:
            return items[0]
        what = f"the ids of {len(items)} begin with '{name}'" if items else f"there are no uploaded data '{name[:64]}'"
        raise NotFound(
            what,
            "GET /api/v1/data and the console's page Data show them; give more of the id, at least 8 characters of it",
        )

    def content(self, item: Item) -> Path:
        """The folder of pictures, or the file."""
        suffix = "" if item.form == "folder" else f".{item.form}"
        return self._items / item.id / f"{CONTENT}{suffix}"

    def keep(self, file: Path, name: str, kind: Kind | None, sha256: str) -> Item:
        """Take in a file that was received; the same content is the same item, whoever sends it.

        Raises DataError for what is no data, and StorageError; nothing is left behind then.
        """
        target = self._items / sha256[:ID_LENGTH]
        if (known := _read(target)) is not None:
            return self._as(known, kind)
        beside = self.folder / "partial" / uuid.uuid4().hex
        with storage_errors(self.folder):
            self._items.mkdir(parents=True, exist_ok=True)
            beside.mkdir(parents=True)
            try:
                found = keep_content(file, name, kind, beside, self._within_disk())
                item = _item(found, name, sha256, file.stat().st_size)
                write_atomically(beside / _META, item.model_dump_json(indent=1).encode())
                try:
                    beside.rename(target)
                except OSError:
                    if _read(target) is None:  # else somebody was quicker with the same content
                        raise
            finally:
                shutil.rmtree(beside, ignore_errors=True)
        return self._as(self.find(target.name), kind)

    def delete(self, item: Item) -> None:
        """Take it away: at once as a whole, then its files. Raises StorageError."""
        beside = self.folder / "partial" / uuid.uuid4().hex
        with storage_errors(self.folder), contextlib.suppress(FileNotFoundError):
            beside.parent.mkdir(parents=True, exist_ok=True)
            (self._items / item.id).rename(beside)
        shutil.rmtree(beside, ignore_errors=True)

    def forget_partial(self, before: float) -> None:
        """What a process left that was killed before that time, in seconds since 1970."""
        folder = self.folder / "partial"
        for beside in folder.iterdir() if folder.is_dir() else ():
            with contextlib.suppress(FileNotFoundError):
                if beside.stat().st_mtime < before:
                    shutil.rmtree(beside, ignore_errors=True)

    def free_bytes(self) -> int:
        """Of the disk, what may be filled. Raises StorageError."""
        with storage_errors(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            return max(0, shutil.disk_usage(self.folder).free - self.limits.margin_bytes)

    def _within_disk(self) -> Limits:
        free = self.free_bytes()
        if not free:
            raise disk_full(self.folder)
        return replace(self.limits, unpacked_bytes=min(self.limits.unpacked_bytes, free))

    def _as(self, item: Item, kind: Kind | None) -> Item:
        """The item, with the kind that somebody says now. Raises DataError for one that it cannot be read as."""
        if kind in (None, item.kind):
            return item
        if item.form not in _TABLES or kind == "pictures" or (item.form == "jsonl" and kind != "texts"):
            raise DataError(f"'{item.name}' holds no {kind}", f"it holds {item.kind}")
        changed = item.model_copy(update={"kind": kind})
        write_atomically(self._items / item.id / _META, changed.model_dump_json(indent=1).encode())
        return changed


def disk_full(folder: Path) -> StorageError:
    """The error where too little of the disk is free."""
    return StorageError(f"cannot write {folder}: the disk is nearly full", "free some space and try again")


def _item(found: Recognized, name: str, sha256: str, size: int) -> Item:
    return Item(
        id=sha256[:ID_LENGTH],
        name=name,
        kind=found.kind,
        form=found.form,
        sha256=sha256,
        size_bytes=size,
        examples=found.examples,
        created_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
        notes=found.notes,
    )


def _read(folder: Path) -> Item | None:
    """None where it is no item, or is being taken away."""
    try:
        return Item.model_validate_json((folder / _META).read_bytes())
    except (OSError, ValidationError):
        return None
