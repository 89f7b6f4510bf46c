"""Vectors of words that others have learned, read from word2vec's binary file; only data, and read with suspicion.

The file: a line `N D`, then N times a word, a blank and D little-endian float32; some writers end each with a newline.
"""

from __future__ import annotations

import hashlib
import mmap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from glassworks.data.installed import installed
from glassworks.errors import ConfigError, DataError

_LONGEST_HEADER, _LONGEST_WORD = 64, 1024
_WIDEST = 4096


@dataclass(frozen=True, kw_only=True)
class WordVectors:
    """Where the vector of each word begins in the file; `width` values each."""

    path: Path
    sha256: str
    width: int
    offsets: Mapping[str, int]

    def of(self, tokens: Sequence[str]) -> NDArray[np.float32]:
        """Vectors (tokens x width); a token that is no word here has the mean of its characters'.

        What has neither stays zero. Raises DataError for numbers that are none.
        """
        found = np.zeros((len(tokens), self.width), np.float32)
        with self.path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            for number, token in enumerate(tokens):
                word = token.strip()
                names = [word] if word in self.offsets else [sign for sign in word if sign in self.offsets]
                if names:
                    found[number] = np.mean([_row(content, self.offsets[name], self.width) for name in names], axis=0)
        if not np.isfinite(found).all():
            raise DataError(f"{self.path}: a vector is not finite", "give vectors of finite numbers")
        return found


def read_word_vectors(source: str) -> WordVectors:
    """The vectors that `source` names: `file:PATH` or `package:LIBRARY/FILE`. Raises ConfigError, DataError."""
    path = _path(source)
    try:
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            if not path.stat().st_size:
                raise _wrong(path, "it is empty")
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                width, offsets = _offsets(path, content)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}", "give a file of word vectors") from None
    return WordVectors(path=path, sha256=sha256, width=width, offsets=offsets)


def _path(source: str) -> Path:
    scheme, _, rest = source.partition(":")
    if scheme == "file" and rest:
        return Path(rest).expanduser()
    library, _, inner = rest.partition("/")
    if scheme == "package" and inner:
        return installed(library, inner)
    raise ConfigError(f"'model.vectors' is '{source}'", "write file:PATH or package:LIBRARY/FILE")


def _offsets(path: Path, content: mmap.mmap) -> tuple[int, dict[str, int]]:
    """The width, and where each word's vector begins; of a word that stands twice, the first."""
    count, width, offset = _header(path, content)
    # Nothing is reserved for what a header promises: the file must be large enough for it.
    if count * (2 + 4 * width) > len(content) - offset:
        raise _wrong(path, f"it is cut short: {len(content):,} bytes cannot hold {count:,} words of {width} values")
    offsets: dict[str, int] = {}
    for number in range(count):
        blank = content.find(b" ", offset, offset + _LONGEST_WORD)
        if blank < 0:
            raise _wrong(path, f"behind word {number:,} of {count:,} there is no further word")
        if blank + 1 + 4 * width > len(content):
            raise _wrong(path, f"it is cut short within word {number + 1:,} of {count:,}")
        # Writers cut words at a number of bytes: such a word is no word, and stands in no text.
        word = content[offset:blank].decode("utf-8", errors="replace").strip()
        offsets.setdefault(word, blank + 1)
        offset = blank + 1 + 4 * width
    if content[offset:].strip():
        raise _wrong(path, f"{len(content) - offset:,} bytes stand behind the {count:,} words of its first line")
    return width, offsets


def _header(path: Path, content: mmap.mmap) -> tuple[int, int, int]:
    line, newline, _ = content[:_LONGEST_HEADER].partition(b"\n")
    parts = line.split()
    if not newline or len(parts) != 2 or not all(part.isdigit() for part in parts):
        raise _wrong(path, "its first line is not two numbers")
    count, width = map(int, parts)
    if not count or not 1 <= width <= _WIDEST:
        raise _wrong(path, f"its first line says {count} words of {width} values; of 1 to {_WIDEST:,} values are read")
    return count, width, len(line) + 1


def _row(content: mmap.mmap, offset: int, width: int) -> NDArray[np.float32]:
    # A copy: an array on the mapping itself would keep it from being closed.
    return np.frombuffer(content[offset : offset + 4 * width], "<f4")


def _wrong(path: Path, problem: str) -> DataError:
    return DataError(
        f"{path} holds no word vectors: {problem}",
        "give word2vec's binary form: a line 'WORDS VALUES', then each word, a blank and its float32 values",
    )
