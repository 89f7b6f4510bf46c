"""The folders of classes in a folder of pictures, and those of its parts where it has any."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from glassworks.data.assigned import UNLABELED, parts_among
from glassworks.data.class_names import normal_name
from glassworks.data.picture_kinds import is_system
from glassworks.data.picture_walk import Walk
from glassworks.data.reader import Reading
from glassworks.errors import DataError
from glassworks.sentences import Sentence, sentence

FOLDERS = "folders"
"""Of `data.split`: the folders at the top are the parts."""
_LAYOUT = "make one subfolder a class and put its pictures there, or write labels.csv"
Classes = Mapping[str, Sequence[tuple[Path, str]]]
"""By the name of a class its folders, each with its part, which is empty where parts are dealt."""


def class_folders(walk: Walk, how: Reading) -> Classes:
    """Those of each class, by their names. Raises DataError, OSError."""
    folders, pictures = _unwrapped(walk, how.split == FOLDERS)
    parts = _parts(folders)
    below = {} if parts else {folder: inner for folder in folders if (inner := _parts_below(folder))}
    if how.split == FOLDERS:
        return _by_parts(walk, folders, parts, pictures) if not below else _parts_in(walk, folders, below, pictures)
    if how.split or how.group:
        raise DataError(
            f"{walk.folder} has no labels.csv, whose column data.{'split' if how.split else 'group'} would be",
            f'write one, or leave the key out; data.split = "{FOLDERS}" takes the folders train and test as parts',
        )
    if len(parts) > 1 or below:
        names = [walk.name(path) for path in parts or next(iter(below.values()))]
        raise DataError(
            f"{walk.folder} holds {', '.join(names)[:120]}: these are splits, not classes",
            f'keep them as they are: data.split = "{FOLDERS}"; or give one folder a class, and splits are made here',
        )
    if not folders:
        holds = f"{len(pictures)} pictures but no subfolder" if pictures else "nothing to learn from"
        raise DataError(f"{walk.folder} holds {holds}", _LAYOUT)
    for path in pictures:
        walk.leave("outside-classes", path)
    return _named([(path.name, path, "") for path in folders])


def spellings(classes: Classes) -> Iterator[Sentence]:
    """Which names of folders were taken for one."""
    for name, folders in classes.items():
        names = sorted({folder.name for folder, _ in folders if normal_name(folder.name) == name})
        if len(names) > 1:
            yield sentence("finding.merged-classes", name=name, names=", ".join(map(repr, names)))


def _parts(folders: Sequence[Path]) -> Mapping[Path, str]:
    named = parts_among(normal_name(path.name) for path in folders)
    return {path: named[name] for path in folders if (name := normal_name(path.name)) in named}


def _parts_below(folder: Path) -> Mapping[Path, str]:
    """The folders of parts in that of a class, where it has more than one."""
    found = _parts([path for path in sorted(folder.iterdir()) if path.is_dir() and not is_system(path.name)])
    return found if len(set(found.values())) > 1 else {}


def _parts_in(
    walk: Walk, folders: Sequence[Path], below: Mapping[Path, Mapping[Path, str]], pictures: Sequence[Path]
) -> Classes:
    """The classes whose folders hold those of the parts."""
    found: list[tuple[str, Path, str]] = []
    for path in (*(each for each in folders if each not in below), *pictures):
        walk.leave("outside-classes", path)
    for folder, parts in below.items():
        inner, stray = walk.entries(folder)
        found += [(folder.name, path, part) for path, part in parts.items() if part != UNLABELED]
        for path in (*(each for each in inner if each not in parts), *stray):
            walk.leave("outside-classes", path)
        walk.parts += [walk.name(path) for path in parts]
    return _named(found)


def _by_parts(walk: Walk, folders: Sequence[Path], parts: Mapping[Path, str], pictures: Sequence[Path]) -> Classes:
    if not parts:
        raise DataError(
            f"{walk.folder} has no folders train, validation or test; it has: "
            f"{', '.join(path.name for path in folders)[:120] or 'none'}",
            "name them so, or leave data.split out: parts are made here then",
        )
    found: list[tuple[str, Path, str]] = []
    for path in (*(each for each in folders if each not in parts), *pictures):
        walk.leave("outside-classes", path)
    for folder, part in parts.items():
        if part == UNLABELED:
            for path in walk.pictures(folder):
                walk.leave("without-labels", path)
            continue
        classes, stray = walk.entries(folder)
        if len(classes) == 1 and not stray and walk.holds_folders_alone(classes[0]):
            classes, stray = walk.entries(classes[0])
        found += [(path.name, path, part) for path in classes]
        for path in stray:
            walk.leave("outside-classes", path)
    if not found:
        raise DataError(f"{walk.folder}: its parts hold no folder of a class", _LAYOUT)
    walk.parts = [walk.name(path) for path in parts]
    return _named(found)


def _named(folders: Sequence[tuple[str, Path, str]]) -> Classes:
    found: dict[str, list[tuple[Path, str]]] = {}
    for name, path, part in folders:
        found.setdefault(normal_name(name), []).append((path, part))
    return {name: found[name] for name in sorted(found)}


def _unwrapped(walk: Walk, parts: bool) -> tuple[list[Path], list[Path]]:
    """The folders and pictures at the top, or in the folder around everything: one class alone is nothing to learn."""
    folders, pictures = walk.entries(walk.folder)
    while len(folders) == 1 and not pictures and walk.holds_folders_alone(folders[0]):
        if parts and _parts(folders):
            break
        walk.within = walk.name(folders[0])
        folders, pictures = walk.entries(folders[0])
    return folders, pictures
