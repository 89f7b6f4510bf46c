"""What one key may still do: a token bucket for its rate and counters for its day."""

from __future__ import annotations

import math

from glassworks.errors import LimitExceeded
from glassworks.serving.access.clock import Day, day_text
from glassworks.serving.access.keys import Key


class Allowance:
    """The changing side of a key's limits; it counts what was admitted, and what is refused costs nothing.

    The bucket holds at most `max(1, 2 * requests_per_s)` requests, is full at first and fills at `requests_per_s`.
    A day begins at midnight in UTC, and only goes forward. Times are arguments: monotonic seconds for the bucket,
    seconds since 1970 for the day.
    """

    __slots__ = ("_burst", "_day", "_filled_s", "_key", "_level", "_rate", "requests", "rows")

    def __init__(self, key: Key, monotonic_s: float) -> None:
        self._key, self._rate = key, key.requests_per_s
        self._burst = self._level = max(1.0, 2.0 * (self._rate or 0.0))
        self._filled_s, self._day = monotonic_s, Day()
        self.requests = self.rows = 0

    def start(self, day: int, monotonic_s: float, requests: int, rows: int) -> None:
        """Begin a day with what was used of it before this process."""
        self._day.start(day, monotonic_s)
        self.requests, self.rows = requests, rows

    def take(self, rows: int, monotonic_s: float, wall_s: float) -> None:
        """Admit one request of `rows` rows. Raises LimitExceeded with the time after which it would be admitted."""
        self.expect(rows, monotonic_s, wall_s)
        self._level -= 1.0
        self.requests += 1
        self.rows += rows

    def give_back(self, rows: int) -> None:
        """Count a request that was admitted as none of the day."""
        self.requests, self.rows = max(0, self.requests - 1), max(0, self.rows - rows)

    def expect(self, rows: int, monotonic_s: float, wall_s: float) -> None:
        """Raise what `take` would raise, and count nothing."""
        rate = self._rate
        if rate is not None:
            # A clock that was read out of order must not empty the bucket.
            passed_s = max(0.0, monotonic_s - self._filled_s)
            self._level = min(self._burst, self._level + passed_s * rate)
            self._filled_s += passed_s
            if self._level < 1.0:
                raise self._too_fast(rate)
        if self._day.turn(wall_s, monotonic_s):
            self.requests = self.rows = 0
        key = self._key
        if key.requests_per_day is not None and self.requests >= key.requests_per_day:
            wait_s = self._day.left_s(wall_s, monotonic_s)
            raise self._spent(wait_s, f"{key.requests_per_day} requests", "ask again tomorrow")
        if key.rows_per_day is not None and self.rows + rows > key.rows_per_day:
            wait_s = self._day.left_s(wall_s, monotonic_s)
            raise self._spent(wait_s, f"{key.rows_per_day} rows", self._fewer_rows(key.rows_per_day))

    def _too_fast(self, rate: float) -> LimitExceeded:
        wait_s = max(1, math.ceil((1.0 - self._level) / rate))
        return LimitExceeded(
            f"the key '{self._key.name}' may send {rate:g} requests a second",
            f"try again in {wait_s} s, or ask for a key with a higher rate",
            wait_s,
        )

    def _fewer_rows(self, rows_per_day: int) -> str:
        left = rows_per_day - self.rows
        return f"send at most {left} rows more today" if left else "send further rows tomorrow"

    def _spent(self, left_s: float, quota: str, mend: str) -> LimitExceeded:
        wait_s = max(1, math.ceil(left_s))
        return LimitExceeded(
            f"the key '{self._key.name}' may send {quota} a day; on {day_text(self._day.number)} (UTC) it has sent "
            f"{self.requests} requests with {self.rows} rows",
            f"{mend}, which begins in {wait_s} s, or ask for a key with a larger quota",
            wait_s,
        )
