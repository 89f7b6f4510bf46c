"""Pictures by the names that a table gives them: in another case, with other folders before them, without a suffix."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path

from glassworks.data.picture_kinds import has_picture_name
from glassworks.errors import DataError

_SHOWN = 120
_MOST_COMPARED = 20_000
_WAYS = ("as it is", "without a suffix")


class PictureNames:
    """The picture files of a folder. `otherwise` has (given, found) of names that are not written as the files are."""

    def __init__(self, folder: Path, files: Sequence[Path]) -> None:
        self._folder = folder
        self._names = {path.relative_to(folder).as_posix(): path for path in files}
        self._whole: dict[str, list[str]] = {}
        self._ends: dict[str, list[str]] = {}
        for name in self._names:
            for number, end in enumerate(_ends(name)):
                self._ends.setdefault(end, []).append(name)
                if number < len(_WAYS):
                    self._whole.setdefault(end, []).append(name)
        self.otherwise: list[tuple[str, str]] = []

    def find(self, given: str, where: str) -> Path:
        """The picture of that name. Raises DataError, with the nearest name, where there is none or more than one."""
        plain = given.strip().replace("\\", "/")
        while plain.startswith("./"):
            plain = plain.removeprefix("./")
        if (path := self._names.get(plain)) is not None:
            return self._inside(path, given, where)
        # Folders are left out of the given name or of the file's, never of both: those are different pictures.
        for number, end in enumerate(_ends(plain)):
            found = (self._ends if number < len(_WAYS) else self._whole).get(end, [])
            if len(found) == 1:
                self.otherwise.append((given, found[0]))
                return self._inside(self._names[found[0]], given, where)
            if found:
                raise DataError(
                    f"{where}: '{given[:_SHOWN]}' may be any of {', '.join(found[:3])}",
                    f"name it as the file is, from {self._folder} on",
                )
        raise self._missing(given, plain, where)

    def has(self, given: str) -> bool:
        """Whether a picture is called so, on whatever folders and with whatever suffix."""
        *_, bare = _ends(given.strip().replace("\\", "/"))
        return bare in self._ends

    def _inside(self, path: Path, given: str, where: str) -> Path:
        if path.is_symlink() and not path.resolve().is_relative_to(self._folder.resolve()):
            raise _out(given, where, self._folder)
        return path

    def _missing(self, given: str, plain: str, where: str) -> DataError:
        if not plain or plain.startswith("/") or ".." in plain.split("/") or plain[1:2] == ":":
            return _out(given, where, self._folder)
        names = list(self._names)[:_MOST_COMPARED]
        near = difflib.get_close_matches(plain, names, 1, 0.7)
        like = f"; '{near[0]}' is the nearest name" if near else ""
        mend = "correct the name, " if near else ""
        return DataError(
            f"{where}: there is no picture '{given[:_SHOWN]}'{like}",
            f"{mend}put it into the folder, or take the line away",
        )


def _ends(name: str) -> Iterator[str]:
    """The name from each folder on, as it is and without a suffix; case and forms of Unicode aside."""
    parts = unicodedata.normalize("NFC", name).casefold().split("/")
    for begin in range(len(parts)):
        end = "/".join(parts[begin:])
        stem = end.rpartition(".")[0] if has_picture_name(end) else end
        # A sign that no name has: what has no suffix meets only what has lost one.
        yield from (end, f"{stem}\0")


def _out(given: str, where: str, folder: Path) -> DataError:
    return DataError(f"{where}: '{given[:_SHOWN]}' leads out of the folder", f"name pictures from {folder} on")
