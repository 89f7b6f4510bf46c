"""The `.glass` archive: a bundle as one stored zip file, the same bytes for the same bundle."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import shutil
import stat
import uuid
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from glassworks.errors import BundleError, InputError, NotFound, Tampered, UnsafePath
from glassworks.packaging.bundle import Bundle, read_bundle, reading, tampered
from glassworks.packaging.manifest import MANIFEST_FILE, check_path
from glassworks.storage import storage_errors

_CHUNK_BYTES = 2**20
_EPOCH = (1980, 1, 1, 0, 0, 0)
_AGAIN = "fetch the archive again, or pack the bundle again"
_MALICIOUS = "do not use it unless you know who made it"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Limits:
    """What an archive may grow to; all are counted while unpacking, none is believed from a header."""

    files: int = 10_000
    total_bytes: int = 64 * 2**30
    ratio: int = 100
    """Bytes out for a byte in. Our own archives are stored; small files may exceed it by `slack_bytes`."""
    slack_bytes: int = 2**20


def pack_bundle(bundle: Bundle, path: Path) -> Path:
    """Write the bundle as a `.glass` file, all or nothing. Raises Tampered and StorageError."""
    beside = path.with_name(f".{path.name}.{uuid.uuid4().hex}.partial")
    recorded = {**bundle.manifest.files, MANIFEST_FILE: bundle.sha256}
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with beside.open("xb") as file:
                with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
                    for name in sorted(recorded):
                        _pack(archive, bundle.folder / name, name, recorded[name])
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)
    return path


def unpack_bundle(path: Path, folder: Path, limits: Limits = Limits()) -> Bundle:
    """Unpack a `.glass` file into the new or empty `folder` and verify it.

    Raises NotFound, InputError for a folder with content, UnsafePath, BundleError, Tampered, NewerFormat and
    StorageError; nothing is left behind then.
    """
    if not path.is_file():
        raise NotFound(f"there is no archive {path}", "give the path of a .glass file")
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise InputError(f"{folder} is not empty", "unpack into a new or empty folder")
    folder = folder.resolve()
    beside = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}.partial")
    with storage_errors(folder):
        beside.mkdir(parents=True)
        try:
            with _damage(path), zipfile.ZipFile(path) as archive:
                _extract(archive, path, beside, limits)
            bundle = read_bundle(beside)
            beside.rename(folder)
        finally:
            shutil.rmtree(beside, ignore_errors=True)
    return dataclasses.replace(bundle, folder=folder)


def _pack(archive: zipfile.ZipFile, source: Path, name: str, sha256: str) -> None:
    entry = zipfile.ZipInfo(name, date_time=_EPOCH)
    entry.create_system = 3
    entry.external_attr = (stat.S_IFREG | 0o644) << 16
    digest = hashlib.sha256()
    with reading(source):
        entry.file_size = source.stat().st_size
        file = source.open("rb")
    with file, archive.open(entry, "w") as target:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
            target.write(chunk)
    if digest.hexdigest() != sha256:
        raise tampered(name, str(source.parent))


def _extract(archive: zipfile.ZipFile, path: Path, folder: Path, limits: Limits) -> None:
    entries = archive.infolist()
    if len(entries) > limits.files:
        raise BundleError(f"{path} holds {len(entries)} files, {limits.files} are allowed", _MALICIOUS)
    seen: set[str] = set()
    # Entries may share bytes of the archive, so the whole is measured as well as each one.
    left = min(limits.total_bytes, path.stat().st_size * limits.ratio + limits.slack_bytes)
    for entry in entries:
        name = _checked_name(entry, path)
        if name in seen:
            raise BundleError(f"{path} holds '{name}' twice", _MALICIOUS)
        seen.add(name)
        allowed = min(left, entry.compress_size * limits.ratio + limits.slack_bytes)
        with _member_damage(path, name):
            left -= _extract_one(archive, entry, folder / name, allowed)


def _checked_name(entry: zipfile.ZipInfo, path: Path) -> str:
    # `filename` was already cut and turned by the reader; the name in the file itself is checked.
    if entry.orig_filename != entry.filename:
        raise UnsafePath(f"{path} names the file {entry.orig_filename[:200]!a}", _MALICIOUS)
    name = check_path(entry.filename.removesuffix("/"), str(path))
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        what = "a link" if kind == stat.S_IFLNK else "not a regular file"
        raise UnsafePath(f"{path}: '{name}' is {what}", _MALICIOUS)
    if entry.flag_bits & 0x1:
        raise BundleError(f"{path}: '{name}' is encrypted", "decrypt it and pack it again")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise BundleError(f"{path}: '{name}' is compressed in a way that is not allowed", "pack it stored")
    return name


def _extract_one(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path, allowed: int) -> int:
    if entry.is_dir():
        target.mkdir(parents=True, exist_ok=True)
        return 0
    target.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    with archive.open(entry) as source, target.open("xb") as file:
        while chunk := source.read(_CHUNK_BYTES):
            written += len(chunk)
            if written > allowed:
                raise BundleError(
                    f"'{entry.filename}' unpacks to more than {allowed} bytes, as a zip bomb does", _MALICIOUS
                )
            file.write(chunk)
    return written


@contextlib.contextmanager
def _member_damage(path: Path, name: str) -> Iterator[None]:
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise Tampered(f"{path}: the file '{name}' is damaged: {error}", _AGAIN) from error
    except (FileExistsError, NotADirectoryError) as error:
        raise BundleError(f"{path}: the place of '{name}' is taken by another member", _MALICIOUS) from error


@contextlib.contextmanager
def _damage(path: Path) -> Iterator[None]:
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError, OverflowError) as error:
        raise BundleError(f"{path} is not a whole zip archive: {error}", _AGAIN) from error
