"""The texts in a folder and below it: plain ones, pages of HTML, and the rows of tables. Nothing is left out without a
word, and nothing outside the folder is read."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from glassworks.data.encodings import codec_of, decode
from glassworks.data.picture_kinds import is_system
from glassworks.data.picture_walk import shown
from glassworks.data.text.html_text import declared_encoding, text_of_html
from glassworks.data.text.reader import Columns, Row, Rows, TextReader
from glassworks.errors import DataError, GlassworksError
from glassworks.sentences import Sentence, sentence

PLAIN = frozenset({"", ".txt", ".text", ".md", ".markdown", ".rst"})
PAGES = frozenset({".html", ".htm", ".xhtml"})
TABLES = {".csv": "csv", ".tsv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
MOST_BYTES, MOST_FILES = 32 * 2**20, 100_000
_MANY = 2**33
"""Bytes of all files together."""
_REASONS = ("texts-unreadable", "texts-too-large", "texts-in-pdf", "no-texts", "links-left-out", "system-files")


class TextFolder:
    """One look through a folder: links are not followed, and hidden files are not read."""

    def __init__(self, folder: Path, columns: Columns) -> None:
        self.folder, self.columns = folder, columns
        self._left_out: dict[str, list[str]] = {reason: [] for reason in _REASONS}
        self._findings: list[Sentence] = []

    def rows(self) -> Rows:
        """A row for each file that is one text, and for each row of a table. Raises DataError."""
        files = self._files()
        rows = [row for path in files for row in self._read(path)]
        return Rows(rows, (*self._findings, *self._said()))

    def _files(self) -> list[Path]:
        """Regular files with a known ending, in the order of their names. Raises DataError where there are too many."""
        found, total = list[Path](), 0
        for entry in _walked(self.folder):
            path = Path(entry.path)
            if entry.is_symlink():
                self._leave("links-left-out", path)
            elif not entry.is_dir() and self._is_read(entry, path):
                total += entry.stat(follow_symlinks=False).st_size
                found.append(path)
            elif is_system(entry.name):
                self._leave("system-files", path)
            if len(found) > MOST_FILES or total > _MANY:
                raise DataError(
                    f"{self.folder} holds more than {MOST_FILES:,} texts, or than {_MANY // 2**30} GiB of them",
                    "make an index of each of its folders",
                )
        return sorted(found)

    def _is_read(self, entry: os.DirEntry[str], path: Path) -> bool:
        about, ending = entry.stat(follow_symlinks=False), path.suffix.lower()
        if is_system(entry.name):
            return False
        if ending == ".pdf":
            self._leave("texts-in-pdf", path)
        elif not stat.S_ISREG(about.st_mode) or ending not in PLAIN | PAGES | TABLES.keys():
            self._leave("no-texts", path)
        elif about.st_size > MOST_BYTES:
            self._leave("texts-too-large", path)
        else:
            return True
        return False

    def _read(self, path: Path) -> Iterator[Row]:
        name = self._name(path)
        try:
            if kind := TABLES.get(path.suffix.lower()):
                for row in self._table(kind, path):
                    yield row._replace(name=f"{name}, {row.name.rpartition(', ')[2]}")
            else:
                yield Row(name, self._text(path))
        except (OSError, GlassworksError) as error:
            reason = error.problem if isinstance(error, GlassworksError) else error.strerror
            self._left_out["texts-unreadable"].append(f"{name} ({str(reason).replace(str(path), 'it')[:120]})")

    def _table(self, kind: str, path: Path) -> Rows:
        from glassworks.data.kinds import reader_of

        reader, what = reader_of(f"{kind}:{path}", TextReader)
        return Rows(list(reader.texts(what, self.columns.of_one_file())))

    def _text(self, path: Path) -> str:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)  # what is a link now was none before
        with os.fdopen(file, "rb") as opened:
            content = opened.read(MOST_BYTES + 1)
        encoding = self.columns.form.encoding
        if path.suffix.lower() not in PAGES:
            return decode(content, str(path), encoding).text
        return text_of_html(decode(content, str(path), encoding or _known(declared_encoding(content))).text)

    def _leave(self, reason: str, path: Path) -> None:
        self._left_out[reason].append(self._name(path))

    def _name(self, path: Path) -> str:
        return path.relative_to(self.folder).as_posix()

    def _said(self) -> Iterator[Sentence]:
        for reason, names in self._left_out.items():
            if names:
                yield sentence(f"finding.{reason}", n=len(names), names=shown(names))


def _walked(folder: Path) -> Iterator[os.DirEntry[str]]:
    """Everything below a folder; hidden folders and those that cannot be listed are passed by. Raises DataError where
    the folder itself cannot be."""
    left = [str(folder)]
    while left:
        here = left.pop()
        try:
            with os.scandir(here) as found:
                entries = sorted(found, key=lambda each: each.name)
        except OSError as error:
            if here != str(folder):
                continue
            raise DataError(
                f"cannot list {folder}: {error.strerror}", "give a folder that exists and is readable"
            ) from None
        yield from entries
        left += [each.path for each in reversed(entries) if each.is_dir(follow_symlinks=False) and each.name[0] != "."]


def _known(encoding: str) -> str:
    """The encoding, where there is one of that name."""
    try:
        return codec_of(encoding) if encoding else ""
    except DataError:
        return ""
