"""Progress for programs: nothing is shown."""

from __future__ import annotations

from glassworks.contracts import Progress


class Silent(Progress):
    """Reports nothing; for scripts and tests."""

    def start(self, stage: str, total: int | None = None) -> None:
        """Nothing to do."""

    def update(self, **values: float | str) -> None:
        """Nothing to do."""

    def finish(self, message: str = "") -> None:
        """Nothing to do."""
