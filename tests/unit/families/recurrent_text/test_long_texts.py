"""Texts of many windows: what stands late in them is learned, and one that is too long for a request spoils nothing."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

from glassworks.config import Job, OptimizationConfig, TrainingConfig
from glassworks.errors import InputError
from glassworks.families.recurrent_text import RecurrentText
from glassworks.flow import Release, evaluate, release
from glassworks.packaging.opened import OpenedBundle
from glassworks.progress import Silent
from glassworks.registry import Registry

TELLING = {"good": "delighted", "bad": "disappointed"}
FILLING = "the box came on a day and we put it by my door in our old house near that new road"
TOKENS = 8


def text(generator: np.random.Generator, label: str, words: int) -> str:
    """So many words of no meaning, and the telling one at the end."""
    return " ".join([*generator.choice(FILLING.split(), words), TELLING[label]])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Release, Registry]:
    """A model whose windows are much shorter than its texts; every thirtieth text is longer than any request may be."""
    folder = tmp_path_factory.mktemp("long")
    generator = np.random.default_rng(0)
    with (folder / "long.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        for row in range(300):
            label = ("good", "bad")[row % 2]
            words = 2100 if row % 30 == 0 else int(generator.integers(12, 30))
            writer.writerow([text(generator, label, words), label])
    tiny = RecurrentText().tiny(folder)
    job: Job = tiny.model_copy(
        update={
            "name": "long",
            "data": tiny.data.model_copy(update={"source": f"csv:{folder / 'long.csv'}"}),
            "model": {**tiny.model, "max_tokens": TOKENS},
            "optimization": OptimizationConfig(budget=0.5, within=()),
            "training": TrainingConfig(epochs=4, batch_size=16, precision="fp32"),
        }
    )
    registry = Registry.open({"GLASSWORKS_HOME": str(folder / "home")})
    return release(job, registry, Silent()), registry


def test_what_stands_at_the_end_is_learned(made: tuple[Release, Registry]) -> None:
    metrics = made[0].bundle.manifest.metrics
    assert metrics["accuracy"].value > 0.9
    assert metrics["calibration_error"].value < 0.15


def test_sample_requests_are_no_longer_than_requests_may_be(made: tuple[Release, Registry]) -> None:
    samples = json.loads((made[0].bundle.folder / "samples.json").read_text(encoding="utf-8"))
    assert samples
    assert all(len(text) <= 200 for each in samples for text in each["inputs"][0]["data"])


def test_validation_saw_what_is_served(made: tuple[Release, Registry]) -> None:
    """The accuracy that training tells is that of the served model on the same texts."""
    split = made[0].dataset.splits["validation"]
    opened = OpenedBundle(made[0].bundle, limited=False)
    found = opened.probabilities(split.x).argmax(axis=1)
    opened.close()
    assert made[0].model.metrics["accuracy"].value == pytest.approx(np.mean(found == split.y), abs=0.02)


def test_a_request_that_long_is_refused_and_measuring_is_not(made: tuple[Release, Registry]) -> None:
    done, registry = made
    every = np.concatenate([split.x for split in done.dataset.splits.values()])
    longest = max(every.tolist(), key=len)
    opened = OpenedBundle(done.bundle)
    with pytest.raises(InputError, match=r"tokens, at most .* are read"):
        opened.predict(np.array([longest], object))
    opened.close()
    examples, metrics, *_ = evaluate("long", registry)
    assert examples == len(done.dataset.splits["test"])
    assert metrics["accuracy"].value == pytest.approx(done.bundle.manifest.metrics["accuracy"].value, abs=1e-9)
