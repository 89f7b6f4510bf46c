"""What a served model keeps of the feedback it receives."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


class Memory(ABC):
    """What people told a served model, kept durably; its sessions look there for each answer. Thread-safe.

    What another process writes into `file` is heeded too.
    """

    file: Path

    @abstractmethod
    def learn(self, body: Any) -> Mapping[str, int]:
        """Keep what was told (a JSON value), all or nothing; in counts. Raises InputError and StorageError."""

    @abstractmethod
    def close(self) -> None:
        """Close the file."""
