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
