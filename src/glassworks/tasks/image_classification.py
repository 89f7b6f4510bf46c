"""Image classification: a picture goes in, a probability a class comes out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from glassworks.contracts import Measurement, Task
from glassworks.data.pictures import decode_picture, fit_picture
from glassworks.errors import DataError

if TYPE_CHECKING:
    from glassworks.contracts import Array, Tensors

INPUT = "image"
OUTPUT = "probabilities"
_TOP = 5
_Z = 1.959963984540054
"""Of the normal distribution, 95 % lie within this many standard deviations."""
_RESAMPLES = 200
_SMALLEST = 1e-12
"""A probability of 0 for what happened would cost infinitely much; float32 softmax can give it."""


class ImageClassification(Task):
    """`preprocessing` holds `height`, `width` and `channels`; pictures are stored as uint8 N H W C."""

    name: ClassVar[str] = "image-classification"
    metric: ClassVar[str] = "accuracy"

    def decode(self, value: bytes, preprocessing: Mapping[str, Any]) -> NDArray[np.uint8]:
        """A picture file as uint8 H W C. Raises InputError when it is none."""
        size = (int(preprocessing[key]) for key in ("height", "width", "channels"))
        return fit_picture(decode_picture(value), *size)

    def encode(self, x: Array, preprocessing: Mapping[str, Any]) -> dict[str, Array]:
        """`image`: float32 N C H W in [0, 1]."""
        pixels = np.moveaxis(x.astype(np.uint8, copy=False), 3, 1)
        return {INPUT: np.true_divide(pixels, np.float32(255), dtype=np.float32, order="C")}

    def measure(self, scores: Array, targets: NDArray[np.int64]) -> dict[str, Measurement]:
        """Accuracy, macro F1 and log loss of probabilities (N K). Raises DataError when N is 0."""
        if not len(targets):
            raise DataError("there are no examples to measure", "give a source with at least one picture")
        probabilities = scores.astype(np.float64)
        predicted = probabilities.argmax(axis=1).astype(np.int64)
        return {
            "accuracy": _accuracy(predicted, targets),
            "macro_f1": _macro_f1(predicted, targets),
            "log_loss": _log_loss(probabilities, targets),
        }

    def answer(self, outputs: Tensors, labels: Sequence[str]) -> list[dict[str, Any]]:
        """One object a row: `label`, `probability`, and `top`: up to five (label, probability) pairs."""
        rows = outputs[OUTPUT].astype(np.float64)
        answers: list[dict[str, Any]] = []
        for row in rows:
            best = np.argsort(-row, kind="stable")[:_TOP]
            top = [[labels[index], float(row[index])] for index in best]
            answers.append({"label": top[0][0], "probability": top[0][1], "top": top})
        return answers


def _accuracy(predicted: NDArray[np.int64], targets: NDArray[np.int64]) -> Measurement:
    """With the score interval of Wilson (1927), which holds for few examples and near 0 and 1."""
    n = len(targets)
    share = float(np.mean(predicted == targets))
    center = (share + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z / (1 + _Z**2 / n) * math.sqrt(share * (1 - share) / n + _Z**2 / (4 * n**2))
    # At 0 and 1 the bound is the share itself, which rounding may miss.
    low, high = min(max(0.0, center - half), share), max(min(1.0, center + half), share)
    return Measurement(value=share, interval=(low, high), examples=n)


def _macro_f1(predicted: NDArray[np.int64], targets: NDArray[np.int64]) -> Measurement:
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


def _mean_f1(hits: NDArray[np.number], total: NDArray[np.number]) -> float:
    """F1 = 2 hits / (predicted + true), over the classes where that is defined."""
    defined = total > 0
    return float(np.mean(2 * hits[defined] / total[defined]))


def _log_loss(probabilities: NDArray[np.float64], targets: NDArray[np.int64]) -> Measurement:
    """The mean of -ln p(target), with the normal interval of a mean."""
    n = len(targets)
    losses = -np.log(np.maximum(probabilities[np.arange(n), targets], _SMALLEST))
    value = float(losses.mean())
    half = _Z * float(losses.std()) / math.sqrt(n)
    return Measurement(value=value, interval=(max(0.0, value - half), value + half), examples=n, higher_is_better=False)
