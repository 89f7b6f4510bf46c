"""95 % intervals of metrics."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Z = 1.959963984540054
"""The two-sided 95 % quantile of the normal distribution."""


def wilson(successes: int, trials: int) -> tuple[float, float]:
    """Wilson's score interval of a proportion (Wilson 1927); sound also near 0 and 1."""
    if trials == 0:
        return 0.0, 1.0
    share, square = successes / trials, Z * Z
    middle = (share + square / (2 * trials)) / (1 + square / trials)
    half = Z / (1 + square / trials) * math.sqrt(share * (1 - share) / trials + square / (4 * trials * trials))
    return max(0.0, middle - half), min(1.0, middle + half)


def mean_interval(values: NDArray[np.float64]) -> tuple[float, float]:
    """The normal interval of a mean."""
    count = len(values)
    half = Z * float(values.std(ddof=1)) / math.sqrt(count) if count > 1 else math.inf
    mean = float(values.mean())
    return mean - half, mean + half
