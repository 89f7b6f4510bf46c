"""How each class fares: recall, precision, confusion; and what is not there is not measured."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from glassworks.catalog import get
from glassworks.contracts import Task
from glassworks.data.intervals import wilson
from glassworks.tasks._classification import measure_classes, measure_each
from glassworks.tasks._metrics import balanced_accuracy, macro_f1

LABELS = ("good", "bad", "odd")


@given(st.integers(0, 2**32), st.integers(2, 6), st.integers(1, 60))
def test_recall_precision_and_confusion_are_those_of_sklearn(seed: int, classes: int, count: int) -> None:
    generator = np.random.default_rng(seed)
    targets, chosen = generator.integers(0, classes, (2, count))
    labels = [f"c{n}" for n in range(classes)]
    found = measure_each(chosen, targets, labels)
    precision, recall, _, support = precision_recall_fscore_support(
        targets, chosen, labels=range(classes), zero_division=0
    )
    confusion = confusion_matrix(targets, chosen, labels=range(classes))
    for own, each in enumerate(found):
        assert (each.label, each.examples, each.predicted) == (labels[own], support[own], confusion[:, own].sum())
        assert (each.recall.value if each.recall else 0) == pytest.approx(recall[own])
        assert (each.precision.value if each.precision else 0) == pytest.approx(precision[own])
        row = {labels[other]: int(n) for other, n in enumerate(confusion[own]) if n and other != own}
        assert each.mistaken == row
        assert list(each.mistaken.values()) == sorted(each.mistaken.values(), reverse=True)
        if each.recall:
            assert each.recall.interval == wilson(confusion[own, own], int(support[own]))


def test_labels_that_do_not_exclude_each_other() -> None:
    targets = np.array([[1, 0, 1], [1, 1, 0], [0, 0, 0]])
    found = measure_each(np.array([[True, False, False], [True, True, False], [True, False, False]]), targets, LABELS)
    assert [(each.examples, each.predicted, each.mistaken) for each in found] == [(2, 3, {}), (1, 1, {}), (1, 0, {})]
    assert [each.recall and each.recall.value for each in found] == [1, 1, 0]
    assert [each.precision and each.precision.value for each in found] == [pytest.approx(2 / 3), 1, None]


def test_a_class_without_examples_is_told_beside_every_number() -> None:
    scores = np.tile([0.8, 0.1, 0.1], (226, 1))
    found = measure_classes(scores, np.zeros(226, np.int64), "picture")
    assert found["macro_f1"].value == 1.0
    assert found["macro_f1"].interval[0] == pytest.approx(2 * 0.98329 / 1.98329, abs=1e-4)
    assert {name: value.classes for name, value in found.items()} == dict.fromkeys(found, (1, 3))
    each = get(Task, "image-classification").by_class(lambda _: scores, np.zeros(226, np.int64), LABELS)
    assert [one.recall and one.recall.value for one in each] == [1.0, None, None]
    whole = measure_classes(np.eye(3), np.arange(3), "picture")
    assert all(value.classes is None for value in whole.values())


def test_one_found_example_of_a_rare_class_is_no_certainty() -> None:
    targets = np.array([0] * 225 + [1])
    for metric in (balanced_accuracy, macro_f1):
        found = metric(targets, targets)
        assert found.value == 1.0
        assert found.interval[0] < 0.82, metric
        assert found.interval[1] == 1.0


@pytest.mark.parametrize("counts", [(500, 8), (60, 30, 12), (40, 40)])
def test_intervals_of_means_over_classes_hold_the_truth(counts: tuple[int, ...]) -> None:
    recalls = np.linspace(0.9, 0.6, len(counts))
    targets = np.repeat(np.arange(len(counts)), counts)
    held = {"balanced": 0, "f1": 0}
    wide = np.repeat(np.arange(len(counts)), np.array(counts) * 4000)

    def guess(truth: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        return np.where(generator.random(len(truth)) < recalls[truth], truth, (truth + 1) % len(counts))

    expected = macro_f1(guess(wide, np.random.default_rng(0)), wide).value
    for seed in range(200):
        chosen = guess(targets, np.random.default_rng(seed))
        low, high = balanced_accuracy(chosen, targets).interval
        held["balanced"] += low <= recalls.mean() <= high
        low, high = macro_f1(chosen, targets).interval
        held["f1"] += low <= expected <= high
    assert min(held.values()) >= 184, held


def test_ten_thousand_classes_take_seconds() -> None:
    targets = np.arange(20_000) % 10_000
    found = measure_each((targets + 1) % 10_000, targets, [str(n) for n in range(10_000)])
    assert found[7].mistaken == {"8": 2}
    assert balanced_accuracy(targets, targets).value == 1.0
