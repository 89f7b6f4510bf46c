"""Data that ship in packages."""

from __future__ import annotations

from typing import ClassVar

from glassworks.contracts.reader import Reader


class Sample(Reader):
    """A data set that ships in an installed package, read as `sample:NAME`; it derives from a reader of its kind."""

    name: ClassVar[str]
    needs: ClassVar[tuple[str, ...]] = ()
    extra: ClassVar[str] = "samples"
    """Of this project, the extra that installs what it needs."""
