"""Intervals of measured shares."""

from __future__ import annotations

import math

Z = 1.959963984540054
"""Of the normal distribution, 95 % lie within this many standard deviations."""


def wilson(hits: float, n: int) -> tuple[float, float]:
    """The 95 % score interval of a share (Wilson 1927), which holds for few examples and near 0 and 1."""
    share = hits / n
    center = (share + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z / (1 + Z**2 / n) * math.sqrt(share * (1 - share) / n + Z**2 / (4 * n**2))
    # At 0 and 1 the bound is the share itself, which rounding may miss.
    return min(max(0.0, center - half), share), max(min(1.0, center + half), share)
