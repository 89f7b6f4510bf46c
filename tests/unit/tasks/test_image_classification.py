"""The task: parity of training and serving, metrics against scikit-learn, answers for people."""

from __future__ import annotations

import io
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, strategies as st
from numpy.typing import NDArray
from PIL import Image

from glassworks.errors import DataError, InputError
from glassworks.tasks.image_classification import ImageClassification

TASK = ImageClassification()
PREPROCESSING = {"height": 6, "width": 5, "channels": 3}


def scored(examples: int, classes: int, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    generator = np.random.default_rng(seed)
    targets = generator.integers(0, classes, examples)
    scores = generator.random((examples, classes))
    scores[np.arange(examples), targets] += generator.random(examples)
    return scores / scores.sum(axis=1, keepdims=True), targets


def test_a_file_is_decoded_and_fitted() -> None:
    stream = io.BytesIO()
    Image.new("L", (50, 60), 77).save(stream, "PNG")
    assert np.array_equal(TASK.decode(stream.getvalue(), PREPROCESSING), np.full((6, 5, 3), 77, np.uint8))


def test_what_is_no_picture_is_refused() -> None:
    with pytest.raises(InputError, match="are not a picture"):
        TASK.decode(b"text", PREPROCESSING)


def test_encoding_is_between_0_and_1_and_channels_first() -> None:
    x = np.random.default_rng(0).integers(0, 256, (2, 6, 5, 3), dtype=np.uint8)
    image = TASK.encode(x, PREPROCESSING)["image"]
    assert image.dtype == np.float32
    assert image.shape == (2, 3, 6, 5)
    assert image.flags.c_contiguous
    assert np.array_equal(image[1, 2, 3, 4], np.float32(x[1, 3, 4, 2]) / np.float32(255))


@pytest.mark.parametrize(("examples", "classes"), [(300, 4), (50, 30), (1, 2)])
def test_metrics_are_those_of_scikit_learn(examples: int, classes: int) -> None:
    from sklearn.metrics import accuracy_score, f1_score, log_loss

    scores, targets = scored(examples, classes)
    metrics = TASK.measure(scores, targets)
    predicted = scores.argmax(axis=1)
    assert metrics["accuracy"].value == pytest.approx(accuracy_score(targets, predicted))
    assert metrics["macro_f1"].value == pytest.approx(f1_score(targets, predicted, average="macro", zero_division=0))
    assert metrics["log_loss"].value == pytest.approx(log_loss(targets, scores, labels=range(classes)))
    assert [metric.higher_is_better for metric in metrics.values()] == [True, True, True, False]
    assert all(metric.examples == examples for metric in metrics.values())


def test_the_accuracy_interval_is_wilsons() -> None:
    """Against scipy's, which is another implementation."""
    from scipy.stats import binomtest

    scores, targets = scored(137, 3)
    correct = int((scores.argmax(axis=1) == targets).sum())
    expected = binomtest(correct, 137).proportion_ci(0.95, method="wilson")
    assert TASK.measure(scores, targets)["accuracy"].interval == pytest.approx((expected.low, expected.high))


@given(st.integers(1, 60), st.integers(2, 8), st.integers(0, 1000))
def test_intervals_hold_the_value(examples: int, classes: int, seed: int) -> None:
    scores, targets = scored(examples, classes, seed)
    for name, metric in TASK.measure(scores, targets).items():
        low, high = metric.interval
        assert 0 <= low <= metric.value <= high, name
        assert name == "log_loss" or high <= 1


def test_all_right_reaches_exactly_1() -> None:
    """Ten of ten, where rounding leaves the formula's bound a hair below."""
    low, high = TASK.measure(np.eye(2)[[0, 1] * 5], np.array([0, 1] * 5))["accuracy"].interval
    assert low == pytest.approx(0.7224672)
    assert high == 1.0


def test_more_examples_make_narrower_intervals() -> None:
    few, many = (TASK.measure(*scored(examples, 3)) for examples in (50, 2000))
    for name in few:
        assert np.diff(many[name].interval)[0] < np.diff(few[name].interval)[0] / 3


def test_measuring_is_deterministic() -> None:
    assert TASK.measure(*scored(80, 5)) == TASK.measure(*scored(80, 5))


def test_certainty_in_a_wrong_class_costs_much_and_not_infinitely() -> None:
    metrics = TASK.measure(np.array([[1.0, 0.0]], np.float32), np.array([1]))
    assert metrics["log_loss"].value == pytest.approx(-np.log(1e-12))
    assert metrics["accuracy"].interval[0] == 0.0 < metrics["accuracy"].interval[1] < 1.0


def test_nothing_cannot_be_measured() -> None:
    with pytest.raises(DataError, match="there are no examples to measure") as caught:
        TASK.measure(np.zeros((0, 3)), np.zeros(0, np.int64))
    assert caught.value.mend == "give a source with at least one picture"


def test_answers_are_sorted_and_short() -> None:
    probabilities = np.array([[0.1, 0.2, 0.05, 0.3, 0.15, 0.2]], np.float32)
    (answer,) = TASK.answer({"probabilities": probabilities}, "abcdef")
    assert answer["label"] == "d"
    assert answer["probability"] == pytest.approx(0.3)
    assert [label for label, _ in answer["top"]] == ["d", "b", "f", "e", "a"]
    (short,) = TASK.answer({"probabilities": np.array([[0.25, 0.75]])}, ["no", "yes"])
    assert short == {"label": "yes", "probability": 0.75, "top": [["yes", 0.75], ["no", 0.25]]}


def test_the_task_imports_no_torch() -> None:
    code = "import sys, glassworks.tasks.image_classification; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
