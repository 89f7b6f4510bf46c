"""Names of results: one for each input, and no two the same."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from itertools import count
from pathlib import Path


def output_names(files: Sequence[Path], suffix: str) -> list[Path]:
    """Where the result of each file goes: `page.png` of `page.jpg`; `page.jpg.png` and `page.tif.png` where there is
    `page.tif` as well. No two are the same, where systems ignore case or have accents in another form neither."""
    short = [file.with_suffix(suffix) for file in files]
    wanted = Counter(map(_key, short))
    taken = {key for key, times in wanted.items() if times == 1}
    names: list[Path] = []
    for file, name in zip(files, short, strict=True):
        if wanted[_key(name)] > 1:
            longer = (file.with_name(f"{file.name}{f'-{each}' if each > 1 else ''}{suffix}") for each in count(1))
            name = next(each for each in longer if _key(each) not in taken)
            taken.add(_key(name))
        names.append(name)
    return names


def _key(path: Path) -> str:
    return unicodedata.normalize("NFC", str(path)).casefold()
