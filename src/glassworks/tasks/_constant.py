"""What a classifier must beat: the best answer that ignores the input, by what is frequent in the training split."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from glassworks.contracts import Dataset, Measurement
from glassworks.tasks._label_sets import measure_sets

if TYPE_CHECKING:
    from glassworks.contracts import Array

    Measure = Callable[[Array, NDArray[np.int64]], dict[str, Measurement]]

CLASS, LABELS = "most frequent class", "most frequent labels"
CONSTANTS = (CLASS, LABELS)


def constant_answer(dataset: Dataset, measure: Measure) -> dict[str, dict[str, Measurement]]:
    """Metrics by the answer's name; none where there is nothing to measure.

    With several labels an example, each metric is that of its own best answer: F1 is best with more labels than
    accuracy.
    """
    learned, truth = dataset.splits["train"].y, dataset.splits["test"].y
    if not len(learned) or not len(truth):
        return {}
    if truth.ndim == 1:
        shares = np.bincount(learned, minlength=len(dataset.classes)) / len(learned)
        return {CLASS: measure(_everywhere(shares, truth), truth)}
    shares = np.asarray(learned.mean(axis=0), np.float64)
    probabilities = _everywhere(shares, truth)
    usual = measure_sets(probabilities, _everywhere(shares, truth) >= 0.5, truth)
    frequent = measure_sets(probabilities, _everywhere(_of_best_f1(shares), truth) > 0, truth)
    return {LABELS: {**usual, "micro_f1": frequent["micro_f1"]}}


def _everywhere(row: NDArray[np.float64], truth: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.broadcast_to(row, (len(truth), len(row)))


def _of_best_f1(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 for the most frequent labels, as many of them as give the largest micro F1."""
    order = np.argsort(-shares, kind="stable")
    f1 = 2 * np.cumsum(shares[order]) / (np.arange(1, len(order) + 1) + shares.sum())
    chosen = np.zeros(len(shares))
    chosen[order[: int(f1.argmax()) + 1]] = 1
    return chosen
