"""Metrics from their values example by example, and differences of two versions on the same examples."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassworks.contracts import Difference, ExampleScores, Measurement
from glassworks.data.intervals import wilson

_RESAMPLES, _CELLS = 2000, 2**22
"""Of a bootstrap, and how many counts of examples are in memory."""
_TAIL = 0.025
Estimates = tuple[NDArray[np.float64], NDArray[np.float64]]
"""A statistic of some samples (B) and its standard error in each of them."""


def measured(scores: ExampleScores) -> Measurement | None:
    """The metric with its interval: Wilson's for a share, else the bootstrap's; None where it applies to nothing."""
    values, weights = _applying(scores)
    n = len(values)
    if not n or not weights.sum():
        return None
    value = float(_metric(values, weights, scores.exponential))
    if _binary(scores, values):
        interval = wilson(float(values.sum()), n)
    else:
        interval = _bootstrap(n, lambda counts: _metric(values, counts * weights, scores.exponential))
    return Measurement(
        value=value,
        interval=_around(value, interval),
        examples=n,
        higher_is_better=scores.higher_is_better,
    )


def paired(new: ExampleScores, old: ExampleScores) -> Difference | None:
    """The difference on the examples that both have, which stand in the same order. Its interval is that of Newcombe
    (1998, method 10) for shares, else that of the studentized bootstrap. None where no example is in both."""
    both = np.isfinite(new.values) & np.isfinite(old.values)
    (ours, weights), (theirs, others) = (_applying(each, both) for each in (new, old))
    if not len(ours) or not weights.sum() or not others.sum():
        return None
    own, other = float(_metric(ours, weights, new.exponential)), float(_metric(theirs, others, new.exponential))
    shares = _binary(new, ours) and _binary(old, theirs)

    def difference(counts: NDArray[np.float64]) -> Estimates:
        value, influence = _influences(ours, weights, counts, new.exponential)
        less, against = _influences(theirs, others, counts, new.exponential)
        return value - less, _standard_errors(influence - against, counts)

    low, high = newcombe(ours, theirs) if shares else _studentized(len(ours), difference)
    better, worse = _counts(ours - theirs, new.higher_is_better)
    return Difference(
        value=own - other,
        interval=(min(low, own - other), max(high, own - other)),
        other=other,
        examples=len(ours),
        higher_is_better=new.higher_is_better,
        paired=True,
        better=better,
        worse=worse,
        p_value=_sign_test(better, worse),
        exact=shares,
    )


def unpaired(new: Measurement, old: Measurement) -> Difference:
    """The difference of two metrics of which only the intervals are known (Zou and Donner 2008, "MOVER"): wider than
    that on the same examples would be.
    """
    value = new.value - old.value
    low = math.hypot(new.value - new.interval[0], old.interval[1] - old.value)
    high = math.hypot(new.interval[1] - new.value, old.value - old.interval[0])
    return Difference(
        value=value,
        interval=(value - low, value + high),
        other=old.value,
        examples=min(new.examples, old.examples),
        higher_is_better=new.higher_is_better,
    )


def newcombe(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> tuple[float, float]:
    """The 95 % interval of the difference of two shares of the same examples, values 0 and 1 (N)."""
    n = len(ours)
    both, neither = float((ours * theirs).sum()), float(((1 - ours) * (1 - theirs)).sum())
    up, down = float((ours > theirs).sum()), float((ours < theirs).sum())
    share, other = (both + up) / n, (both + down) / n
    (low, high), (low2, high2) = wilson(both + up, n), wilson(both + down, n)
    product = (both + up) * (down + neither) * (both + down) * (up + neither)
    surplus = both * neither - up * down
    surplus = surplus if surplus < 0 else max(surplus - n / 2, 0.0)
    phi = surplus / math.sqrt(product) if product else 0.0

    def half(one: float, two: float) -> float:
        return math.sqrt(max(one**2 - 2 * phi * one * two + two**2, 0.0))

    value = share - other
    return value - half(share - low, high2 - other), value + half(high - share, other - low2)


def _applying(
    scores: ExampleScores, some: NDArray[np.bool_] | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Values and weights of those examples, else of all that the metric applies to."""
    some = np.isfinite(scores.values) if some is None else some
    values = np.asarray(scores.values[some], np.float64)
    return values, np.ones_like(values) if scores.weights is None else np.asarray(scores.weights[some], np.float64)


