"""A quantile with an interval that holds for every distribution: its ends are two of the values themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

TAIL = 0.05
"""A bound is wrong at most this often, on each side."""


@dataclass(frozen=True)
class Bounded:
    """A measured value with bounds, each of which holds with 95 % probability: `low` is at most the true value, and
    `high` at least. An infinite one says that the data prove nothing on that side. `samples` says of how many."""

    value: float
    low: float
    high: float
    samples: int


def quantile(values: NDArray[Any], share: float, tail: float = TAIL) -> Bounded:
    """The quantile of independent `values` (N) with order statistics as bounds (David and Nagaraja 2003, section 7.1).

    Of N values the number below the true quantile is binomial with N and `share`: the k-th smallest is a lower bound
    where P(X < k) <= `tail`, and an upper one where P(X >= k) <= `tail`. 299 values are needed for an upper bound of
    the 99th percentile at 5 %.
    """
    import numpy as np
    from scipy.stats import binom

    ordered = np.sort(np.asarray(values, np.float64).ravel())
    n = len(ordered)
    # The largest k with P(X <= k - 1) <= tail, and the smallest with P(X <= k - 1) >= 1 - tail; k counts from 1.
    below = int(binom.ppf(tail, n, share))
    lower = below if binom.cdf(below, n, share) > tail else below + 1
    upper = int(binom.ppf(1 - tail, n, share)) + 1
    return Bounded(
        value=float(np.quantile(ordered, share)),
        low=float(ordered[lower - 1]) if lower >= 1 else float("-inf"),
        high=float(ordered[upper - 1]) if upper <= n else float("inf"),
        samples=n,
    )
