"""The linear classifier of pieces: scikit-learn's own pipeline as its oracle, texts of several windows, its share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from glassworks.families._text.ngrams import (
    Bags,
    WithNgrams,
    best_share,
    clearly_better_share,
    fit_ngrams,
    linear_scores,
)

WORDS = 60


def texts(count: int, seed: int) -> Bags:
    """Distinct numbers of words, one window a text; the first ten speak for label 1, the next ten for label 0."""
    generator = np.random.default_rng(seed)
    targets = generator.integers(0, 2, count)
    found = []
    for target in targets:
        telling = generator.choice(10, 2) + (0 if target else 10)
        found.append(np.unique(np.concatenate([telling, generator.integers(20, WORDS, 6)])).astype(np.int64) + 1000)
    return bags(found, targets)


def bags(hashes: Sequence[NDArray[np.int64]], targets: NDArray[np.int64]) -> Bags:
    """One window a text."""
    texts = len(hashes)
    return Bags(hashes=hashes, weights=np.ones(texts, np.float32), starts=np.arange(texts + 1), targets=targets)


def test_scores_are_those_of_scikit_learns_pipeline() -> None:
    learning, held = texts(300, 0), texts(80, 1)
    pieces = fit_ngrams(learning, held, 2, 10_000)
    lines = [[" ".join(map(str, each)) for each in part.hashes] for part in (learning, held)]
    vectorizer = TfidfVectorizer(token_pattern=r"\d+", min_df=2)
    x, other = vectorizer.fit_transform(lines[0]), vectorizer.transform(lines[1])
    models = [LogisticRegression(C=strength, solver="liblinear").fit(x, learning.targets) for strength in (1, 4, 16)]
    wanted = max(models, key=lambda model: model.score(other, held.targets)).decision_function(other)
    scores = linear_scores(pieces, held)
    np.testing.assert_allclose(scores[:, 1] - scores[:, 0], wanted, atol=1e-4)
    assert np.mean(scores.argmax(axis=1) == held.targets) > 0.9


def test_rare_labels_are_weighed_up_where_the_job_says_so() -> None:
    every, held = texts(300, 4), texts(200, 5)
    rows = np.concatenate([np.flatnonzero(every.targets == 0), np.flatnonzero(every.targets == 1)[:12]])
    learning = bags([every.hashes[row] for row in rows], every.targets[rows])
    recalled = {}
    for balanced in (False, True):
        scores = linear_scores(fit_ngrams(learning, held, 2, 10_000, balanced=balanced), held)
        recalled[balanced] = np.mean(scores[held.targets == 1].argmax(axis=1) == 1)
    assert recalled[True] > recalled[False] + 0.1


def test_a_label_without_a_text_is_never_answered() -> None:
    learning, held = texts(300, 8), texts(80, 9)
    scores = linear_scores(fit_ngrams(learning, held, 3, 10_000), held)
    assert (scores.argmax(axis=1) < 2).all()
    assert np.mean(scores.argmax(axis=1) == held.targets) > 0.9


def test_of_several_labels_one_that_all_texts_have_is_sure_and_one_that_none_has_is_ruled_out() -> None:
    def with_two_more(one: Bags) -> Bags:
        none = np.zeros_like(one.targets)
        return bags(one.hashes, np.stack([one.targets, none, 1 + none], axis=1))

    learning, held = with_two_more(texts(300, 10)), with_two_more(texts(80, 11))
    probabilities = 1 / (1 + np.exp(-linear_scores(fit_ngrams(learning, held, 3, 10_000), held)))
    assert probabilities[:, 1].max() < 0.01
    assert probabilities[:, 2].min() > 0.99
    assert np.mean((probabilities[:, 0] > 0.5) == held.targets[:, 0]) > 0.9


def test_nothing_is_no_piece() -> None:
    """Windows without pieces hold a 0, and are answered as such when they are served."""
    learning, held = texts(300, 12), texts(80, 13)
    empty = [np.zeros(1, np.int64)] * 20
    more = bags([*learning.hashes, *empty], np.concatenate([learning.targets, np.ones(20, np.int64)]))
    pieces = fit_ngrams(more, held, 2, 10_000)
    assert 0 not in pieces.known
    nothing = linear_scores(pieces, bags(empty, np.ones(20, np.int64)))
    np.testing.assert_allclose(nothing, np.tile(pieces.bias, (20, 1)), atol=1e-6)


def test_a_text_of_several_windows_is_their_mean() -> None:
    learning, held = texts(300, 2), texts(90, 3)
    pieces = fit_ngrams(learning, held, 2, 10_000)
    weights = np.tile(np.array([0.5, 0.2, 0.3], np.float32), 30)
    together = Bags(hashes=held.hashes, weights=weights, starts=np.arange(0, 91, 3), targets=held.targets[:30])
    each = linear_scores(pieces, held) * weights[:, None]
    np.testing.assert_allclose(linear_scores(pieces, together), each.reshape(30, 3, 2).sum(axis=1), atol=1e-5)


def test_what_is_fitted_on_windows_is_what_is_served() -> None:
    """A text that is cut into two like windows is the text itself."""
    learning, held = texts(200, 4), texts(60, 5)
    twice = Bags(
        hashes=[each for each in learning.hashes for _ in range(2)],
        weights=np.full(400, 0.5, np.float32),
        starts=np.arange(0, 401, 2),
        targets=learning.targets,
    )
    whole = fit_ngrams(bags([*learning.hashes] * 2, np.tile(learning.targets, 2)), held, 2, 10_000)
    parts = fit_ngrams(twice, held, 2, 10_000)
    assert whole.known.tolist() == parts.known.tolist()
    agreed = linear_scores(whole, held).argmax(axis=1) == linear_scores(parts, held).argmax(axis=1)
    assert agreed.mean() > 0.95


def test_no_more_pieces_stay_than_asked_for_and_the_telling_ones_do() -> None:
    pieces = fit_ngrams(texts(300, 6), texts(60, 7), 2, 20)
    assert len(pieces.known) == 20
    assert np.isin(np.arange(1000, 1020), pieces.known).mean() >= 0.9


def scores_of(strength: float, targets: NDArray[np.int64], seed: int) -> NDArray[np.float32]:
    """Noise, and so much of the truth."""
    noise = np.random.default_rng(seed).normal(size=(len(targets), 2))
    return (noise + strength * np.eye(2)[targets]).astype(np.float32)


@pytest.mark.parametrize("seed", range(5))
def test_pieces_stay_away_where_they_say_nothing_new(seed: int) -> None:
    targets = np.random.default_rng(seed).integers(0, 2, 400)
    deep = scores_of(2.0, targets, seed + 10)
    assert clearly_better_share(deep, scores_of(0.0, targets, seed + 20), targets) == 1.0
    assert clearly_better_share(deep, deep, targets) == 1.0


@pytest.mark.parametrize("seed", range(5))
def test_pieces_that_know_as_much_get_half(seed: int) -> None:
    targets = np.random.default_rng(seed).integers(0, 2, 2000)
    deep, linear = scores_of(1.5, targets, seed + 10), scores_of(1.5, targets, seed + 20)
    share = clearly_better_share(deep, linear, targets)
    assert 0.35 <= share <= 0.65
    assert share == best_share(deep, linear, targets)


def test_few_texts_do_not_convince() -> None:
    """The same gain that 2,000 texts show is no reason on 20."""
    chosen = []
    for seed in range(20):
        targets = np.random.default_rng(seed).integers(0, 2, 20)
        deep, linear = scores_of(3.0, targets, seed + 100), scores_of(0.2, targets, seed + 200)
        chosen.append(clearly_better_share(deep, linear, targets))
    assert np.mean(np.array(chosen) == 1.0) >= 0.8


class Network(WithNgrams):
    """With one weight of its own."""

    def __init__(self) -> None:
        super().__init__(2)
        self.own = torch.nn.Parameter(torch.zeros(3))


def test_a_state_comes_back_with_its_pieces_and_an_older_one_without() -> None:
    learning = texts(100, 8)
    network = Network()
    network.take(fit_ngrams(learning, learning, 2, 100))
    network.share.fill_(0.25)
    again = Network()
    again.restore(network.state_dict())
    assert torch.equal(again.says, network.says)
    assert (again.has_ngrams, float(again.share)) == (True, 0.25)
    older = Network()
    older.restore({"own": torch.ones(3)})
    assert older.own.tolist() == [1, 1, 1]
    assert (older.has_ngrams, float(older.share)) == (False, 1.0)
    with pytest.raises(RuntimeError, match="own"):
        Network().restore({"share": torch.tensor(1.0)})
