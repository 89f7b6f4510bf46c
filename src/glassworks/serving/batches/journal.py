"""The answers of a batch as they come: appended and synced one by one, so that no kill takes an answered line back."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import msgspec

from glassworks.storage import storage_errors


class _Kept(msgspec.Struct):
    custom_id: str


class Journal:
    """Two files of JSON lines: answers, and requests that failed. What was not written to its end is cut off again."""

    def __init__(self, folder: Path, identity: str) -> None:
        self.answers, self.failures = folder / f"{identity}.answers.jsonl", folder / f"{identity}.failures.jsonl"
        self.is_open = False
        self.answered: set[str] = set()
        self.failed: set[str] = set()
        self._files: dict[Path, int] = {}

    def open(self) -> Self:
        """Go on behind what is there. Raises StorageError."""
        with storage_errors(self.answers):
            self.answers.parent.mkdir(parents=True, exist_ok=True)
            for path, known in ((self.answers, self.answered), (self.failures, self.failed)):
                file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
                self._files[path] = file
                os.ftruncate(file, _whole(path, known))
        self.is_open = True
        return self

    def keep(self, lines: Mapping[str, bytes], *, failed: bool) -> None:
        """Append lines by their ids, which are on the disk when this returns. Raises StorageError."""
        path = self.failures if failed else self.answers
        with storage_errors(path):
            content = b"".join(line + b"\n" for line in lines.values())
            while content:
                content = content[os.write(self._files[path], content) :]
            os.fsync(self._files[path])
        (self.failed if failed else self.answered).update(lines)

    def close(self) -> None:
        """Nothing more is written."""
        for file in self._files.values():
            os.close(file)
        self._files.clear()

    def delete(self) -> None:
        """What was in it is kept elsewhere."""
        for path in (self.answers, self.failures):
            path.unlink(missing_ok=True)


def _whole(path: Path, known: set[str]) -> int:
    """The bytes of the whole lines at the beginning, whose ids become `known`."""
    size = 0
    with path.open("rb") as file:
        for content in file:
            try:
                kept = msgspec.json.decode(content, type=_Kept)
            except (msgspec.DecodeError, UnicodeDecodeError):
                break
            if not content.endswith(b"\n"):
                break
            known.add(kept.custom_id)
            size += len(content)
    return size
