"""`folder:PATH`: picture files in a folder that holds one subfolder a class, or a table of their labels."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from glassworks.contracts import Source
from glassworks.data.collection import Pictures, collect
from glassworks.data.label_table import TABLE, read_label_table
from glassworks.data.pictures import Picture, decode_picture
from glassworks.data.reader import PictureReader
from glassworks.errors import DataError

EXTENSIONS = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff"})
_SPLITS = frozenset({"train", "training", "val", "valid", "validation", "test", "testing"})
_LAYOUT = f"make one subfolder a class and put its pictures there, or write {TABLE}"


class Folder(Source, PictureReader):
    """Picture files (PNG, JPEG, WebP, BMP, GIF, TIFF) in one subfolder a class, or with a labels.csv."""

    name: ClassVar[str] = "folder"

    def pictures(self, what: str) -> Pictures:
        """Names are paths in the folder. Files that cannot be decoded are named, not fatal.

        With a `labels.csv` there (see `data/label_table.py`) a picture has the labels of its line, any number of them.
        Raises DataError when there is no such folder, no class, or a class with no readable picture.
        """
        found = listed_pictures(_existing(what))
        return collect(
            f"folder:{found.folder}",
            found.files,
            _decode,
            names=[path.relative_to(found.folder).as_posix() for path in found.files],
            labels=found.labels,
            classes=found.classes,
            unreadable=found.stray,
        )

    def unlabeled(self, what: str) -> Iterator[tuple[str, Callable[[], bytes | Picture]]]:
        """Every picture file, in subfolders too; names are paths in the folder."""
        folder = _existing(what)
        try:
            for path in _files(folder):
                yield path.relative_to(folder).as_posix(), path.read_bytes
        except OSError as error:
            raise DataError(f"cannot list {folder}: {error}", "make the folder readable") from None


@dataclass(frozen=True, kw_only=True)
class Listed:
    """The picture files of a folder and their labels, as those of `Pictures`; `stray` are (name, reason)."""

    folder: Path
    files: tuple[Path, ...]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]
    stray: tuple[tuple[str, str], ...] = ()


def listed_pictures(folder: Path) -> Listed:
    """What a folder holds, by its names alone: nothing is decoded. Raises DataError."""
    if (folder / TABLE).is_file():
        table = read_label_table(folder)
        return Listed(folder=folder, files=table.files, labels=table.targets, classes=table.classes)
    try:
        classes = _classes(folder)
        files = [(path, label) for label, name in enumerate(classes) for path in _files(folder / name)]
        stray = [(entry.name, "it lies outside the class folders") for entry in _listed(folder) if is_picture(entry)]
    except OSError as error:
        raise DataError(f"cannot list {folder}: {error}", "make the folder readable") from None
    filled = {label for _, label in files}
    for label, name in enumerate(classes):
        if label not in filled:
            raise DataError(f"{folder}: the class folder '{name}' holds no picture", "add pictures or take it away")
    return Listed(
        folder=folder,
        files=tuple(path for path, _ in files),
        labels=np.array([label for _, label in files], np.int64),
        classes=tuple(classes),
        stray=tuple(stray),
    )


def _existing(location: str) -> Path:
    folder = Path(location).expanduser()
    if not folder.exists():
        raise DataError(f"there is no folder {folder}", "give the path of a folder with one subfolder a class")
    if not folder.is_dir():
        raise DataError(f"{folder} is a file, not a folder", "give the folder that holds the classes")
    return folder


def _decode(path: Path) -> Picture:
    return decode_picture(path.read_bytes())


def _classes(folder: Path) -> list[str]:
    names = [entry.name for entry in _listed(folder) if entry.is_dir()]
    if not names:
        pictures = sum(is_picture(entry) for entry in _listed(folder))
        holds = f"{pictures} pictures but no subfolder" if pictures else "nothing to learn from"
        raise DataError(f"{folder} holds {holds}", _LAYOUT)
    if len(names) > 1 and _SPLITS.issuperset(name.lower() for name in names):
        raise DataError(
            f"{folder} holds {', '.join(names)}: these are splits, not classes",
            f"give folder:{folder / names[0]}, or one folder a class with all pictures: splits are made here",
        )
    return names


def _files(folder: Path) -> Iterator[Path]:
    for entry in _listed(folder):
        if entry.is_dir() and not entry.is_symlink():
            yield from _files(entry)
        elif is_picture(entry):
            yield entry


def _listed(folder: Path) -> list[Path]:
    """What is not hidden, by name."""
    with os.scandir(folder) as entries:
        return sorted(folder / entry.name for entry in entries if not entry.name.startswith("."))


def is_picture(path: Path) -> bool:
    """Whether it is a file with the name of a picture."""
    return path.suffix.lower() in EXTENSIONS and path.is_file()
