"""The n-gram classifier is a fair opponent: it learns, it never sees test labels, and nothing makes it fall over."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from glassworks.contracts import Split
from glassworks.data.text import baseline
from glassworks.data.text.baseline import (
    baseline_probabilities,
    count_ngrams,
    cross_validated,
    fit_baseline,
    ngrams_of,
)
from glassworks.data.text.synthetic import synthetic_text


def synthetic(count: int, seed: int) -> tuple[list[str], NDArray[np.int64]]:
    generator = np.random.default_rng(seed)
    y = np.arange(count) % 2
    texts = [synthetic_text(generator, ("negative", "positive")[each], int(generator.integers(4, 20))) for each in y]
    return texts, y


def as_split(texts: list[str], y: NDArray[np.int64]) -> Split:
    x = np.empty(len(texts), object)
    x[:] = texts
    return Split(x=x, y=y)


def splits(labels: int = 2) -> dict[str, Split]:
    found = {}
    for seed, (name, count) in enumerate((("train", 200), ("validation", 60), ("test", 60))):
        texts, y = synthetic(count, seed)
        found[name] = as_split(texts, y if labels == 2 else np.stack([y, 1 - y, np.ones_like(y)], axis=1))
    return found


def test_it_learns_what_decides() -> None:
    found = splits()
    probabilities = baseline_probabilities(found, 2)
    assert probabilities.shape == (60, 2)
    assert np.allclose(probabilities.sum(axis=1), 1)
    assert (probabilities.argmax(axis=1) == found["test"].y).mean() > 0.97


def test_many_labels_and_one_that_every_text_has() -> None:
    found = splits(3)
    probabilities = baseline_probabilities(found, 3)
    assert ((probabilities >= 0.5) == found["test"].y).mean() > 0.97
    assert probabilities[:, 2].min() > 0.999


def test_it_equals_scikit_learns_own_classes_on_its_ngrams() -> None:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier

    texts, y = synthetic(120, 0)
    y = np.arange(120) % 3
    vectors = TfidfVectorizer(analyzer=ngrams_of, min_df=2, sublinear_tf=True, dtype=np.float32)
    own = OneVsRestClassifier(LogisticRegression(C=4.0, solver="liblinear", random_state=0))
    own.fit(vectors.fit_transform(texts[:90]), y[:90])
    counts = count_ngrams(texts)
    ours = fit_baseline(counts[:90], y[:90], counts[:9], y[:9], 3, strengths=[4.0]).probabilities(counts[90:])
    assert np.allclose(ours, own.predict_proba(vectors.transform(texts[90:])), atol=1e-4)


def test_labels_of_the_test_split_change_nothing() -> None:
    found = splits()
    other = {**found, "test": as_split(found["test"].x.tolist(), 1 - found["test"].y)}
    assert np.array_equal(baseline_probabilities(found, 2), baseline_probabilities(other, 2))


def test_strength_is_chosen_on_validation() -> None:
    texts, y = synthetic(100, 0)
    counts = count_ngrams(texts)
    train, noisy = np.arange(60), np.where(np.arange(60) % 7, y[:60], 1 - y[:60])
    answers = [
        fit_baseline(counts[train], noisy, counts, y, 2, [each]).probabilities(counts).argmax(axis=1)
        for each in (0.01, 100.0)
    ]
    assert not np.array_equal(*answers)
    for wanted, own in zip((0.01, 100.0), answers, strict=True):
        assert fit_baseline(counts[train], noisy, counts, own, 2, [0.01, 100.0]).strength == wanted


def test_a_label_that_no_training_text_has_gets_no_probability() -> None:
    texts, y = synthetic(60, 0)
    counts = count_ngrams(texts)
    probabilities = fit_baseline(counts, y, counts, y, 3).probabilities(counts)
    assert probabilities[:, 2].max() < 1e-6


def test_out_of_fold_nobody_saw_a_copy() -> None:
    """Labels are thrown for each text: whoever saw a copy knows them, nobody else can."""
    generator = np.random.default_rng(0)
    texts = [synthetic_text(generator, "negative", 12) for _ in range(150)]
    y = generator.integers(0, 2, 150)
    counts, copied, groups = count_ngrams(texts * 2), np.concatenate([y, y]), np.arange(300) % 150
    separate = cross_validated(counts, copied, groups, 2).argmax(axis=1)
    leaking = cross_validated(counts, copied, np.arange(300), 2).argmax(axis=1)
    assert abs((separate == copied).mean() - 0.5) < 0.12
    assert (leaking == copied).mean() > 0.7


def test_very_many_texts_are_a_random_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baseline, "_MOST_TEXTS", 50)
    chosen = baseline.choose_texts(200)
    assert len(np.unique(chosen)) == 50
    assert chosen.tolist() == baseline.choose_texts(200).tolist()
    assert (baseline_probabilities(splits(), 2).argmax(axis=1) == splits()["test"].y).mean() > 0.6


@pytest.mark.parametrize("text", ["", " ", "\ud800", "😀", "a", "\0", "很长的文章。" * 60_000])
def test_any_text_has_ngrams(text: str) -> None:
    ngrams = ngrams_of(text)
    assert "" in ngrams
    assert len(ngrams) < 200_000
    counts = count_ngrams(["good good", "bad bad", text])
    found = fit_baseline(counts[:2], np.array([1, 0]), counts[:2], np.array([1, 0]), 2).probabilities(counts)
    assert np.isfinite(found).all()
