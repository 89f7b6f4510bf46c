"""Where data are."""

from __future__ import annotations

from typing import ClassVar

from glassworks.contracts.reader import Reader
from glassworks.locations import Naming


class Source(Reader):
    """Where data are, as SCHEME:WHAT; it derives from a reader for each kind of data that it reads."""

    name: ClassVar[str]
    """The scheme."""
    naming: ClassVar[Naming] = "path"
    """Whether `WHAT` is a path."""

    def reader(self, what: str) -> Reader:
        """What reads WHAT: this source, or what it finds by that name. Raises NotFound, MissingLibrary."""
        return self
