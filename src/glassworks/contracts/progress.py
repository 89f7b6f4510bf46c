"""What a long operation reports, and how it is cancelled, or ended early."""

from __future__ import annotations

from glassworks.errors import Cancelled


class Progress:
    """Receives what a long operation reports, and stops it at its next step once `cancel` was called.

    This one shows nothing. Whoever overrides `start` or `update` calls the original first: it checks.
    """

    _cancelled = _enough = False

    def cancel(self) -> None:
        """Ask the operation to stop, from any thread; what it has trained so far is kept."""
        self._cancelled = True

    @property
    def cancelled(self) -> bool:
        """Whether it was asked to stop."""
        return self._cancelled

    def suffice(self) -> None:
        """Ask training to end at its next step, from any thread; the next stage takes what it has learned."""
        self._enough = True

    @property
    def enough(self) -> bool:
        """Whether training is to end with what it has learned."""
        return self._enough

    def check(self) -> None:
        """To be called at every step of a long operation. Raises Cancelled."""
        if self.cancelled:
            raise Cancelled

    def start(self, stage: str, total: int | None = None) -> None:
        """A stage begins; `total` is its number of steps where it is known. Raises Cancelled."""
        self.check()

    def update(self, **values: float | str) -> None:
        """Values of the moment: `step`, `loss`, `accuracy`, `examples_per_s`, `left_s`, ... Raises Cancelled."""
        self.check()

    def finish(self, message: str = "") -> None:
        """The stage ended; never raises: what is done is done."""
