"""How good ranked lists are, over all items and never a sample of them; each figure with its bootstrap interval.

Relevance is binary. NDCG (Järvelin and Kekäläinen 2002) has the ideal of min(k, targets) hits at the top; recall
divides by all targets, MAP by min(k, targets).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassworks.contracts import Measurement
from glassworks.errors import DataError

K, K_RECALL = 10, 20
FEW_USERS = 200
"""Below so many users intervals are so wide that few differences can be seen."""
_RESAMPLES, _SEED = 2000, 0


def measure_lists(lists: Sequence[Sequence[Any]], targets: Sequence[Sequence[Any]]) -> dict[str, Measurement]:
    """NDCG, MAP and hit rate at 10 and recall at 20 of lists, best first. Raises DataError without any."""
    if not len(targets):
        raise DataError("there are no users to measure", "give a source in which users have something to find")
    hits = np.zeros((len(targets), K_RECALL), np.bool_)
    for row, (ranked, wanted) in enumerate(zip(lists, targets, strict=True)):
        known = set(wanted)
        hits[row, : len(ranked[:K_RECALL])] = [item in known for item in ranked[:K_RECALL]]
    counts = np.array([len(set(wanted)) for wanted in targets])
    return {name: mean_measured(values) for name, values in user_metrics(hits, counts).items()}


def user_metrics(hits: NDArray[np.bool_], targets: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
    """Each metric of each user (N) from which of the first 20 are `hits` (N 20) and the number of `targets` (N)."""
    discount = 1 / np.log2(np.arange(2, K + 2))
    best = np.concatenate([[0.0], np.cumsum(discount)])[np.minimum(targets, K)]
    first = hits[:, :K]
    precision = np.cumsum(first, axis=1) / np.arange(1, K + 1)
    return {
        "ndcg_at_10": (first * discount).sum(axis=1) / np.maximum(best, discount[-1]),
        "recall_at_20": hits.sum(axis=1) / np.maximum(targets, 1),
        "map_at_10": (precision * first).sum(axis=1) / np.maximum(np.minimum(targets, K), 1),
        "hit_rate_at_10": first.any(axis=1).astype(np.float64),
    }


def mean_measured(values: NDArray[np.float64]) -> Measurement:
    """The mean over users, with the percentile bootstrap of Efron (1979) over users."""
    low, high = bootstrap_interval(values)
    value = float(values.mean())
    return Measurement(value=value, interval=(min(low, value), max(high, value)), examples=len(values))


def bootstrap_interval(values: NDArray[np.float64]) -> tuple[float, float]:
    """Of the mean over users; always the same resamples, so that two models are compared on the same ones."""
    generator, n = np.random.default_rng(_SEED), len(values)
    rows = max(1, 2_000_000 // n)
    means = np.concatenate(
        [
            values[generator.integers(0, n, (min(rows, _RESAMPLES - begin), n))].mean(axis=1)
            for begin in range(0, _RESAMPLES, rows)
        ]
    )
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)


def paired_difference(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> Measurement:
    """The mean difference between two models on the same users; it is significant where the interval excludes 0."""
    return mean_measured(ours - theirs)
