"""Metrics of examples with any number of labels; intervals of F1 resample whole examples."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from glassworks.contracts import Measurement
from glassworks.data.intervals import wilson
from glassworks.tasks._metrics import expected_calibration_error, log_loss

if TYPE_CHECKING:
    from collections.abc import Callable

    Counts = NDArray[np.float64]

_RESAMPLES = 200


def measure_sets(
    probabilities: NDArray[np.float64], chosen: NDArray[np.bool_], targets: NDArray[np.int64]
) -> dict[str, Measurement]:
    """Of probabilities (N K) and of the labels that were chosen (N K) against `targets` (0 and 1, N K).

    `accuracy`, log loss and calibration error are over all pairs of example and label; `balanced_accuracy` is the mean
    over labels of sensitivity and specificity; F1 is over all pairs (`micro`) or the mean over labels (`macro`, those
    that occur or are chosen); `exact_match` is the share of examples whose whole set of labels is right. The intervals
    of log loss and calibration error take pairs as independent.
    """
    truth, n = targets > 0, len(targets)
    hits = (chosen & truth).astype(np.float64)
    total = chosen.astype(np.float64) + truth
    exact = int((chosen == truth).all(axis=1).sum())
    pairs = np.stack([1 - probabilities.ravel(), probabilities.ravel()], axis=1)
    right = float((chosen == truth).mean(axis=1).sum())
    return {
        # As if each example were right or wrong as a whole: its labels are not independent of each other.
        "accuracy": Measurement(value=right / n, interval=wilson(right, n), examples=n),
        "balanced_accuracy": _resampled(n, lambda weights: _balanced(weights, chosen == truth, truth)),
        "micro_f1": _resampled(n, lambda weights: _f1((weights @ hits).sum(), (weights @ total).sum())),
        "macro_f1": _resampled(n, lambda weights: _f1(weights @ hits, weights @ total)),
        "exact_match": Measurement(value=exact / n, interval=wilson(exact, n), examples=n),
        "log_loss": log_loss(pairs, targets.ravel()),
        "calibration_error": expected_calibration_error(pairs, targets.ravel()),
    }


def _f1(hits: Counts, total: Counts) -> float:
    """2 hits / (chosen + true), the mean over labels where that is defined; 1 where nothing was to be found."""
    hits, total = np.atleast_1d(hits), np.atleast_1d(total)
    defined = total > 0
    return float(np.mean(2 * hits[defined] / total[defined])) if defined.any() else 1.0


def _balanced(weights: Counts, right: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    """The mean of the shares that are right, over each label with and without it, as far as there are examples."""
    kinds = np.concatenate([truth, ~truth], axis=1)
    total, hits = weights @ kinds, weights @ (kinds & np.concatenate([right, right], axis=1))
    return float(np.mean(hits[total > 0] / total[total > 0]))


def _resampled(n: int, value: Callable[[Counts], float]) -> Measurement:
    """A statistic of weighted examples, with the percentile bootstrap of Efron (1979)."""
    generator, own = np.random.default_rng(0), value(np.ones(n))
    drawn = [value(np.bincount(generator.integers(0, n, n), minlength=n).astype(np.float64)) for _ in range(_RESAMPLES)]
    low, high = (float(each) for each in np.quantile(drawn, (0.025, 0.975)))
    return Measurement(value=own, interval=(min(low, own), max(high, own)), examples=n)
