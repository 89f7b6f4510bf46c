"""`sample:toy-sample`: one text of each label."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from glassworks.contracts import Sample
from glassworks.data.text.reader import Columns, Row, TextReader


class ToySample(Sample, TextReader):
    """Two texts of four numbers."""

    name: ClassVar[str] = "toy-sample"

    def texts(self, what: str, columns: Columns) -> Iterator[Row]:
        yield Row("first", "10001 10002 10003 10004", "low")
        yield Row("second", "90005 90006 90007 90008", "high")
