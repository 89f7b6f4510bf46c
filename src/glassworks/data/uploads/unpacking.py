"""A zip archive from strangers becomes a folder: what it may grow to is bounded, and nothing leaves the folder."""

from __future__ import annotations

import contextlib
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from glassworks.data.label_table import TABLE
from glassworks.data.picture_kinds import HEAD, has_picture_name, kind_of_file
from glassworks.data.uploads.archive_names import Parts, safe_members, unwrapped
from glassworks.data.uploads.records import Limits
from glassworks.errors import DataError

_CHUNK_BYTES = 2**20
_END, _LOCATOR, _END64 = b"PK\x05\x06", b"PK\x06\x07", b"PK\x06\x06"
_SHOWN = 3
_AGAIN = "pack it again, and send the whole file"
_BOMB = "do not unpack it unless you know who made it"


@dataclass(frozen=True, kw_only=True)
class Unpacked:
    """`pictures` says whether it holds any; where it does, other files are left out but for the table of labels."""

    pictures: bool
    files: tuple[Path, ...]
    notes: tuple[str, ...]


def unpack(path: Path, name: str, folder: Path, limits: Limits) -> Unpacked:
    """Write the files of the archive into the new `folder`; `name` is what people call it. Raises DataError, OSError.

    The caller takes the folder away where it fails.
    """
    folder.mkdir(parents=True)
    with _damage(name):
        _require_small_directory(path, name, limits)
        with zipfile.ZipFile(path) as archive:
            members, empty, added = safe_members(archive, name, limits)
            pictures = any(has_picture_name(parts[-1]) for _, parts in members)
            depth = unwrapped([parts for _, parts in members], pictures, TABLE)
            writing = _Writing(archive, name, path.stat().st_size, limits)
            for entry, parts in members:
                writing.write(entry, folder, parts[depth:], pictures)
    notes = [f"the folder '{each}' is empty and was left out" for each in empty[:5]]
    if writing.left_out:
        notes.append(f"{len(writing.left_out):,} files that are no pictures were left out: {_named(writing.left_out)}")
    if added and writing.pictures:
        notes.append(f"{len(added):,} files that systems add were left out: {_named(added)}")
    if writing.without_bytes:
        first = writing.without_bytes[0]
        notes.append(f"{len(writing.without_bytes):,} picture files hold nothing, for example {first}")
    return Unpacked(pictures=writing.pictures, files=tuple(writing.files), notes=tuple(notes))


class _Writing:
    """Counts what is written."""

    def __init__(self, archive: zipfile.ZipFile, name: str, size: int, limits: Limits) -> None:
        self._archive, self._name, self._limits = archive, name, limits
        # Members may share bytes of the archive, so the whole is measured as well as each one.
        self._left = min(limits.unpacked_bytes, size * limits.ratio + limits.slack_bytes)
        self.files: list[Path] = []
        self.without_bytes: list[str] = []
        self.left_out: list[str] = []
        self.pictures = False

    def write(self, entry: zipfile.ZipInfo, folder: Path, parts: Parts, pictures: bool) -> None:
        """One member. Among pictures it is left out where it is none."""
        shown = "/".join(parts)
        allowed = min(self._left, entry.compress_size * self._limits.ratio + self._limits.slack_bytes)
        with self._member(shown), self._archive.open(entry) as source:
            head = source.read(HEAD)
            named = has_picture_name(parts[-1])
            picture = named or bool(kind_of_file(head))
            self.pictures = self.pictures or picture
            if pictures and not picture and not (len(parts) == 1 and parts[0].lower() == TABLE):
                self.left_out.append(shown)
                return
            if not head and named:
                self.without_bytes.append(shown)
            target = folder.joinpath(*parts)
            target.parent.mkdir(parents=True, exist_ok=True)
            written = len(head)
            with target.open("xb") as file:
                file.write(head)
                while chunk := source.read(_CHUNK_BYTES):
                    written += len(chunk)
                    if written > allowed:
                        raise DataError(f"'{self._name}': '{shown}' unpacks to more than {allowed:,} bytes", _BOMB)
                    file.write(chunk)
        self._left -= written
        self.files.append(target)

    @contextlib.contextmanager
    def _member(self, shown: str) -> Iterator[None]:
        try:
            yield
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise DataError(f"'{self._name}': '{shown}' is damaged: {error}", _AGAIN) from None
        except (FileExistsError, NotADirectoryError, IsADirectoryError):
            raise DataError(f"'{self._name}' holds a file and a folder '{shown}'", "rename one of them") from None


def _named(files: Sequence[str]) -> str:
    more = len(files) - _SHOWN
    return ", ".join(files[:_SHOWN]) + (f" ... (+{more:,})" if more > 0 else "")


def _require_small_directory(path: Path, name: str, limits: Limits) -> None:
    """The reader takes the list of files as a whole into memory: a record of 46 bytes becomes many times that."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        tail_at = max(0, size - 2**16 - 22)
        file.seek(tail_at)
        tail = file.read()
        at = tail.rfind(_END)
        if at < 0 or len(tail) - at < 22:
            raise DataError(f"'{name}' is not a whole zip archive: its end is missing", _AGAIN)
        listed: list[int] = list(struct.unpack("<L", tail[at + 12 : at + 16]))
        if at >= 20 and tail[at - 20 : at - 16] == _LOCATOR:
            listed = [0]
            offsets = (tail_at + at - 76, *struct.unpack("<Q", tail[at - 12 : at - 4]))
            for offset in offsets:
                file.seek(min(max(offset, 0), size))
                record = file.read(56)
                if record[:4] == _END64 and len(record) == 56:
                    listed.extend(struct.unpack("<Q", record[40:48]))
    if max(listed) > limits.directory_bytes:
        raise DataError(f"'{name}' holds more files than are read at once", "send it in parts")


@contextlib.contextmanager
def _damage(name: str) -> Iterator[None]:
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError, OverflowError) as error:
        raise DataError(f"'{name}' is not a whole zip archive: {error}", _AGAIN) from None
