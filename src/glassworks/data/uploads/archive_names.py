"""The names of files in a zip archive: decoded as they were meant, safe to write, without what systems add."""

from __future__ import annotations

import stat
import unicodedata
import zipfile
from collections.abc import Iterator, Sequence

from glassworks.data.picture_kinds import is_system
from glassworks.data.uploads.records import Limits
from glassworks.errors import DataError

Parts = tuple[str, ...]
"""A path in the archive."""
_UTF8 = 0x800
_ENCRYPTED = 0x1
_MALICIOUS = "do not use it unless you know who made it"
_PLAINLY = "pack it again with any usual program, without a password"


def safe_members(
    archive: zipfile.ZipFile, name: str, limits: Limits
) -> tuple[list[tuple[zipfile.ZipInfo, Parts]], list[str], list[str]]:
    """Files and their paths, the names of folders that hold nothing, and those that are left out. Raises DataError.

    Left out is what macOS, Windows and hidden files add; a single folder around everything is taken away.
    """
    entries = archive.infolist()
    if len(entries) > limits.files:
        raise DataError(f"'{name}' holds {len(entries):,} files; {limits.files:,} are allowed", "send it in parts")
    encoding = _encoding([entry.orig_filename for entry in entries if not entry.flag_bits & _UTF8])
    found: dict[Parts, zipfile.ZipInfo] = {}
    folders: set[Parts] = set()
    added: list[str] = []
    for entry in entries:
        _require_plain(entry, name)
        parts = _parts(entry, encoding, name, limits)
        if any(map(is_system, parts)):
            added += [] if entry.is_dir() else ["/".join(parts)]
            continue
        if entry.is_dir() or entry.orig_filename.endswith("\\"):
            folders.add(parts)
            continue
        if parts in found:
            raise DataError(f"'{name}' holds '{'/'.join(parts)}' twice", _MALICIOUS)
        found[parts] = entry
    filled = {parts[:depth] for parts in found for depth in range(len(parts))}
    empty = sorted("/".join(parts) for parts in folders - filled if parts)
    return [(entry, parts) for parts, entry in found.items()], empty, added


def unwrapped(paths: Sequence[Parts], pictures: bool, table: str) -> int:
    """How many folders stand around everything. The folder of a class is none: it may be the only one."""
    depth = 0
    while all(len(parts) > depth + 1 for parts in paths) and len({parts[: depth + 1] for parts in paths}) == 1:
        inner = [parts[depth + 1 :] for parts in paths]
        if pictures and not any(len(parts) > 1 or parts[0] == table for parts in inner):
            break
        depth += 1
    return depth


def _require_plain(entry: zipfile.ZipInfo, name: str) -> None:
    shown = entry.filename[:200]
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        what = "a link" if kind == stat.S_IFLNK else "not a regular file"
        raise DataError(f"'{name}': '{shown}' is {what}", "pack the files themselves")
    if entry.flag_bits & _ENCRYPTED:
        raise DataError(f"'{name}': '{shown}' is encrypted", _PLAINLY)
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise DataError(f"'{name}': '{shown}' is compressed in a way that is not read", _PLAINLY)


def _parts(entry: zipfile.ZipInfo, encoding: str, name: str, limits: Limits) -> Parts:
    given = entry.orig_filename  # `filename` was cut and turned by the reader
    if not entry.flag_bits & _UTF8:
        given = given.encode("cp437").decode(encoding)
    path = unicodedata.normalize("NFC", given.replace("\\", "/"))
    parts = tuple(path.removesuffix("/").split("/"))
    if fault := next(_faults(path, parts, limits), ""):
        raise DataError(f"'{name}' names a file {path[:200]!a}: {fault}", _MALICIOUS)
    return parts


def _faults(path: str, parts: Parts, limits: Limits) -> Iterator[str]:
    if path.startswith("/") or path[1:2] == ":":
        yield "it is not relative"
    if any(part in ("", ".", "..") for part in parts):
        yield "it leads out of the archive"
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in path):
        yield "it holds characters that no name has"
    if len(parts) > limits.depth:
        yield f"it lies in more than {limits.depth} folders"
    if any(len(part.encode("utf-8", "surrogatepass")) > limits.name_bytes for part in parts):
        yield f"a part of it is longer than {limits.name_bytes} bytes"


def _encoding(names: Sequence[str]) -> str:
    """Of names without the mark of UTF-8: many programs write UTF-8 all the same, Chinese Windows its own encoding."""
    raw = [name.encode("cp437") for name in names]
    for encoding in ("utf-8", "gb18030"):
        try:
            decoded = [name.decode(encoding) for name in raw]
        except UnicodeDecodeError:
            continue
        if encoding == "utf-8" or _is_chinese("".join(decoded)):
            return encoding
    return "cp437"


def _is_chinese(text: str) -> bool:
    """Whether most of what is beyond ASCII are everyday characters: accented letters are read as rare ones."""
    beyond = [character for character in text if character > "\x7f"]
    everyday = sum(len(character.encode("gb2312", "ignore")) == 2 for character in beyond)
    return 2 * everyday > len(beyond)
