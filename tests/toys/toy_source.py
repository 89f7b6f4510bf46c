"""`toy:COUNT`: so many texts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from glassworks.contracts import Source
from glassworks.data.text.reader import Columns, Row, TextReader
from glassworks.locations import Naming


class ToySource(Source, TextReader):
    """So many texts of four numbers, labelled by their sum."""

    name: ClassVar[str] = "toy"
    naming: ClassVar[Naming] = "name"

    def texts(self, what: str, columns: Columns) -> Iterator[Row]:
        generator = np.random.default_rng(0)
        for row in range(int(what)):
            base = 10_000 if row % 2 else 90_000
            numbers = generator.integers(base, base + 9999, 4)
            yield Row(f"row {row}", " ".join(map(str, numbers)), "low" if row % 2 else "high")
