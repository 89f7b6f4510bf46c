"""One way to make an artifact faster or smaller."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from glassworks.contracts.records import Artifact, Opened, Precision, Tensors


class Pass(ABC):
    """Makes a faster or smaller artifact of another."""

    name: ClassVar[str]
    accepts: ClassVar[frozenset[str]]
    precision: ClassVar[Precision]
    after: ClassVar[str] = ""
    """The pass whose artifact it takes, where that is not the exported one."""
    needs: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def apply(self, opened: Opened, calibration: Sequence[Tensors]) -> Artifact:
        """Write the new artifact into the same folder and return its record.

        `calibration` are single examples of the training split as the graph takes them.
        """
