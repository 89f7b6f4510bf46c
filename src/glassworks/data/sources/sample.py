"""`sample:NAME`: a data set that ships in an installed package."""

from __future__ import annotations

from typing import ClassVar

from glassworks.catalog import found, get
from glassworks.contracts import Reader, Sample, Source
from glassworks.locations import Naming


class Packaged(Source):
    """A data set that ships in an installed package, by its name."""

    name: ClassVar[str] = "sample"
    naming: ClassVar[Naming] = "name"

    def kinds(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(kind for sample in found(Sample).values() for kind in sample.kinds()))

    def reader(self, what: str) -> Reader:
        return get(Sample, what)
