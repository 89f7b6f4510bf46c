"""What a model's file or folder may be: plain, of bearable size, and nothing that runs code when it is read."""

from __future__ import annotations

import lzma
import os
import stat
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from glassworks.errors import DataError, InputError, UnsafePath, Unsupported

LARGEST = 2 * 1024**3
"""Bytes of a model: protobuf takes no more in one message."""
MOST_FILES = 10_000
_LARGEST_RATIO = 200
"""Bytes that one stored byte of an archive may become; weights hardly get smaller."""
DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError),
    *(EOFError, OSError, OverflowError, RuntimeError, ValueError),  # RuntimeError also where a way to pack is unknown
)
"""What reading an archive raises that is not whole."""
PICKLES = (".pkl", ".pickle", ".joblib", ".pt", ".pth", ".ckpt", ".dill", ".cloudpickle")
_SAVED = "in a program that trusts the file, load it and export it as ONNX: see the guide on importing"


def require_file(path: Path, largest: int = LARGEST) -> int:
    """The size of a plain file. Raises DataError, UnsafePath."""
    try:
        found = path.lstat()
    except (OSError, ValueError) as error:
        raise DataError(f"there is no file {path}: {error}", "give the path of a model's file or folder") from None
    if stat.S_ISLNK(found.st_mode):
        raise UnsafePath(f"{path} is a symbolic link", "give the file itself: a link may lead anywhere")
    if not stat.S_ISREG(found.st_mode):
        raise InputError(f"{path} is no plain file", "give the path of a model's file or folder")
    if not found.st_size:
        raise DataError(f"{path} is empty", "export the model again")
    if found.st_size > largest:
        raise Unsupported(
            f"{path} has {found.st_size:,} bytes; at most {largest:,} are read", "give a smaller model, or fewer bits"
        )
    return found.st_size


def require_folder(folder: Path) -> None:
    """Raises DataError, UnsafePath: links in a folder may lead out of it, and so would what is read through them."""
    if folder.is_symlink():
        raise UnsafePath(f"{folder} is a symbolic link", "give the folder itself")
    for count, path in enumerate(_walk(folder)):
        if count >= MOST_FILES:
            raise Unsupported(f"{folder} holds more than {MOST_FILES:,} files", "give the model's own folder")
        if path.is_symlink():
            raise UnsafePath(
                f"{folder} holds a symbolic link: {path.relative_to(folder)}", "copy the folder with 'cp -rL'"
            )


def _walk(folder: Path) -> Iterator[Path]:
    for root, folders, files in os.walk(folder):
        yield from (Path(root) / name for name in (*folders, *files))


def inside(folder: Path, name: str) -> Path:
    """A file of a folder by a name that the model's own file gives. Raises UnsafePath for one that leaves it."""
    pure = PurePosixPath(name)
    if not name or "\\" in name or "\0" in name or pure.is_absolute() or ".." in pure.parts:
        raise UnsafePath(f"the model names data outside of its folder: '{name[:200]}'", "export the model again")
    path = folder / pure
    if not path.resolve().is_relative_to(folder.resolve()) or path.is_symlink():
        raise UnsafePath(f"the model names data behind a link: '{name[:200]}'", "copy the folder with 'cp -rL'")
    return path


def refuse_pickle(path: Path) -> None:
    """Raises Unsupported for a file that Python's pickle would read, which may run anything."""
    raise Unsupported(f"{path} is a pickle: reading one runs whatever its maker wrote into it", _SAVED)


def is_pickle(path: Path) -> bool:
    """By its suffix, or by its first bytes: pickles of protocol 2 or later begin with 0x80 and the protocol."""
    if path.suffix.lower() in PICKLES:
        return True
    with path.open("rb") as file:
        head = file.read(2)
    return len(head) == len(b"\x80\x05") and head[0] == 0x80 and 2 <= head[1] <= 5


def members(path: Path, largest: int = LARGEST) -> dict[str, int]:
    """Names and sizes of an archive's files. Raises DataError, UnsafePath, Unsupported before any is unpacked."""
    stored = require_file(path, largest)
    try:
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
    except DAMAGE as error:
        raise DataError(f"{path} is no whole archive: {error}", "export the model again") from None
    total = sum(info.file_size for info in infos)
    if total > largest or total > _LARGEST_RATIO * stored:
        raise Unsupported(
            f"{path} has {stored:,} bytes and would become {total:,}",
            "export the model again; weights do not shrink so",
        )
    if len(infos) > MOST_FILES:
        raise Unsupported(f"{path} holds {len(infos):,} files; at most {MOST_FILES:,} are read", "export it again")
    for info in infos:
        pure = PurePosixPath(info.filename)
        if pure.is_absolute() or ".." in pure.parts or "\\" in info.filename:
            raise UnsafePath(f"{path} holds a file that leaves it: '{info.filename[:200]}'", "export the model again")
        if stat.S_ISLNK(info.external_attr >> 16):
            raise UnsafePath(f"{path} holds a symbolic link: '{info.filename[:200]}'", "export the model again")
    names = [info.filename for info in infos]
    if len(set(names)) < len(names):
        raise DataError(f"{path} holds two files of one name", "export the model again")
    return {info.filename: info.file_size for info in infos}
