"""Probabilities that mean what they say: on planted scores whose true probabilities are known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from glassworks.tasks.text_classification import TextClassification
from glassworks.training.classification import fit_temperature, fit_threshold, negative_log_likelihood

HOT = 3.0
"""The planted scores are so many times too large."""


def softmax(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)


def planted(count: int, seed: int, labels: int = 4) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Overconfident scores, and targets drawn from the true probabilities."""
    generator = np.random.default_rng(seed)
    scores = generator.normal(0, 1.5, (count, labels)).astype(np.float32)
    drawn = softmax(scores).cumsum(axis=1)
    targets = (generator.random((count, 1)) > drawn).sum(axis=1)
    return HOT * scores, np.minimum(targets, labels - 1).astype(np.int64)


def test_the_planted_temperature_is_found_and_calibrates_new_examples() -> None:
    temperature = fit_temperature(*planted(2000, 0))
    assert temperature == pytest.approx(HOT, rel=0.1)
    scores, targets = planted(8000, 1)
    task = TextClassification()
    before, after = (task.measure(softmax(scores / each), targets) for each in (1.0, temperature))
    assert after["calibration_error"].value < 0.25 * before["calibration_error"].value
    assert after["calibration_error"].value < 0.04
    assert after["log_loss"].value < before["log_loss"].value
    assert after["accuracy"].value == before["accuracy"].value


def test_scores_that_are_right_stay() -> None:
    scores, targets = planted(4000, 2)
    assert fit_temperature(scores / HOT, targets) == pytest.approx(1.0, rel=0.1)


def test_several_labels_have_one_temperature() -> None:
    generator = np.random.default_rng(3)
    scores = generator.normal(0, 1.5, (2000, 3)).astype(np.float32)
    targets = (generator.random((2000, 3)) < 1 / (1 + np.exp(-scores))).astype(np.int64)
    assert fit_temperature(HOT * scores, targets) == pytest.approx(HOT, rel=0.1)


def test_few_examples_without_a_mistake_promise_no_certainty() -> None:
    """60 examples, all right: a rule of succession allows about 1 - 1/62, not 1 - 1e-30."""
    scores = np.tile(np.array([[4.0, -4.0]], np.float32), (60, 1))
    temperature = fit_temperature(scores, np.zeros(60, np.int64))
    assert 0.95 < float(softmax(scores / temperature)[0, 0]) < 0.995
    several = fit_temperature(scores, np.tile(np.array([[1, 0]]), (60, 1)))
    assert 0.95 < 1 / (1 + np.exp(-4.0 / several)) < 0.995


@pytest.mark.parametrize("coverage", [0.8, 0.9, 0.95])
def test_label_sets_hold_the_true_label_as_often_as_stated(coverage: float) -> None:
    scores, targets = planted(2000, 4)
    threshold = fit_threshold(softmax(scores), targets, coverage)
    new, true = planted(2000, 5)
    probabilities = softmax(new)
    held = probabilities[np.arange(2000), true] >= threshold
    assert coverage - 0.02 <= held.mean() <= coverage + 0.03


def test_the_threshold_keeps_its_promise_for_few_examples_on_average() -> None:
    """19 examples at 90 %: the finite-sample correction makes the mean coverage at least that."""
    covered = []
    for seed in range(200):
        scores, targets = planted(19, seed)
        threshold = fit_threshold(softmax(scores), targets, 0.9)
        new, true = planted(50, 10_000 + seed)
        covered.append(np.mean(softmax(new)[np.arange(50), true] >= threshold))
    assert 0.88 <= np.mean(covered) <= 0.92


def test_too_few_examples_rule_nothing_out() -> None:
    assert fit_threshold(np.full((5, 2), 0.5, np.float32), np.zeros(5, np.int64), 0.9) == 0.0


def test_several_labels_have_no_promise() -> None:
    assert fit_threshold(np.zeros((4, 3), np.float32), np.zeros((4, 3), np.int64), 0.9) == 0.5


def test_log_likelihood_is_finite_for_large_scores() -> None:
    scores = np.array([[1000.0, -1000.0]], np.float32)
    assert negative_log_likelihood(scores, np.array([1])) == pytest.approx(2000)
    assert negative_log_likelihood(scores, np.array([[0, 1]])) == pytest.approx(1000)