def _metric(values: NDArray[Any], weights: NDArray[Any], exponential: bool) -> NDArray[np.float64]:
    """Of values (N) by each row of weights (B N)."""
    means = weights @ values / np.maximum(weights.sum(axis=-1), np.finfo(float).tiny)
    return np.asarray(np.exp(means) if exponential else means, np.float64)


def _binary(scores: ExampleScores, values: NDArray[np.float64]) -> bool:
    return scores.weights is None and not scores.exponential and bool(np.isin(values, (0, 1)).all())


def _bootstrap(n: int, metric: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> tuple[float, float]:
    """The percentiles of resampled metrics, expanded for few examples as Student's interval is (Hesterberg 2015).

    `metric` takes how often each example was drawn (B N).
    """
    from scipy.stats import norm, t

    tail = float(norm.cdf(math.sqrt(n / (n - 1)) * t.ppf(_TAIL, n - 1))) if n > 1 else 0.0
    low, high = np.quantile(np.concatenate([metric(counts) for counts in _resamples(n)]), (tail, 1 - tail))
    return float(low), float(high)


def _studentized(n: int, estimate: Callable[[NDArray[np.float64]], Estimates]) -> tuple[float, float]:
    """Of the equal-tailed and the symmetric interval of the studentized bootstrap (Efron 1981; Hall 1988) the farther
    end on each side: alone, the one misses the truth too often on the long side of few skewed examples, the other where
    most examples do not differ.

    `estimate` takes how often each example was drawn (B N). A resample's error is its own but for a share 1 / n, which
    is that of the sample: where nearly all that was drawn is alike, it would be next to nothing.
    """
    (value,), (error,) = estimate(np.ones((1, n)))
    if n < 2 or not error:
        return float(value), float(value)
    some = [estimate(counts) for counts in _resamples(n)]
    values, errors = (np.concatenate([each[index] for each in some]) for index in (0, 1))
    steps = (values - value) / np.sqrt((1 - 1 / n) * errors**2 + error**2 / n)
    low, high = np.quantile(steps, (_TAIL, 1 - _TAIL))
    both = float(np.quantile(np.abs(steps), 1 - 2 * _TAIL))
    return float(value - max(high, both) * error), float(value + max(-low, both) * error)


def _resamples(n: int) -> Iterator[NDArray[np.float64]]:
    """How often each of the examples is drawn (B N), in parts that fit into memory; the same each time."""
    random, rows = np.random.default_rng(0), max(1, min(_RESAMPLES, _CELLS // n))
    for start in range(0, _RESAMPLES, rows):
        size = min(rows, _RESAMPLES - start)
        yield random.multinomial(n, np.full(n, 1 / n), size=size).astype(np.float64)


def _influences(
    values: NDArray[np.float64], weights: NDArray[np.float64], counts: NDArray[np.float64], exponential: bool
) -> Estimates:
    """The metric (B) of examples that were drawn so often (B N), and by how much each example moves it (B N)."""
    total = np.maximum(counts @ weights, np.finfo(float).tiny)
    means = counts @ (weights * values) / total
    metric = np.exp(means) if exponential else means
    slope = (metric if exponential else 1.0) * len(values) / total
    return metric, slope[:, None] * weights * (values - means[:, None])


def _standard_errors(influences: NDArray[np.float64], counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """(B) by the delta method."""
    n = influences.shape[1]
    return np.asarray(np.sqrt((counts * influences**2).sum(axis=1) / max(n * (n - 1), 1)), np.float64)


def _around(value: float, interval: tuple[float, float]) -> tuple[float, float]:
    """Rounding must not leave the value out."""
    return min(interval[0], value), max(interval[1], value)


def _counts(differences: NDArray[np.float64], higher_is_better: bool) -> tuple[int, int]:
    """How many are better, and worse."""
    rises = differences if higher_is_better else -differences
    return int((rises > 0).sum()), int((rises < 0).sum())


def _sign_test(better: int, worse: int) -> float:
    from scipy.stats import binomtest

    return float(binomtest(better, better + worse).pvalue) if better + worse else 1.0
