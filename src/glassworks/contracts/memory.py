"""Where the feedback on a model is kept."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


class Memory(ABC):
    """Feedback on a model, kept durably; its sessions read it for each answer. Thread-safe.

    What another process writes into `file` counts at once.
    """

    file: Path

    @abstractmethod
    def learn(self, body: Any) -> Mapping[str, int]:
        """Keep the events of a JSON body, all or none; counts. Raises InputError and StorageError."""

    @abstractmethod
    def close(self) -> None:
        """Close the file."""
