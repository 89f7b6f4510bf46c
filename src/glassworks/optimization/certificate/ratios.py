"""Times of two models that took turns, compared: noise of the machine met both, and must not count twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from glassworks.optimization.certificate.quantiles import TAIL, Bounded

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Statistic = Callable[[NDArray[np.float64]], float]

_RESAMPLES = 1000
_WINDOWS = 50


def ratio(
    ours: NDArray[Any], theirs: NDArray[Any], statistic: Statistic, windows: int = _WINDOWS, seed: int = 0
) -> Bounded:
    """The ratio of a statistic of two series in the order of time, `ours` (N) and `theirs` (M).

    A moving machine makes neighbors alike, so whole windows of time are drawn, of both series together: the block
    bootstrap of Carlstein (1986). With fewer than two windows nothing is proven.
    """
    import numpy as np

    one, two = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
    value = statistic(one) / statistic(two)
    windows = min(windows, len(one) // 2, len(two) // 2)
    if windows < 2:
        return Bounded(value, float("-inf"), float("inf"), len(one) + len(two))
    generator, found = np.random.default_rng(seed), np.empty(_RESAMPLES)
    first, second = np.array_split(one, windows), np.array_split(two, windows)
    for index, drawn in enumerate(generator.integers(windows, size=(_RESAMPLES, windows))):
        taken = [np.concatenate([parts[each] for each in drawn]) for parts in (first, second)]
        found[index] = statistic(taken[0]) / statistic(taken[1])
    low, high = np.quantile(found, (TAIL, 1 - TAIL))
    return Bounded(value, min(float(low), value), max(float(high), value), len(one) + len(two))


def mean(values: NDArray[Any], windows: int = _WINDOWS, seed: int = 0) -> Bounded:
    """The mean of one series in the order of time, with the bounds of the same bootstrap."""
    import numpy as np

    series = np.asarray(values, np.float64)
    value, windows = float(series.mean()), min(windows, len(series) // 2)
    if windows < 2:
        return Bounded(value, float("-inf"), float("inf"), len(series))
    parts = np.array_split(series, windows)
    sums, counts = np.array([part.sum() for part in parts]), np.array([len(part) for part in parts])
    drawn = np.random.default_rng(seed).integers(windows, size=(_RESAMPLES, windows))
    low, high = np.quantile(sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1), (TAIL, 1 - TAIL))
    return Bounded(value, min(float(low), value), max(float(high), value), len(series))
