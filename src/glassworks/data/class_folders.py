"""The folders of classes in a folder of pictures, and those of its parts where it has any."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from glassworks.data.assigned import UNLABELED, is_part, part_of
from glassworks.data.class_names import normal_name
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
    parts = [path for path in folders if is_part(normal_name(path.name))]
    if how.split == FOLDERS:
        return _by_parts(walk, folders, parts, pictures)
    if how.split or how.group:
        raise DataError(
            f"{walk.folder} has no labels.csv, whose column data.{'split' if how.split else 'group'} would be",
            f'write one, or leave the key out; data.split = "{FOLDERS}" takes the folders train and test as parts',
        )
    if len(parts) > 1:
        raise DataError(
            f"{walk.folder} holds {', '.join(path.name for path in parts)}: these are splits, not classes",
            f'keep them as they are: data.split = "{FOLDERS}"; or give one folder a class, and splits are made here',
        )
    if not folders:
        holds = f"{len(pictures)} pictures but no subfolder" if pictures else "nothing to learn from"
        raise DataError(f"{walk.folder} holds {holds}", _LAYOUT)
    for path in pictures:
        walk.leave("outside-classes", path)
    return _named([(path, "") for path in folders])


def spellings(classes: Classes) -> Iterator[Sentence]:
    """Which names of folders were taken for one."""
    for name, folders in classes.items():
        names = sorted({folder.name for folder, _ in folders})
        if len(names) > 1:
            yield sentence("finding.merged-classes", name=name, names=", ".join(map(repr, names)))


def _by_parts(walk: Walk, folders: Sequence[Path], parts: Sequence[Path], pictures: Sequence[Path]) -> Classes:
    if not parts:
        raise DataError(
            f"{walk.folder} has no folders train, validation or test; it has: "
            f"{', '.join(path.name for path in folders)[:120] or 'none'}",
            "name them so, or leave data.split out: parts are made here then",
        )
    found: list[tuple[Path, str]] = []
    for path in (*(each for each in folders if each not in parts), *pictures):
        walk.leave("outside-classes", path)
    for folder in parts:
        part = part_of(normal_name(folder.name), str(folder))
        if part == UNLABELED:
            for path in walk.pictures(folder):
                walk.leave("without-labels", path)
            continue
        classes, stray = walk.entries(folder)
        found += [(path, part) for path in classes]
        for path in stray:
            walk.leave("outside-classes", path)
    if not found:
        raise DataError(f"{walk.folder}: its parts hold no folder of a class", _LAYOUT)
    walk.parts = [walk.name(path) for path in parts]
    return _named(found)


def _named(folders: Sequence[tuple[Path, str]]) -> Classes:
    found: dict[str, list[tuple[Path, str]]] = {}
    for path, part in folders:
        found.setdefault(normal_name(path.name), []).append((path, part))
    return {name: found[name] for name in sorted(found)}


def _unwrapped(walk: Walk, parts: bool) -> tuple[list[Path], list[Path]]:
    """The folders and pictures at the top, or in the folder around everything: one class alone is nothing to learn."""
    folders, pictures = walk.entries(walk.folder)
    while len(folders) == 1 and not pictures and walk.holds_folders_alone(folders[0]):
        if parts and is_part(normal_name(folders[0].name)):
            break
        walk.within = walk.name(folders[0])
        folders, pictures = walk.entries(folders[0])
    return folders, pictures
