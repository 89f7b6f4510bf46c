"""Picture files in a folder and below it, and all that is there beside them: nothing is left out without a word."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from glassworks.data.picture_kinds import is_picture, is_system
from glassworks.sentences import Sentence, sentence

_SHOWN = 3
REASONS: Mapping[str, str] = MappingProxyType(
    {
        "outside-classes": "it lies outside the class folders",
        "not-in-table": "the table of labels does not name it",
        "without-labels": "it lies in a folder of pictures without labels",
        "dead-links": "it is a link to what is not there",
        "linked-twice": "it is a link to a folder that is read already",
        "not-opened": "it cannot be opened",
        "not-pictures": "it is no picture that can be read",
        "system-files": "an operating system or a program put it there",
    }
)
"""Why something is left out, the most important first; each has a sentence `finding.NAME`."""


class Walk:
    """One look through a folder. Links are followed, but to no folder twice; `left_out` has names by their reason.

    `within` is the folder around everything, and `parts` are the folders of parts, where there are any.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.left_out: dict[str, list[str]] = {reason: [] for reason in REASONS}
        self.followed: list[str] = []
        self.within = ""
        self.parts: list[str] = []
        self._root = os.path.realpath(folder)
        self._linked: set[str] = set()

    def name(self, path: Path) -> str:
        """From the folder on."""
        return path.relative_to(self.folder).as_posix()

    def leave(self, reason: str, path: Path) -> None:
        """Remember that it is left out."""
        self.left_out[reason].append(self.name(path))

    def holds_folders_alone(self, folder: Path) -> bool:
        """Whether it holds folders, and no picture beside them. Nothing is remembered of it. Raises OSError."""
        entries = [path for path in folder.iterdir() if not is_system(path.name)]
        return any(path.is_dir() for path in entries) and not any(is_picture(path) for path in entries)

    def entries(self, folder: Path) -> tuple[list[Path], list[Path]]:
        """The folders and the pictures in one folder, by their names. Raises OSError."""
        folders, pictures = [], []
        with os.scandir(folder) as found:
            names = sorted(entry.name for entry in found)
        for path in (folder / name for name in names):
            if is_system(path.name):
                self.leave("system-files", path)
            elif path.is_dir():
                if not path.is_symlink() or self._is_new(path):
                    folders.append(path)
            elif path.is_symlink() and not path.exists():
                self.leave("dead-links", path)
            elif self._is_picture(path):
                pictures.append(path)
        return folders, pictures

    def pictures(self, folder: Path) -> Iterator[Path]:
        """All in a folder and below it. Raises OSError."""
        folders, pictures = self.entries(folder)
        below = dict.fromkeys(folders, True) | dict.fromkeys(pictures, False)
        for path in sorted(below):
            if below[path]:
                yield from self.pictures(path)
            else:
                yield path

    def findings(self) -> Iterator[Sentence]:
        """What was left out and why, in sentences; and which links were followed."""
        for reason, names in self.left_out.items():
            if names:
                yield sentence(f"finding.{reason}", n=len(names), names=shown(names))
        if self.parts:
            yield sentence("finding.split-folders", names=", ".join(self.parts))
        if self.within:
            yield sentence("finding.inner-folders", name=self.within)
        if self.followed:
            yield sentence("finding.linked-folders", n=len(self.followed), names=shown(self.followed))

    def reasons(self) -> Iterator[tuple[str, str]]:
        """(name, reason) of each that is left out."""
        for reason, names in self.left_out.items():
            yield from ((name, REASONS[reason]) for name in names)

    def _is_picture(self, path: Path) -> bool:
        try:
            found = is_picture(path)
        except OSError:
            self.leave("not-opened", path)
            return False
        if not found:
            self.leave("not-pictures", path)
        return found

    def _is_new(self, link: Path) -> bool:
        """Whether a linked folder holds what is not read at another place: one in the folder is, and one around it."""
        real = os.path.realpath(link)
        inside, around = (os.path.commonpath([self._root, real]) == each for each in (self._root, real))
        nested = any(os.path.commonpath([real, each]) in (real, each) for each in self._linked)
        if inside or around or nested:
            self.leave("linked-twice", link)
            return False
        self._linked.add(real)
        self.followed.append(self.name(link))
        return True


def shown(names: list[str]) -> str:
    """The first names, and how many more there are."""
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" ... (+{more:,})" if more > 0 else "")
