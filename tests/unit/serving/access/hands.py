"""A clock whose hands are turned by the tests."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from glassworks.serving.access.clock import Clock

NOON_S = datetime(2026, 1, 2, 12, tzinfo=UTC).timestamp()
DAY = "2026-01-02"


@dataclass
class Hands:
    """`clock` shows noon in UTC until time passes."""

    passed_s: float = 0.0

    @property
    def clock(self) -> Clock:
        return Clock(lambda: 100.0 + self.passed_s, lambda: NOON_S + self.passed_s)

    def turn(self, seconds: float) -> None:
        self.passed_s += seconds
