"""What is right of written answers, and what something simple would answer where they are chosen among few."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from glassworks.contracts import Dataset, Measurement
from glassworks.data.conversations.choices import METRIC, choices_of
from glassworks.errors import MissingLibrary
from glassworks.tasks._metrics import accuracy, calibration_error, mean_square

if TYPE_CHECKING:
    from glassworks.contracts import Array

FREQUENT = "most frequent answer"


def baseline_of_answers(dataset: Dataset) -> dict[str, Measurement]:
    """That of logistic regression on n-grams, as for classifiers of texts; nothing where answers are not chosen, or
    where its library is missing, which tuning itself does not need.
    """
    from glassworks.data.text.baseline import baseline_probabilities

    choices = choices_of(dataset)
    if choices is None:
        return {}
    try:
        return choices.measure(baseline_probabilities(choices.dataset.splits, len(choices.names)))
    except MissingLibrary:
        return {}


def frequent_answer(dataset: Dataset) -> dict[str, dict[str, Measurement]]:
    """What is right where everything is answered with what is most frequent in training."""
    choices = choices_of(dataset)
    return {} if choices is None else {FREQUENT: choices.constant()}


def exact(matches: Array) -> dict[str, Measurement]:
    """Of answers that are short enough, the share that is written exactly, with Wilson's interval."""
    compared = np.asarray(matches[np.isfinite(matches)], np.int64)
    return {METRIC: accuracy(compared, np.ones_like(compared))} if len(compared) else {}


def calibrated(answered: Array, preprocessing: Mapping[str, Any]) -> dict[str, Measurement]:
    """How far what the model says of its answers (N 2) is from how often they are right, where it says something; of
    those that are short enough to be compared.
    """
    from glassworks.language.confidence import confidence_of

    confidence, rows = confidence_of(preprocessing), np.asarray(answered, np.float64)
    rows = rows[np.isfinite(rows).all(axis=1)]
    if confidence is None or not confidence.supported or not len(rows):
        return {}
    sure, right = confidence.of(rows[:, 0]), rows[:, 1]
    return {"calibration_error": calibration_error(sure, right), "brier": mean_square(sure - right)}


def preferred(margins: Array) -> dict[str, Measurement]:
    """Of pairs of answers, the share in which the preferred one is the more probable, with Wilson's interval."""
    known = np.asarray(margins, np.float64)
    compared = np.asarray(known[np.isfinite(known)] > 0, np.int64)
    return {"preference_accuracy": accuracy(compared, np.ones_like(compared))} if len(compared) else {}
