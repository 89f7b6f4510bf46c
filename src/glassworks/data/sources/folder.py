"""`folder:PATH`: picture files in a folder that holds one subfolder a class, or a table of their labels."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from glassworks.contracts import Source
from glassworks.data.assigned import NOTHING, Assigned
from glassworks.data.class_folders import FOLDERS, class_folders, spellings
from glassworks.data.collection import Pictures, collect
from glassworks.data.deep_pictures import said_bits
from glassworks.data.label_table import TABLE, read_label_table
from glassworks.data.picture_walk import Walk, shown
from glassworks.data.pictures import Picture, decode_picture
from glassworks.data.reader import PLAIN, PictureReader, Reading
from glassworks.errors import DataError
from glassworks.sentences import Sentence


class Folder(Source, PictureReader):
    """Picture files (PNG, JPEG, WebP, BMP, GIF, TIFF, HEIC, AVIF, PGM, PPM), one subfolder a class or a labels.csv."""

    name: ClassVar[str] = "folder"

    def pictures(self, what: str, how: Reading = PLAIN) -> Pictures:
        """Names are paths in the folder. Files that cannot be decoded are named, not fatal; so is what is left out.

        With a `labels.csv` there (see `data/label_table.py`) a picture has the labels of its line, any number of them.
        Raises DataError when there is no such folder, no class, or a class with no readable picture.
        """
        found = listed_pictures(_existing(what), how)
        bits, notes = said_bits(found.files, how.bits)
        pictures = collect(
            f"folder:{found.folder}",
            found.files,
            partial(_decode, bits=bits),
            names=[path.relative_to(found.folder).as_posix() for path in found.files],
            labels=found.labels,
            classes=found.classes,
            assigned=found.assigned,
        )
        return replace(pictures, left_out=found.left_out, notes=(*notes, *found.notes), bits=bits)

    def unlabeled(self, what: str) -> Iterator[tuple[str, Callable[[], bytes | Picture]]]:
        """Every picture file, in subfolders too; names are paths in the folder."""
        walk = Walk(_existing(what))
        try:
            for path in walk.pictures(walk.folder):
                yield walk.name(path), path.read_bytes
        except OSError as error:
            raise _not_listed(walk.folder, error) from None


@dataclass(frozen=True, kw_only=True)
class Listed:
    """The picture files of a folder and their labels, as those of `Pictures`; `left_out` are (name, reason)."""

    folder: Path
    files: tuple[Path, ...]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]
    assigned: Assigned = NOTHING
    left_out: tuple[tuple[str, str], ...] = ()
    notes: tuple[Sentence, ...] = ()


def listed_pictures(folder: Path, how: Reading = PLAIN) -> Listed:
    """What a folder holds: nothing is decoded. Raises DataError."""
    walk = Walk(folder)
    try:
        table = _table(folder)
        found = _by_table(walk, table, how) if table else _by_folders(walk, how)
    except OSError as error:
        raise _not_listed(folder, error) from None
    return replace(found, left_out=tuple(walk.reasons()), notes=(*found.notes, *walk.findings()))


def looked_at(folder: Path) -> Listed:
    """What a folder holds before a job says how it is read: folders that are parts may be there. Raises DataError."""
    try:
        return listed_pictures(folder)
    except DataError:
        with contextlib.suppress(DataError):
            return listed_pictures(folder, Reading(split=FOLDERS))
        raise


def _by_table(walk: Walk, table: Path, how: Reading) -> Listed:
    files = tuple(walk.pictures(walk.folder))
    files = tuple(path for path in files if path != table)  # whatever it begins with
    walk.left_out["not-pictures"] = [name for name in walk.left_out["not-pictures"] if name != walk.name(table)]
    found = read_label_table(walk.folder, table, files, how)
    named = set(found.files)
    for path in files:
        if path not in named:
            walk.leave("not-in-table", path)
    return Listed(
        folder=walk.folder,
        files=found.files,
        labels=found.targets,
        classes=found.classes,
        assigned=found.assigned,
        notes=found.notes,
    )


def _by_folders(walk: Walk, how: Reading) -> Listed:
    classes = class_folders(walk, how)
    files = [
        (path, label, part)
        for label, folders in enumerate(classes.values())
        for folder, part in folders
        for path in walk.pictures(folder)
    ]
    filled = {label for _, label, _ in files}
    for label, name in enumerate(classes):
        if label not in filled:
            others = [each for each in walk.left_out["not-pictures"] if each.startswith(f"{name}/")]
            but = f", and {len(others):,} other files: {shown(others)}" if others else ""
            raise DataError(
                f"{walk.folder}: the class folder '{name}' holds no picture{but}", "add pictures or take it away"
            )
    return Listed(
        folder=walk.folder,
        files=tuple(path for path, _, _ in files),
        labels=np.array([label for _, label, _ in files], np.int64),
        classes=tuple(classes),
        assigned=Assigned.of([part for _, _, part in files], ()),
        notes=tuple(spellings(classes)),
    )


def _table(folder: Path) -> Path | None:
    """The table of labels, however its name is written."""
    return next((path for path in sorted(folder.iterdir()) if path.name.lower() == TABLE and path.is_file()), None)


def _existing(location: str) -> Path:
    folder = Path(location).expanduser()
    if not folder.exists():
        raise DataError(f"there is no folder {folder}", "give the path of a folder with one subfolder a class")
    if not folder.is_dir():
        raise DataError(f"{folder} is a file, not a folder", "give the folder that holds the classes")
    return folder


def _not_listed(folder: Path, error: OSError) -> DataError:
    return DataError(f"cannot list {folder}: {error}", "make the folder readable")


def _decode(path: Path, bits: int) -> Picture:
    return decode_picture(path.read_bytes(), bits=bits)
