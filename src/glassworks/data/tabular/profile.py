"""One pass over the bytes of a file: whether it can be read as it lies, line by line, however large it is."""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from pathlib import Path

import numpy as np

_CHUNK_BYTES = 8 * 2**20


@dataclass(frozen=True, kw_only=True)
class Profile:
    """`plain`: UTF-8 without zero bytes, in lines that end with a line feed. `quotes`: whether a mark is in it."""

    plain: bool
    quotes: bool = False


def profile_of(path: Path, quote: str | None) -> Profile:
    """Of a file; `quote` is the sign that encloses cells, as far as it is known. Raises OSError."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    signs = tuple(each.encode() for each in (('"', "'") if quote is None else (quote,)) if each)
    quotes, feeds, returns = False, False, False
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            try:
                decoder.decode(chunk)
            except UnicodeDecodeError:
                return Profile(plain=False)
            if b"\0" in chunk:
                return Profile(plain=False)
            quotes = quotes or any(each in chunk for each in signs)
            feeds, returns = feeds or b"\n" in chunk, returns or b"\r" in chunk
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return Profile(plain=False)
    return Profile(plain=feeds or not returns, quotes=quotes)


def is_even(path: Path, delimiter: str, width: int, first: int) -> bool:
    """Whether every line from `first` on (which counts from 0) is a record of so many cells, without blank ones."""
    sign, end = ord(delimiter), ord("\n")
    kept, seen = b"", 0
    with path.open("rb") as file:
        while True:
            chunk = file.read(_CHUNK_BYTES)
            block = kept + chunk if chunk else (kept + b"\n" if kept else b"")
            if not block:
                return True
            bytes_ = np.frombuffer(block, np.uint8)
            ends = np.flatnonzero(bytes_ == end)
            if not len(ends):
                kept = block
                continue
            cells = np.diff(np.searchsorted(np.flatnonzero(bytes_ == sign), ends), prepend=0) + 1
            if (cells[max(0, first - seen) :] != width).any():
                return False
            seen, kept = seen + len(ends), block[int(ends[-1]) + 1 :] if chunk else b""
