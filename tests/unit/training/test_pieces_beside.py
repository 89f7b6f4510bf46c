"""The linear classifier of pieces: scikit-learn's own pipeline as its oracle, texts of several windows, its share."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from glassworks.training.pieces import (
    Bags,
    WithPieces,
    best_share,
    clearly_better_share,
    fit_pieces,
    linear_scores,
)

WORDS = 60


def texts(count: int, seed: int) -> tuple[list[NDArray[np.int64]], NDArray[np.int64]]:
    """Distinct numbers of words; the first ten speak for label 1, the next ten for label 0."""
    generator = np.random.default_rng(seed)
    targets = generator.integers(0, 2, count)
    found = []
    for target in targets:
        telling = generator.choice(10, 2) + (0 if target else 10)
        found.append(np.unique(np.concatenate([telling, generator.integers(20, WORDS, 6)])).astype(np.int64) + 1000)
    return found, targets


def bags(hashes: list[NDArray[np.int64]]) -> Bags:
    """One window a text."""
    return Bags(hashes=hashes, weights=np.ones(len(hashes), np.float32), starts=np.arange(len(hashes) + 1))


def test_scores_are_those_of_scikit_learns_pipeline() -> None:
    learning, targets = texts(300, 0)
    held, held_targets = texts(80, 1)
    pieces = fit_pieces(bags(learning), targets, bags(held), held_targets, 2, 10_000)
    lines = [[" ".join(map(str, each)) for each in part] for part in (learning, held)]
    vectorizer = TfidfVectorizer(token_pattern=r"\d+", min_df=2)
    x, other = vectorizer.fit_transform(lines[0]), vectorizer.transform(lines[1])
    models = [LogisticRegression(C=strength, solver="liblinear").fit(x, targets) for strength in (1.0, 4.0, 16.0)]
    wanted = max(models, key=lambda model: model.score(other, held_targets)).decision_function(other)
    scores = linear_scores(pieces, bags(held))
    np.testing.assert_allclose(scores[:, 1] - scores[:, 0], wanted, atol=1e-4)
    assert np.mean(scores.argmax(axis=1) == held_targets) > 0.9


def test_a_text_of_several_windows_is_their_mean() -> None:
    learning, targets = texts(300, 2)
    held, held_targets = texts(90, 3)
    pieces = fit_pieces(bags(learning), targets, bags(held), held_targets, 2, 10_000)
    weights = np.tile(np.array([0.5, 0.2, 0.3], np.float32), 30)
    together = Bags(hashes=held, weights=weights, starts=np.arange(0, 91, 3))
    each = linear_scores(pieces, bags(held)) * weights[:, None]
    np.testing.assert_allclose(linear_scores(pieces, together), each.reshape(30, 3, 2).sum(axis=1), atol=1e-5)


def test_what_is_fitted_on_windows_is_what_is_served() -> None:
    """A text that is cut into two like windows is the text itself."""
    learning, targets = texts(200, 4)
    held, held_targets = texts(60, 5)
    twice = Bags(
        hashes=[each for each in learning for _ in range(2)],
        weights=np.full(400, 0.5, np.float32),
        starts=np.arange(0, 401, 2),
    )
    whole = fit_pieces(bags(learning * 2), np.tile(targets, 2), bags(held), held_targets, 2, 10_000)
    parts = fit_pieces(twice, targets, bags(held), held_targets, 2, 10_000)
    assert whole.known.tolist() == parts.known.tolist()
    agreed = linear_scores(whole, bags(held)).argmax(axis=1) == linear_scores(parts, bags(held)).argmax(axis=1)
    assert agreed.mean() > 0.95


def test_no_more_pieces_stay_than_asked_for_and_the_telling_ones_do() -> None:
    learning, targets = texts(300, 6)
    held, held_targets = texts(60, 7)
    pieces = fit_pieces(bags(learning), targets, bags(held), held_targets, 2, 20)
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


class Network(WithPieces):
    """With one weight of its own."""

    def __init__(self) -> None:
        super().__init__(2)
        self.own = torch.nn.Parameter(torch.zeros(3))


def test_a_state_comes_back_with_its_pieces_and_an_older_one_without() -> None:
    learning, targets = texts(100, 8)
    network = Network()
    network.take(fit_pieces(bags(learning), targets, bags(learning), targets, 2, 100))
    network.share.fill_(0.25)
    again = Network()
    again.restore(network.state_dict())
    assert torch.equal(again.says, network.says)
    assert (again.has_pieces, float(again.share)) == (True, 0.25)
    older = Network()
    older.restore({"own": torch.ones(3)})
    assert older.own.tolist() == [1, 1, 1]
    assert (older.has_pieces, float(older.share)) == (False, 1.0)
    with pytest.raises(RuntimeError, match="own"):
        Network().restore({"share": torch.tensor(1.0)})
