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
    """The day in UTC that usage counts for. It only goes forward: a clock that is set back over midnight begins no new
    one, until this one has lasted for a whole day of time that really passed.
    """

    __slots__ = ("_begun_s", "number")

    def __init__(self) -> None:
        self.number, self._begun_s = -1, 0.0

    def turn(self, wall_s: float, monotonic_s: float) -> bool:
        """Look at both clocks; whether another day has begun."""
        number = int(wall_s // DAY_S)
        if number == self.number or (number < self.number and monotonic_s - self._begun_s < DAY_S):
            return False
        self.number, self._begun_s = number, monotonic_s
        return True

    def start(self, number: int, monotonic_s: float) -> None:
        """Begin with a day that is known from before."""
        self.number, self._begun_s = number, monotonic_s

    def left_s(self, wall_s: float, monotonic_s: float) -> float:
        """How long it still lasts."""
        to_midnight = (self.number + 1) * DAY_S - wall_s
        return min(to_midnight, DAY_S - monotonic_s + self._begun_s) if to_midnight > DAY_S else to_midnight
