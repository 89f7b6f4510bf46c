"""Metrics of classes, one an example, each with a 95 % interval."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from glassworks.contracts import Measurement
from glassworks.data.intervals import Z, wilson

_RESAMPLES = 200
_BINS = 15
SMALLEST = 1e-12
"""A probability of 0 for what happened would cost infinitely much; float32 softmax can give it."""


def accuracy(predicted: NDArray[np.int64], targets: NDArray[np.int64]) -> Measurement:
    """With its score interval."""
    hits, n = int(np.sum(predicted == targets)), len(targets)
    return Measurement(value=hits / n, interval=wilson(hits, n), examples=n)


def macro_f1(predicted: NDArray[np.int64], targets: NDArray[np.int64]) -> Measurement:
    """The mean F1 of the classes that occur or are predicted.

    Its interval is the percentile bootstrap of Efron (1979), but no narrower than what few examples of a class allow:
    F1 grows with the share of hits among all examples that are of the class or predicted as it, whose score interval
    is taken as in `mean_of_shares`.
    """
    n = len(targets)
    # Only classes that occur: 10,000 classes and few rows must not cost 10,000 a resample.
    _, codes = np.unique(np.concatenate([predicted, targets]), return_inverse=True)
    guess, truth = codes[:n], codes[n:]
    rows, count = np.flatnonzero(guess == truth), int(codes.max()) + 1

    def counted(weights: NDArray[np.integer]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        hits = np.asarray(np.bincount(truth[rows], weights[rows], count), np.float64)
        total = np.bincount(guess, weights, count) + np.bincount(truth, weights, count)
        return hits, np.asarray(total, np.float64)

    hits, total = counted(np.ones(n, np.int64))
    own, generator = 2 * hits / total, np.random.default_rng(0)
    resampled = []
    for _ in range(_RESAMPLES):
        some, every = counted(np.bincount(generator.integers(0, n, n), minlength=n))
        # A class that is not among those drawn keeps its own value: the mean is over the same classes.
        resampled.append(float(np.where(every > 0, 2 * some / np.maximum(every, 1), own).mean()))
    shares = np.array([wilson(int(some), int(every - some)) for some, every in zip(hits, total, strict=True)])
    value, wide = float(own.mean()), _mean_interval(own, 2 * shares / (1 + shares))
    low, high = (float(each) for each in np.quantile(resampled, (0.025, 0.975)))
    return Measurement(value=value, interval=(min(low, wide[0], value), max(high, wide[1], value)), examples=n)


def balanced_accuracy(predicted: NDArray[np.int64], targets: NDArray[np.int64]) -> Measurement:
    """The mean recall of the classes that occur; see `mean_of_shares` for its interval."""
    _, truth = np.unique(targets, return_inverse=True)
    total, hits = np.bincount(truth), np.bincount(truth, predicted == targets)
    return Measurement(value=float(np.mean(hits / total)), interval=mean_of_shares(hits, total), examples=len(targets))


def mean_of_shares(hits: NDArray[np.number], total: NDArray[np.number]) -> tuple[float, float]:
    """The interval of the mean of independent shares, hits / total (K): from the score interval of each (Zou and Donner
    2008, "MOVER"). Unlike a bootstrap it knows that a class of one example, found, may have a recall of a half.
    """
    intervals = [wilson(float(own), int(count)) for own, count in zip(hits, total, strict=True)]
    return _mean_interval(np.asarray(hits / total, np.float64), np.array(intervals))


def _mean_interval(values: NDArray[np.float64], intervals: NDArray[np.float64]) -> tuple[float, float]:
    """Of values (K) with an interval each (K 2)."""
    mean = float(values.mean())
    low, high = (math.sqrt(float(((values - intervals[:, side]) ** 2).sum())) / len(values) for side in (0, 1))
    return max(0.0, mean - low), min(1.0, mean + high)


def log_loss(probabilities: NDArray[np.float64], targets: NDArray[np.int64]) -> Measurement:
    """The mean of -ln p(target), with the normal interval of a mean."""
    n = len(targets)
    losses = -np.log(np.maximum(probabilities[np.arange(n), targets], SMALLEST))
    value = float(losses.mean())
    half = Z * float(losses.std()) / math.sqrt(n)
    return Measurement(value=value, interval=(max(0.0, value - half), value + half), examples=n, higher_is_better=False)


def mean_square(errors: NDArray[np.float64]) -> Measurement:
    """The mean of squared errors (N), of probabilities Brier's score (1950); with the normal interval of a mean."""
    squares, n = errors**2, len(errors)
    value, half = float(squares.mean()), Z * float(squares.std()) / math.sqrt(n)
    return Measurement(value=value, interval=(max(0.0, value - half), value + half), examples=n, higher_is_better=False)


def mean_cost(predicted: NDArray[np.int64], targets: NDArray[np.int64], costs: NDArray[np.float64]) -> Measurement:
    """The mean cost of an example, `costs` (K) by its class where another one is predicted, else 0; with the normal
    interval of a mean, and at least what Wilson's allows for the share of mistakes at the mean of the costs."""
    lost, n = np.where(predicted == targets, 0.0, costs[targets]), len(targets)
    value, half = float(lost.mean()), Z * float(lost.std()) / math.sqrt(n)
    high = wilson(float((lost > 0).sum()), n)[1] * float(costs[targets].mean())
    interval = (max(0.0, value - half), max(value + half, high))
    return Measurement(value=value, interval=interval, examples=n, higher_is_better=False)


def expected_calibration_error(probabilities: NDArray[np.float64], targets: NDArray[np.int64]) -> Measurement:
    """Of the most probable class, see `calibration_error`."""
    return calibration_error(probabilities.max(axis=1), probabilities.argmax(axis=1) == targets)


def calibration_error(confidence: NDArray[np.float64], hit: NDArray[np.bool_] | NDArray[np.float64]) -> Measurement:
    """How far confidence (N) lies from accuracy, in 15 bins (Guo et al. 2017, equation 3), with a bootstrap
    interval."""
    bins = np.minimum((confidence * _BINS).astype(np.int64), _BINS - 1)
    gap, n, generator = hit - confidence, len(confidence), np.random.default_rng(0)

    def error(weights: NDArray[np.number]) -> float:
        return float(np.abs(np.bincount(bins, weights * gap, _BINS)).sum() / n)

    value = error(np.ones(n))
    resampled = [error(np.bincount(generator.integers(0, n, n), minlength=n)) for _ in range(_RESAMPLES)]
    low, high = (float(each) for each in np.quantile(resampled, (0.025, 0.975)))
    return Measurement(value=value, interval=(min(low, value), max(high, value)), examples=n, higher_is_better=False)
