"""Files of 16 bits a channel that do not say how many of them are used: measured over all of a data set."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from glassworks.data.collection import in_threads
from glassworks.data.picture_kinds import HEAD, kind_of_file
from glassworks.data.picture_walk import shown
from glassworks.data.pictures import unsaid_bits
from glassworks.errors import InputError
from glassworks.sentences import Sentence, sentence

_DEPTHS = (8, 10, 12, 14, 16)
_DARK = 2
"""Bits that a picture leaves empty when it is dark, or was written with fewer: it uses a quarter of the range."""


def said_bits(files: Sequence[Path], bits: int) -> tuple[int, tuple[Sentence, ...]]:
    """How many bits are used, `bits` unless that is 0, and what is to be told of it; 0 where no file leaves it open.

    The fewest of 8, 10, 12, 14 and 16 that hold the highest value of all such files.
    """
    if bits:
        return bits, ()
    found = [0] * len(files)

    def measure(index: int) -> None:
        try:
            found[index] = _bits(files[index])
        except (InputError, OSError):  # it is named when it is decoded
            found[index] = 0

    in_threads(measure, len(files))
    most = max(found, default=0)
    if not most:
        return 0, ()
    depth = next(each for each in _DEPTHS if most <= each)
    count = sum(map(bool, found))
    notes = [sentence("finding.bits-used", n=count, bits=depth)] if depth < 16 else []
    few = [path.name for path, each in zip(files, found, strict=True) if 0 < each <= depth - _DARK]
    if few:
        notes.append(sentence("finding.bits-mixed", n=len(few), total=count, bits=depth, names=shown(few)))
    return depth, tuple(notes)


def _bits(path: Path) -> int:
    with path.open("rb") as file:
        head = file.read(HEAD)
        kind = kind_of_file(head)
        if not (kind == "TIFF" or (kind == "PNG" and head[24:25] == b"\x10")):
            return 0
        return unsaid_bits(head + file.read())
