"""Learning-rate schedules: functions from progress (0..1) to a factor of the peak rate."""

from __future__ import annotations

import math
from collections.abc import Callable

Schedule = Callable[[float], float]


def constant(progress: float) -> float:
    """The peak rate throughout."""
    return 1.0


def one_cycle(warm_up: float = 0.25, start: float = 0.1, end: float = 0.0) -> Schedule:
    """Linear up to the peak at `warm_up`, then linear down to `end` (Smith and Topin 2018, section 3)."""

    def factor(progress: float) -> float:
        if progress < warm_up:
            return start + (1 - start) * progress / warm_up
        return end + (1 - end) * max(0.0, 1 - progress) / (1 - warm_up)

    return factor


def cosine(warm_up: float = 0.1, start: float = 0.1, end: float = 0.0) -> Schedule:
    """Linear warm-up, then half a cosine down to `end` (Loshchilov and Hutter 2017, equation 5)."""

    def factor(progress: float) -> float:
        if progress < warm_up:
            return start + (1 - start) * progress / warm_up
        along = min(1.0, (progress - warm_up) / (1 - warm_up))
        return end + (1 - end) * 0.5 * (1 + math.cos(math.pi * along))

    return factor
