"""An opened model that computes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from glassworks.contracts.memory import Memory
    from glassworks.contracts.records import Array, Signature, Tensors


class Session(ABC):
    """An opened artifact. Thread-safe; holds no state between calls."""

    signature: Signature

    @abstractmethod
    def run(self, tensors: Tensors, outputs: Sequence[str] | None = None) -> dict[str, Array]:
        """Compute `outputs` (all when None) from the input tensors, keyed by name."""

    def remember(self, memory: Memory) -> None:  # noqa: B027 - most models take no feedback
        """Use this feedback for every answer from now on."""

    def close(self) -> None:  # noqa: B027 - most engines free themselves
        """Give the engine's memory back."""
