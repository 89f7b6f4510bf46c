"""Files in parts: begun, appended to at an offset, gone on with after a broken connection, complete or forgotten."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from pydantic import ValidationError

from glassworks.data.uploads.records import Item, Kind, Upload
from glassworks.data.uploads.store import DataStore, disk_full
from glassworks.errors import Conflict, InputError, MissingLibrary, NotFound, Overloaded
from glassworks.storage import storage_errors, write_atomically

PART_BYTES = 8 * 2**20
_PART, _ABOUT = "part", "upload.json"
_MOST_NAME = 255
_SHOWN = 80
_PATIENCE_S, _LOOK_S = 2.0, 0.02


class WrongOffset(Conflict):
    """A part does not follow what has arrived; `offset` is where to go on."""

    def __init__(self, problem: str, offset: int) -> None:
        super().__init__(problem, f"go on at {offset}")
        self.offset = offset


class Uploads:
    """Uploads under way, in `data/uploads/`. Any number of threads and processes may share them."""

    def __init__(self, store: DataStore, clock: Callable[[], float] = time.time) -> None:
        self._store, self._clock = store, clock
        self._folder = store.folder / "uploads"

    def begin(self, name: str, size_bytes: int, kind: Kind | None = None, sha256: str = "") -> Upload:
        """Raises InputError for the name or the size, Overloaded for too many at a time, StorageError."""
        _require_name(name)
        limits, sha256 = self._store.limits, sha256.lower()
        if not 0 < size_bytes <= limits.upload_bytes:
            what = f"'{name}' has {size_bytes:,} bytes" if size_bytes else f"'{name}' is empty"
            raise InputError(what, f"send between 1 and {limits.upload_bytes:,} bytes")
        if sha256 and not re.fullmatch("[0-9a-f]{64}", sha256):
            raise InputError(f"'{sha256[:_SHOWN]}' is no SHA-256", "give 64 hexadecimal digits, or leave it out")
        self.forget_abandoned()
        under_way = self._under_way()
        if len(under_way) >= limits.uploads:
            raise Overloaded(f"{len(under_way)} uploads are under way", "finish or delete one", retry_after_s=60)
        if self._store.free_bytes() < size_bytes + sum(under_way):
            raise disk_full(self._store.folder)
        upload = Upload(id=secrets.token_hex(16), name=name, size_bytes=size_bytes, kind=kind, sha256=sha256)
        folder = self._folder / upload.id
        with storage_errors(folder):
            folder.mkdir(parents=True)
            (folder / _PART).touch(0o600)
        write_atomically(folder / _ABOUT, upload.model_dump_json().encode())
        return upload

    def find(self, upload: str) -> tuple[Upload, int]:
        """It, and how much of it has arrived. Raises NotFound."""
        about = self._about(upload)
        if about.item:
            return about, about.size_bytes
        with contextlib.suppress(FileNotFoundError):
            return about, (self._folder / upload / _PART).stat().st_size
        raise _gone()

    def expires_at(self, upload: str) -> float:
        """When it is forgotten unless more arrives, in seconds since 1970. Raises NotFound."""
        self._about(upload)
        return _touched(self._folder / upload) + self._store.limits.kept_s

    def append(self, upload: str, offset: int, content: bytes) -> int:
        """The offset of the next part. What has arrived before may be sent again, as long as it is the same.

        Raises NotFound, WrongOffset, InputError for what is beyond the size, and StorageError: the part can be sent
        again then.
        """
        about = self._about(upload)
        if about.item:
            return about.size_bytes
        with self._locked(upload) as part:
            arrived = os.fstat(part).st_size
            if not 0 <= offset <= arrived:
                raise WrongOffset(f"the part begins at {offset}, but {arrived} bytes have arrived", arrived)
            if offset + len(content) > about.size_bytes:
                raise InputError(
                    f"the upload has {about.size_bytes:,} bytes, and the part ends at {offset + len(content):,}",
                    "begin another upload with the right size",
                )
            known = content[: arrived - offset]
            if known != os.pread(part, len(known), offset):
                raise WrongOffset(f"other bytes have arrived at {offset}", arrived)
            if self._store.free_bytes() < len(content):
                raise disk_full(self._store.folder)
            with storage_errors(self._folder / upload):
                _write(part, content[len(known) :], arrived)
            return max(arrived, offset + len(content))

    def complete(self, upload: str) -> Item:
        """The data that it becomes. Raises NotFound, WrongOffset for one that has not arrived, StorageError: it can be
        completed later then; and InputError for another hash and for what is no data: it is forgotten then.
        """
        about = self._about(upload)
        if about.item:
            return self._store.find(about.item)
        with self._locked(upload) as part:
            if (about := self._about(upload)).item:  # somebody else completed it meanwhile
                return self._store.find(about.item)
            arrived = os.fstat(part).st_size
            if arrived < about.size_bytes:
                raise WrongOffset(f"{arrived:,} of {about.size_bytes:,} bytes have arrived", arrived)
            folder = self._folder / upload
            try:
                item = self._kept(about, folder / _PART)
            except MissingLibrary:  # it is the machine that is not ready
                raise
            except InputError:
                self.abandon(upload)
                raise
            done = about.model_copy(update={"item": item.id})
            write_atomically(folder / _ABOUT, done.model_dump_json().encode())
            (folder / _PART).unlink(missing_ok=True)
            return item

    def abandon(self, upload: str) -> None:
        """Forget it. Raises NotFound."""
        self._about(upload)
        shutil.rmtree(self._folder / upload, ignore_errors=True)

    def forget_abandoned(self) -> None:
        """Those of which nothing was heard for a day, and what was left by processes that were killed before that."""
        before = self._clock() - self._store.limits.kept_s
        for folder in self._listed():
            if _touched(folder) < before:
                shutil.rmtree(folder, ignore_errors=True)
        self._store.forget_partial(before)

    def _kept(self, about: Upload, file: Path) -> Item:
        with storage_errors(file), file.open("rb") as opened:
            found = hashlib.file_digest(opened, "sha256").hexdigest()
        if about.sha256 not in ("", found):
            raise InputError(
                f"'{about.name}' has the SHA-256 {found}, and {about.sha256} was given", "send the file again"
            )
        return self._store.keep(file, about.name, about.kind, found)

    def _about(self, upload: str) -> Upload:
        if not re.fullmatch("[0-9a-f]{32}", upload):
            raise _gone()
        try:
            return Upload.model_validate_json((self._folder / upload / _ABOUT).read_bytes())
        except (FileNotFoundError, ValidationError):
            raise _gone() from None

    @contextlib.contextmanager
    def _locked(self, upload: str) -> Iterator[int]:
        """Its file, which one at a time may write. The lock outlives no process."""
        try:
            part = os.open(self._folder / upload / _PART, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            raise _gone() from None
        try:
            _lock(part)
            yield part
        finally:
            os.close(part)

    def _listed(self) -> list[Path]:
        return list(self._folder.iterdir()) if self._folder.is_dir() else []

    def _under_way(self) -> list[int]:
        """Of each upload, the bytes that have not arrived."""
        found = []
        for folder in self._listed():
            with contextlib.suppress(NotFound):
                about, arrived = self.find(folder.name)
                if not about.item:
                    found.append(about.size_bytes - arrived)
        return found


def _lock(part: int) -> None:
    """Raises Overloaded where another one has it for long: a large file takes its time to be taken in, and whoever asks
    for that again and again must not leave all threads waiting."""
    until = time.monotonic() + _PATIENCE_S
    while True:
        try:
            fcntl.flock(part, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > until:
                raise Overloaded("the upload is being worked on", "ask again in a moment", retry_after_s=2) from None
            time.sleep(_LOOK_S)


def _write(part: int, content: bytes, arrived: int) -> None:
    """All of it or nothing."""
    try:
        view, at = memoryview(content), arrived
        while view:
            written = os.pwrite(part, view, at)
            view, at = view[written:], at + written
    except OSError:
        os.ftruncate(part, arrived)
        raise


def _require_name(name: str) -> None:
    shown = f"'{name[:_SHOWN]!a}'"
    if not name.strip() or len(name) > _MOST_NAME:
        raise InputError(f"the name {shown} has {len(name):,} characters", f"give between 1 and {_MOST_NAME}")
    if not name.isprintable() or "/" in name or "\\" in name:
        raise InputError(f"{shown} is no name of a file", "give its name alone, without folders")


def _touched(folder: Path) -> float:
    """When something was last written there; long ago where it is being taken away."""
    times = [0.0]
    for path in (folder, folder / _PART, folder / _ABOUT):
        with contextlib.suppress(FileNotFoundError):
            times.append(path.stat().st_mtime)
    return max(times)


def _gone() -> NotFound:
    return NotFound("there is no such upload, or it was not gone on with for a day", "begin another one")
