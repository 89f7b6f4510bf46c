"""The two clocks of access control, as one argument: tests turn them by hand."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Clock:
    """`monotonic` measures time that passes; `wall` is the time of day, in seconds since 1970 in UTC."""

    monotonic: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time

    def now(self) -> datetime:
        """The time of day."""
        return datetime.fromtimestamp(self.wall(), UTC)


def day_number(wall_s: float) -> int:
    """The day in UTC that a time belongs to, counted from 1970."""
    return int(wall_s // DAY_S)


def day_text(number: int) -> str:
    """Such a day as `YYYY-MM-DD`."""
    return datetime.fromtimestamp(number * DAY_S, UTC).date().isoformat()


class Day:
    """The day in UTC that usage counts for. A clock that reaches a day for the first time begins it. One that is set
    back over midnight, or forward again, begins another only when this one has lasted for a whole day of time that
    really passed.
    """

    __slots__ = ("_begun_s", "_latest", "number")

    def __init__(self) -> None:
        self.number = self._latest = -1
        self._begun_s = 0.0

    def turn(self, wall_s: float, monotonic_s: float) -> bool:
        """Look at both clocks; whether another day has begun."""
        number = day_number(wall_s)
        if number == self.number or (number <= self._latest and self._lasts_s(monotonic_s) > 0):
            return False
        self.number, self._latest, self._begun_s = number, max(number, self._latest), monotonic_s
        return True

    def start(self, number: int, monotonic_s: float) -> None:
        """Begin with a day that is known from before."""
        self.number, self._latest, self._begun_s = number, max(number, self._latest), monotonic_s

    def left_s(self, wall_s: float, monotonic_s: float) -> float:
        """How long it still lasts."""
        to_new_day = (self._latest + 1) * DAY_S - wall_s
        if self.number == self._latest and to_new_day <= DAY_S:
            return to_new_day
        to_midnight = DAY_S - wall_s % DAY_S if day_number(wall_s) == self.number else 0.0
        return min(to_new_day, max(to_midnight, self._lasts_s(monotonic_s)))

    def _lasts_s(self, monotonic_s: float) -> float:
        """What is left of a whole day since it began."""
        return DAY_S - (monotonic_s - self._begun_s)
