"""What every classifier must beat: one answer to everything, the best there is by the training split."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import balanced_accuracy_score, f1_score

from glassworks.catalog import get
from glassworks.contracts import Dataset, Split, Task
from glassworks.tasks._label_sets import measure_sets
from glassworks.tasks._metrics import balanced_accuracy

TASKS = ("image-classification", "text-classification")


def dataset(learned: NDArray[np.int64], truth: NDArray[np.int64], classes: int) -> Dataset:
    splits = {name: Split(x=np.zeros(len(y)), y=y) for name, y in (("train", learned), ("test", truth))}
    return Dataset(name="d", splits=splits, classes=tuple("abcdef"[:classes]), fingerprint="")


@pytest.mark.parametrize("task", TASKS)
def test_of_one_label_it_is_the_most_frequent_class(task: str) -> None:
    learned, truth = np.array([0] * 9 + [1] * 40 + [2]), np.array([0] * 20 + [1] * 30)
    found = get(Task, task).constant(dataset(learned, truth, 3))
    assert tuple(found) == ("most frequent class",)
    metrics = found["most frequent class"]
    assert metrics["accuracy"].value == pytest.approx(0.6)
    assert metrics["balanced_accuracy"].value == pytest.approx(0.5)
    shares = -(20 * np.log(9 / 50) + 30 * np.log(40 / 50)) / 50
    assert metrics["log_loss"].value == pytest.approx(shares)


@pytest.mark.parametrize("task", TASKS)
def test_of_multi_label_data_each_metric_has_its_own_best_answer(task: str) -> None:
    learned = (np.random.default_rng(0).random((400, 4)) < (0.7, 0.4, 0.3, 0.02)).astype(np.int64)
    metrics = get(Task, task).constant(dataset(learned, learned, 4))["most frequent labels"]
    everything = [np.broadcast_to(np.array(each), learned.shape) for each in product((0, 1), repeat=4)]
    best = max(f1_score(learned, each, average="micro", zero_division=0) for each in everything)
    assert metrics["micro_f1"].value == pytest.approx(best)
    assert metrics["accuracy"].value == pytest.approx(max(float((learned == each).mean()) for each in everything))
    assert metrics["balanced_accuracy"].value == pytest.approx(0.5)


def test_there_is_none_without_examples() -> None:
    nothing = np.zeros(0, np.int64)
    assert get(Task, TASKS[0]).constant(dataset(np.zeros(3, np.int64), nothing, 2)) == {}


def test_balanced_accuracy_is_the_mean_recall() -> None:
    generator = np.random.default_rng(0)
    truth = np.minimum(generator.geometric(0.4, 300), 4) - 1
    predicted = np.where(generator.random(300) < 0.7, truth, generator.integers(0, 4, 300))
    found = balanced_accuracy(predicted, truth)
    assert found.value == pytest.approx(balanced_accuracy_score(truth, predicted))
    assert found.interval[0] < found.value < found.interval[1]


def test_of_multi_label_data_it_is_that_of_each_one() -> None:
    generator = np.random.default_rng(1)
    truth = (generator.random((200, 3)) < (0.5, 0.1, 0.9)).astype(np.int64)
    chosen = np.where(generator.random((200, 3)) < 0.8, truth, 1 - truth) > 0
    wanted = np.mean([balanced_accuracy_score(truth[:, label], chosen[:, label]) for label in range(3)])
    assert measure_sets(truth.astype(float), chosen, truth)["balanced_accuracy"].value == pytest.approx(wanted)
