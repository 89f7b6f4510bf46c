"""What a long operation reports."""

from __future__ import annotations

from abc import ABC, abstractmethod


class Progress(ABC):
    """Receives what a long operation reports; never decides anything."""

    @abstractmethod
    def start(self, stage: str, total: int | None = None) -> None:
        """A stage begins; `total` is its number of steps where it is known."""

    @abstractmethod
    def update(self, **values: float | str) -> None:
        """Values of the moment: `step`, `loss`, `accuracy`, `examples_per_s`, `left_s`, ..."""

    @abstractmethod
    def finish(self, message: str = "") -> None:
        """The stage ended."""
