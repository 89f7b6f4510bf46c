"""Metrics of classes, one an example, each with a 95 % interval."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from glassworks.contracts import Measurement
from glassworks.data.intervals import Z, wilson

_RESAMPLES = 200
_BINS = 15
_SMALLEST = 1e-12
"""A probability of 0 for what happened would cost infinitely much; float32 softmax can give it."""


def accuracy(predicted: NDArray[np.int64], targets: NDArray[np.int64]) -> Measurement:
    """With its score interval."""
    hits, n = int(np.sum(predicted == targets)), len(targets)
    return Measurement(value=hits / n, interval=wilson(hits, n), examples=n)


def macro_f1(predicted: NDArray[np.int64], targets: NDArray[np.int64]) -> Measurement:
    """The mean F1 of the classes that occur or are predicted, with the percentile bootstrap of Efron (1979)."""
    n = len(targets)
    # Only classes that occur: 10,000 classes and few rows must not cost 10,000 a resample.
    _, codes = np.unique(np.concatenate([predicted, targets]), return_inverse=True)
    guess, truth = codes[:n], codes[n:]
    hit = truth[guess == truth]
    count = int(codes.max()) + 1
    generator = np.random.default_rng(0)
    rows_hit = np.flatnonzero(guess == truth)
    resampled = []
    for _ in range(_RESAMPLES):
        weights = np.bincount(generator.integers(0, n, n), minlength=n)
        resampled.append(
            _mean_f1(
                np.bincount(hit, weights[rows_hit], count),
                np.bincount(guess, weights, count) + np.bincount(truth, weights, count),
            )
        )
    value = _mean_f1(
        np.bincount(hit, minlength=count), np.bincount(guess, minlength=count) + np.bincount(truth, minlength=count)
    )
    low, high = np.quantile(resampled, (0.025, 0.975))
    return Measurement(value=value, interval=(min(float(low), value), max(float(high), value)), examples=n)


def balanced_accuracy(predicted: NDArray[np.int64], targets: NDArray[np.int64]) -> Measurement:
    """The mean recall of the classes that occur, with the percentile bootstrap of Efron (1979)."""
    _, truth = np.unique(targets, return_inverse=True)
    n, generator = len(targets), np.random.default_rng(0)

    def recall(rows: NDArray[np.int64]) -> float:
        total = np.bincount(truth[rows])
        hits = np.bincount(truth[rows], predicted[rows] == targets[rows])
        return float(np.mean(hits[total > 0] / total[total > 0]))

    value = recall(np.arange(n))
    low, high = np.quantile([recall(generator.integers(0, n, n)) for _ in range(_RESAMPLES)], (0.025, 0.975))
    return Measurement(value=value, interval=(min(float(low), value), max(float(high), value)), examples=n)


def _mean_f1(hits: NDArray[np.number], total: NDArray[np.number]) -> float:
    """F1 = 2 hits / (predicted + true), over the classes where that is defined."""
    defined = total > 0
    return float(np.mean(2 * hits[defined] / total[defined]))


def log_loss(probabilities: NDArray[np.float64], targets: NDArray[np.int64]) -> Measurement:
    """The mean of -ln p(target), with the normal interval of a mean."""
    n = len(targets)
    losses = -np.log(np.maximum(probabilities[np.arange(n), targets], _SMALLEST))
    value = float(losses.mean())
    half = Z * float(losses.std()) / math.sqrt(n)
    return Measurement(value=value, interval=(max(0.0, value - half), value + half), examples=n, higher_is_better=False)


def expected_calibration_error(probabilities: NDArray[np.float64], targets: NDArray[np.int64]) -> Measurement:
    """How far confidence lies from accuracy, in 15 bins (Guo et al. 2017, equation 3), with a bootstrap interval."""
    confidence, hit = probabilities.max(axis=1), probabilities.argmax(axis=1) == targets
    bins = np.minimum((confidence * _BINS).astype(np.int64), _BINS - 1)
    gap, n, generator = hit - confidence, len(targets), np.random.default_rng(0)

    def error(weights: NDArray[np.number]) -> float:
        return float(np.abs(np.bincount(bins, weights * gap, _BINS)).sum() / n)

    value = error(np.ones(n))
    resampled = [error(np.bincount(generator.integers(0, n, n), minlength=n)) for _ in range(_RESAMPLES)]
    low, high = (float(each) for each in np.quantile(resampled, (0.025, 0.975)))
    return Measurement(value=value, interval=(min(low, value), max(high, value)), examples=n, higher_is_better=False)
