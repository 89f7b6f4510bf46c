"""`folder:PATH`: picture files in a folder that holds one subfolder a class, or a table of their labels."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from glassworks.contracts import Source
from glassworks.data.assigned import is_part
from glassworks.data.class_names import normal_name
from glassworks.data.collection import Pictures, collect
from glassworks.data.deep_pictures import said_bits
from glassworks.data.label_table import TABLE, read_label_table
from glassworks.data.picture_walk import Walk, shown
from glassworks.data.pictures import Picture, decode_picture
from glassworks.data.reader import PLAIN, PictureReader, Reading
from glassworks.errors import DataError
from glassworks.sentences import Sentence, sentence

_SPLITS = frozenset(
    [
        "train",
        "training",
        "val",
        "valid",
        "validation",
        "dev",
        "test",
        "testing",
        "eval",
        "holdout",
        "unlabeled",
        "unlabelled",
    ]
)
_LAYOUT = f"make one subfolder a class and put its pictures there, or write {TABLE}"


class Folder(Source, PictureReader):
    """Picture files (PNG, JPEG, WebP, BMP, GIF, TIFF, HEIC, AVIF, PGM, PPM), one subfolder a class or a labels.csv."""

    name: ClassVar[str] = "folder"

    def pictures(self, what: str, how: Reading = PLAIN) -> Pictures:
        """Names are paths in the folder. Files that cannot be decoded are named, not fatal; so is what is left out.

        With a `labels.csv` there (see `data/label_table.py`) a picture has the labels of its line, any number of them.
        Raises DataError when there is no such folder, no class, or a class with no readable picture.
        """
        found = listed_pictures(_existing(what))
        bits, notes = said_bits(found.files, how.bits)
        pictures = collect(
            f"folder:{found.folder}",
            found.files,
            partial(_decode, bits=bits),
            names=[path.relative_to(found.folder).as_posix() for path in found.files],
            labels=found.labels,
            classes=found.classes,
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
    left_out: tuple[tuple[str, str], ...] = ()
    notes: tuple[Sentence, ...] = ()


def listed_pictures(folder: Path) -> Listed:
    """What a folder holds: nothing is decoded. Raises DataError."""
    walk = Walk(folder)
    try:
        if table := _table(folder):
            return _by_table(walk, table)
        return _by_folders(walk)
    except OSError as error:
        raise _not_listed(folder, error) from None


def _by_table(walk: Walk, table: Path) -> Listed:
    files = tuple(walk.pictures(walk.folder))
    walk.left_out["not-pictures"].remove(walk.name(table))
    found = read_label_table(walk.folder)
    named = set(found.files)
    for path in files:
        if path not in named:
            walk.leave("not-in-table", path)
    return _listed(walk, found.files, found.targets, found.classes)


def _by_folders(walk: Walk) -> Listed:
    classes = _classes(walk)
    files = [(path, label) for label, folders in enumerate(classes.values()) for path in _below(walk, folders)]
    filled = {label for _, label in files}
    for label, name in enumerate(classes):
        if label not in filled:
            others = [each for each in walk.left_out["not-pictures"] if each.startswith(f"{name}/")]
            but = f", and {len(others):,} other files: {shown(others)}" if others else ""
            raise DataError(
                f"{walk.folder}: the class folder '{name}' holds no picture{but}", "add pictures or take it away"
            )
    merged = [
        sentence("finding.merged-classes", name=name, names=", ".join(repr(each.name) for each in folders))
        for name, folders in classes.items()
        if len(folders) > 1
    ]
    labels = np.array([label for _, label in files], np.int64)
    return _listed(walk, tuple(path for path, _ in files), labels, tuple(classes), *merged)


def _below(walk: Walk, folders: list[Path]) -> Iterator[Path]:
    for folder in folders:
        yield from walk.pictures(folder)


def _listed(
    walk: Walk, files: tuple[Path, ...], labels: NDArray[np.int64], classes: tuple[str, ...], *notes: Sentence
) -> Listed:
    return Listed(
        folder=walk.folder,
        files=files,
        labels=labels,
        classes=classes,
        left_out=tuple(walk.reasons()),
        notes=(*notes, *walk.findings()),
    )


def _classes(walk: Walk) -> dict[str, list[Path]]:
    """The folders of each class by its name. Raises DataError, OSError."""
    folders, pictures = _unwrapped(walk)
    found: dict[str, list[Path]] = {}
    for path in folders:
        found.setdefault(normal_name(path.name), []).append(path)
    _refuse_splits(walk, found)
    if not found:
        holds = f"{len(pictures)} pictures but no subfolder" if pictures else "nothing to learn from"
        raise DataError(f"{walk.folder} holds {holds}", _LAYOUT)
    for path in pictures:
        walk.leave("outside-classes", path)
    return {name: found[name] for name in sorted(found)}


def _unwrapped(walk: Walk) -> tuple[list[Path], list[Path]]:
    """The folders and pictures at the top, or in the folder around everything: one class alone is nothing to learn."""
    folders, pictures = walk.entries(walk.folder)
    while len(folders) == 1 and not pictures and walk.holds_folders_alone(folders[0]):
        walk.within = walk.name(folders[0])
        folders, pictures = walk.entries(folders[0])
    return folders, pictures


def _refuse_splits(walk: Walk, found: dict[str, list[Path]]) -> None:
    splits = [name for name in found if is_part(name)]
    if len(splits) < 2:
        return
    folder = next((found[name][0] for name in splits if name.lower().startswith("train")), found[splits[0]][0])
    raise DataError(
        f"{walk.folder} holds {', '.join(splits)}: these are splits, not classes",
        f"give folder:{folder}, or one folder a class with all pictures: splits are made here",
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
