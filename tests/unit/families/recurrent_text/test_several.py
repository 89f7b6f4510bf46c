"""Texts with several labels, or none, through the whole flow: split, train, calibrate, package, evaluate, explain."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from glassworks import flow
from glassworks.data.text.synthetic import synthetic_text
from glassworks.families.recurrent_text import RecurrentText
from glassworks.packaging.opened import OpenedBundle
from glassworks.progress import Silent
from glassworks.registry import Registry

WORDS = {"cheap": ("bargain", "便宜"), "quick": ("overnight", "迅速")}


def write(path: Path, count: int, seed: int) -> None:
    """Each label has its own words; a text has none, one or both."""
    generator = np.random.default_rng(seed)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        for row in range(count):
            plain = synthetic_text(generator, "positive", int(generator.integers(4, 14)))
            for trigger in ("wonderful", "满意"):
                plain = plain.replace(trigger, "")
            labels = [name for place, name in enumerate(WORDS) if row >> place & 1]
            language = int(any(character >= "\u4e00" for character in plain))
            text = plain + "".join(f" {WORDS[name][language]}" for name in labels)
            writer.writerow([text, "|".join(labels)])


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenedBundle]:
    folder = tmp_path_factory.mktemp("several")
    write(folder / "several.csv", 500, 0)
    job = RecurrentText().tiny(folder)
    data = job.data.model_copy(update={"source": f"csv:{folder / 'several.csv'}", "separator": "|"})
    training = job.training.model_copy(update={"learning_rate": 5e-3, "epochs": 8})
    quick = job.optimization.model_copy(update={"budget": 2.0})
    job = job.model_copy(update={"data": data, "training": training, "optimization": quick})
    registry = Registry.open({"GLASSWORKS_HOME": str(folder / "home")})
    release = flow.release(job, registry, Silent())
    opened = OpenedBundle(release.bundle)
    yield opened
    opened.close()


def labels_of(opened: OpenedBundle, text: str) -> set[str]:
    given = np.array([text], object)
    (answer,) = opened.task.answer(opened.predict(given), opened.manifest.labels)
    return set(answer["label_set"])


def test_each_label_is_found_by_itself(opened: OpenedBundle) -> None:
    assert opened.manifest.labels == ("cheap", "quick")
    assert opened.manifest.metrics["accuracy"].value >= 0.95
    assert labels_of(opened, "the book with many pages") == set()
    assert labels_of(opened, "the book bargain") == {"cheap"}
    assert labels_of(opened, "这本书昨天送到 迅速") == {"quick"}
    assert labels_of(opened, "the book bargain overnight") == {"cheap", "quick"}
    probabilities = opened.predict(np.array(["the book bargain overnight"], object))["probabilities"]
    assert probabilities.sum() > 1.5


def test_each_label_has_its_own_explanation(opened: OpenedBundle) -> None:
    text = "the book bargain with many pages overnight"
    for target, word in ((0, "bargain"), (1, "overnight")):
        for method in opened.manifest.explainers:
            found = opened.explain(np.array([text], object), method=method, target=target)
            begin, end = found.spans[int(found.attribution.values.argmax())]
            assert text[begin:end].strip() == word, method


def test_another_source_is_measured_in_the_same_labels(opened: OpenedBundle, tmp_path: Path) -> None:
    write(tmp_path / "other.csv", 60, 9)
    split = RecurrentText().read(f"csv:{tmp_path / 'other.csv'}", opened.manifest.preprocessing, opened.manifest.labels)
    assert split.y.shape == (60, 2)
    measured = opened.task.measure(opened.predict(split.x)["probabilities"], split.y)
    assert measured["accuracy"].value >= 0.95
    assert opened.manifest.preprocessing["threshold"] == 0.5
