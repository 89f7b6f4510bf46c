"""A form of a bundle that others can use."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from pathlib import Path


class Exporter(ABC):
    """Writes a bundle in a form that others can use without Glassworks."""

    name: ClassVar[str]

    @abstractmethod
    def export(self, bundle: Path, folder: Path) -> tuple[Path, ...]:
        """Write into `folder` (new or empty) and return what was written."""
