"""Metrics of sets of labels against scikit-learn's, and thresholds that are chosen by F1."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score

from glassworks.tasks._label_sets import measure_sets
from glassworks.training.classification import fit_label_thresholds


def test_metrics_are_scikit_learns() -> None:
    generator = np.random.default_rng(0)
    targets = (generator.random((200, 5)) < [0.5, 0.3, 0.2, 0.1, 0.05]).astype(np.int64)
    probabilities = np.clip(0.4 * targets + 0.6 * generator.random((200, 5)), 0.01, 0.99)
    chosen = probabilities >= 0.55
    found = measure_sets(probabilities, chosen, targets)
    assert found["micro_f1"].value == pytest.approx(f1_score(targets, chosen, average="micro"))
    assert found["macro_f1"].value == pytest.approx(f1_score(targets, chosen, average="macro"))
    assert found["exact_match"].value == pytest.approx((targets == chosen).all(axis=1).mean())
    assert found["accuracy"].value == pytest.approx((targets == chosen).mean())
    for name, each in found.items():
        low, high = each.interval
        assert low <= each.value <= high, name
        assert high - low > 0.001, name
        assert each.higher_is_better == (name not in ("log_loss", "calibration_error"))


def test_labels_that_nobody_has_count_nothing() -> None:
    targets = np.array([[1, 0], [1, 0]])
    found = measure_sets(np.full((2, 2), 0.5), targets > 0, targets)
    assert found["macro_f1"].value == 1.0
    none = measure_sets(np.full((2, 2), 0.1), np.zeros((2, 2), np.bool_), np.zeros((2, 2), np.int64))
    assert none["micro_f1"].value == none["exact_match"].value == 1.0


def test_each_label_gets_the_threshold_of_its_best_f1() -> None:
    generator = np.random.default_rng(1)
    targets = (generator.random((400, 3)) < [0.3, 0.1, 0.01]).astype(np.int64)
    targets[:2, 2] = 1
    probabilities = np.clip(0.25 * targets + generator.normal(0.2, 0.08, targets.shape), 0.01, 0.99).astype(np.float32)
    found = fit_label_thresholds(probabilities, targets)
    for label in (0, 1):
        own, wanted = probabilities[:, label], targets[:, label]
        best = max(f1_score(wanted, own >= each) for each in np.unique(own))
        assert f1_score(wanted, own >= found[label]) == pytest.approx(best)
        assert f1_score(wanted, own >= 0.5) < best
    assert found[2] == 0.5  # too few to choose by


def test_equal_probabilities_stay_together_and_the_middle_is_taken() -> None:
    probabilities = np.array([0.9] * 12 + [0.2] * 12, np.float32)[:, None]
    targets = np.array([1] * 12 + [0] * 12)[:, None]
    assert fit_label_thresholds(probabilities, targets)[0] == pytest.approx(0.55)
    mixed = np.array([1] * 11 + [0] + [1] + [0] * 11)[:, None]
    assert fit_label_thresholds(probabilities, mixed)[0] == pytest.approx(0.55)
