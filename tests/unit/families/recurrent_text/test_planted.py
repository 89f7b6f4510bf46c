"""Planted truth: a word that alone decides the label is named first, in two languages, wherever it stands."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from glassworks.config import TrainingConfig
from glassworks.contracts import Explanation
from glassworks.data.text.synthetic import TRIGGERS, synthetic_text
from glassworks.families.recurrent_text import RecurrentText
from glassworks.flow import train
from glassworks.packaging.opened import OpenedBundle
from glassworks.progress import Silent
from glassworks.registry import Registry

METHODS = ("integrated_gradients", "input_x_gradient", "leave_one_out", "partition_shapley")
PLACES = (0.0, 0.5, 1.0)
WORDS = 190
"""With them the longest texts have about as many tokens as a window, 256."""
_SURE = 0.7
_COUNT = {"leave_one_out": 7, "partition_shapley": 3}
"""Long texts a place: each takes hundreds or thousands of predictions. Else there are 20."""


@dataclass(frozen=True)
class Planted:
    """A text, its label and the word that decides it."""

    text: str
    label: str
    word: str


def planted(count: int, words: int, place: float | None, seed: int) -> list[Planted]:
    generator = np.random.default_rng(seed)
    found = []
    for row in range(count):
        label = ("negative", "positive")[row % 2]
        text = synthetic_text(generator, label, words, place)
        found.append(Planted(text, label, next(word for word in TRIGGERS[label] if word in text)))
    return found


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenedBundle]:
    """A small model of long texts, trained in seconds."""
    folder = tmp_path_factory.mktemp("planted")
    job = RecurrentText().tiny(folder)
    write_long(folder / "long.csv")
    job = job.model_copy(
        update={
            # So few tokens that none holds two words, whose shares of it no gradient could tell apart.
            "model": {**job.model, "vocabulary": 120},
            "data": job.data.model_copy(update={"source": f"csv:{folder / 'long.csv'}"}),
            "training": TrainingConfig(epochs=6, batch_size=16, precision="fp32", learning_rate=5e-3),
        }
    )
    bundle = train(job, Registry.open({"GLASSWORKS_HOME": str(folder / "home")}), Silent()).bundle
    opened = OpenedBundle(bundle)
    yield opened
    opened.close()


def write_long(path: Path) -> None:
    import csv

    generator = np.random.default_rng(5)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        for row in range(800):
            label = ("negative", "positive")[row % 2]
            longest = 200 if row % 40 < 2 else 20
            writer.writerow([synthetic_text(generator, label, int(generator.integers(6, longest))), label])


def asked(opened: OpenedBundle, text: str, method: str) -> Explanation:
    return opened.explain(np.array([text], object), method=method, grade=False)


def predicted(opened: OpenedBundle, texts: list[str]) -> list[str]:
    given = np.empty(len(texts), object)
    given[:] = texts
    return [opened.manifest.labels[each] for each in opened.predict(given)["probabilities"].argmax(axis=1)]


def by_default(opened: OpenedBundle) -> str:
    """The label that a text without words surely has, if any: no word is needed for it, so none need be named first."""
    label, probability = opened.task.answer(opened.predict(np.array([""], object)), opened.manifest.labels)[0]["top"][0]
    return str(label) if probability > _SURE else ""


def other(label: str) -> str:
    return "positive" if label == "negative" else "negative"


def test_the_planted_word_is_the_cause(opened: OpenedBundle) -> None:
    """Labels come out right, and with the other label's word in its place the answer turns."""
    examples = [each for place in PLACES for each in planted(40, WORDS, place, seed=11)]
    right = [
        found == each.label for found, each in zip(predicted(opened, [e.text for e in examples]), examples, strict=True)
    ]
    assert np.mean(right) >= 0.98
    turned = [
        each.text.replace(each.word, TRIGGERS[other(each.label)][TRIGGERS[each.label].index(each.word)])
        for each in examples
    ]
    flipped = [found != each.label for found, each in zip(predicted(opened, turned), examples, strict=True)]
    assert np.mean(flipped) >= 0.95
    windows = [opened.session("predict").tokenization.windows(each.text) for each in examples]  # type: ignore[attr-defined]
    assert max(sum(len(window.ids) for window in each) for each in windows) >= 190


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("words", [12, WORDS])
def test_the_planted_word_is_named_first(method: str, place: float, words: int, opened: OpenedBundle) -> None:
    named = []
    given = planted(20 if words < WORDS else _COUNT.get(method, 20), words, place, seed=17)
    for each in [each for each in given if each.label != by_default(opened)] or given:
        found = asked(opened, each.text, method)
        begin, end = found.spans[int(found.attribution.values.argmax())]
        word = each.text.index(each.word)
        # A cut of Chinese may join it to a neighbor, or take it in two.
        named.append(begin < word + len(each.word) and end > word)
    assert np.mean(named) >= 0.95


def test_shapley_values_are_exact_for_few_words(opened: OpenedBundle) -> None:
    """Against the definition over all orders' coalitions, written down anew."""
    from itertools import combinations
    from math import comb

    text = "the dreadful book arrived on monday"
    found = asked(opened, text, "partition_shapley")
    parts = [text[begin:end] for begin, end in found.spans]
    n, target = len(parts), found.target
    assert n == 6
    subsets = [frozenset(each) for size in range(n + 1) for each in combinations(range(n), size)]
    given = np.empty(len(subsets), object)
    given[:] = ["".join(parts[each] for each in sorted(subset)) for subset in subsets]
    worth = dict(zip(subsets, opened.predict(given)["probabilities"][:, target].tolist(), strict=True))
    for player, value in enumerate(found.attribution.values.ravel().tolist()):
        wanted = sum(
            (worth[subset | {player}] - worth[subset]) / (n * comb(n - 1, len(subset)))
            for subset in subsets
            if player not in subset
        )
        assert value == pytest.approx(wanted, abs=1e-5)


@pytest.mark.parametrize("method", ["integrated_gradients", "partition_shapley"])
def test_values_add_up(method: str, opened: OpenedBundle) -> None:
    for each in planted(10, 40, None, seed=23):
        found = asked(opened, each.text, method).attribution
        assert found.baseline_score is not None
        change = found.score - found.baseline_score
        assert abs(float(found.values.sum()) - change) <= 0.011 * abs(change) + 1e-4
        assert found.converged == (found.gap is not None and found.gap <= 0.01) or method == "partition_shapley"


def test_leaving_one_out_is_what_it_says(opened: OpenedBundle) -> None:
    text = "这本书很糟糕，包装满意"
    found = asked(opened, text, "leave_one_out")
    given = np.empty(len(found.spans), object)
    given[:] = [text[:begin] + text[end:] for begin, end in found.spans]
    without = opened.predict(given)["probabilities"][:, found.target]
    whole = opened.predict(np.array([text], object))["probabilities"][0, found.target]
    assert np.allclose(found.attribution.values.ravel(), whole - without, atol=1e-6)


def test_an_explanation_in_a_batch_is_the_one_alone(opened: OpenedBundle) -> None:
    """What is asked beside it, and how it is filled up there, changes nothing."""
    text = planted(1, 20, 0.5, seed=3)[0].text
    alone = asked(opened, text, "integrated_gradients").attribution.values
    asked(opened, text * 10, "integrated_gradients")
    assert np.array_equal(asked(opened, text, "integrated_gradients").attribution.values, alone)


def test_nothing_has_an_explanation(opened: OpenedBundle) -> None:
    for method in METHODS:
        found = asked(opened, "", method)
        assert found.spans == ((0, 0),)
        assert found.attribution.values.tolist() == [[[0.0]]]
