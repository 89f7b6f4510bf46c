"""What answers that are under way hold of their key's budgets; all of it is given back, however they end."""

from __future__ import annotations

from glassworks.serving.access.clock import Clock
from glassworks.serving.access.limits import Allowance


class Streams:
    """So many answers of one request may be under way at the same time. Without an allowance, all that were wanted."""

    def __init__(self, allowance: Allowance | None, wanted: int) -> None:
        """Raises LimitExceeded where not even one may be."""
        self._allowance = allowance
        self.count = wanted if allowance is None else allowance.begin_streams(wanted)
        self._taken = self.count

    def close(self) -> None:
        """None of them is any longer."""
        if self._allowance is not None:
            self._allowance.streams -= self._taken
        self._taken = 0


class Tokens:
    """What one answer may use and has used. Without an allowance nothing is limited."""

    def __init__(self, allowance: Allowance | None, clock: Clock) -> None:
        self._allowance, self._clock, self._reserved = allowance, clock, 0

    def reserve(self, prompt: int, answer: int) -> None:
        """Set aside all that may be used, once. Raises InputError, and LimitExceeded where the day has not so many."""
        if self._allowance is not None:
            self._allowance.reserve(prompt, answer, self._clock.monotonic(), self._clock.wall())
            self._reserved = prompt + answer

    def use(self, tokens: int) -> None:
        """So many more were used."""
        if self._allowance is not None:
            self._allowance.turn(self._clock.monotonic(), self._clock.wall())
            self._allowance.tokens += tokens
            self._release(min(tokens, self._reserved))

    def close(self) -> None:
        """Give back what was not used."""
        self._release(self._reserved)

    def _release(self, tokens: int) -> None:
        if self._allowance is not None:
            self._allowance.reserved -= tokens
        self._reserved -= tokens
