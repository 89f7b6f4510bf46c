"""Every scorer: parts sum to scores, arrays give the scorer back, rows do not depend on each other."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.sparse import csr_array

from glassworks.families._recommendation.ease import fit_dual
from glassworks.families._recommendation.neighbors import fit_user_neighbors
from glassworks.recommendation.scoring import Scorer, scorers
from glassworks.recommendation.scoring.blend import Blend
from glassworks.recommendation.scoring.content import Content
from glassworks.recommendation.scoring.dense_weights import DenseWeights
from glassworks.recommendation.scoring.factors import Factors
from glassworks.recommendation.scoring.item_weights import ItemWeights
from glassworks.recommendation.scoring.popularity import Popularity

ITEMS = 40


def histories(rows: int = 7, seed: int = 0) -> csr_array:
    """Some histories; the last one is empty."""
    generator = np.random.default_rng(seed)
    dense = generator.random((rows, ITEMS), np.float32) * (generator.random((rows, ITEMS)) < 0.2)
    dense[-1] = 0
    return csr_array(dense.astype(np.float32))


def square(density: float = 0.3) -> NDArray[np.float32]:
    generator = np.random.default_rng(1)
    return (generator.normal(size=(ITEMS, ITEMS)) * (generator.random((ITEMS, ITEMS)) < density)).astype(np.float32)


def likes(users: int = 25) -> csr_array:
    dense = np.random.default_rng(2).random((users, ITEMS)) < 0.2
    dense[:, -3:] = False  # nobody likes the last ones
    return csr_array(dense.astype(np.float32))


def features() -> csr_array:
    dense = (np.random.default_rng(3).random((ITEMS, 6)) < 0.4).astype(np.float32)
    return csr_array(dense / np.maximum(np.linalg.norm(dense, axis=1, keepdims=True), 1))


NAMES = tuple(f"kind: {number}" for number in range(6))
POPULAR = Popularity(np.arange(ITEMS, dtype=np.float32))
_ITEM_FACTORS = np.random.default_rng(4).normal(0, 0.3, (ITEMS, 8)).astype(np.float32)
FACTORS = Factors(_ITEM_FACTORS, np.asarray(_ITEM_FACTORS, np.float64).T @ _ITEM_FACTORS, alpha=1.0, regularization=0.1)


def made() -> dict[str, Scorer]:
    """One of each kind and variant."""
    active = np.arange(3, ITEMS - 2, dtype=np.int32)
    return {
        "popularity": Popularity(np.arange(ITEMS, dtype=np.float32)),
        "weights": ItemWeights(csr_array(square())),
        "shares": ItemWeights(csr_array(square()), share=True),
        "dense": DenseWeights(square()[np.ix_(active, active)], active, ITEMS),
        "dual": fit_dual(likes(), 5.0),
        "dual with features": fit_dual(likes(), 5.0, features().T.tocsr(), NAMES),
        "factors": FACTORS,
        "confident factors": Factors(
            FACTORS.arrays()["factors"], FACTORS.arrays()["gram"], alpha=3.0, regularization=1
        ),
        "users": fit_user_neighbors(likes(), 5, 1.0, rare=True),
        "content": Content(features(), NAMES),
        "blend": Blend([(FACTORS, 0.5), (Content(features(), NAMES), 0.3), (POPULAR, 0.2)]),
    }


@pytest.fixture(params=made())
def scorer(request: pytest.FixtureRequest) -> Scorer:
    return made()[request.param]


def test_each_kind_is_tested() -> None:
    assert {type(each) for each in made().values()} == set(scorers().values())


def test_contributions_and_the_rest_sum_to_the_scores(scorer: Scorer) -> None:
    rows, items = histories(), np.array([5, 0, 39, 17])
    scores = scorer.scores(rows)
    assert scores.shape == (rows.shape[0], ITEMS)
    assert scores.dtype == np.float32
    for row in range(rows.shape[0]):
        history = rows[[row]]
        parts = scorer.contributions(history, items)
        assert parts.shape == (len(items), history.nnz)
        total = parts.sum(axis=1) + scorer.rest(history, items)
        scale = max(1.0, float(np.abs(scores[row]).max()))
        assert np.allclose(total, scores[row, items], rtol=0, atol=scorer.tolerance * scale)


def test_a_batch_equals_its_rows(scorer: Scorer) -> None:
    rows = histories()
    alone = np.concatenate([scorer.scores(rows[[row]]) for row in range(rows.shape[0])])
    assert np.allclose(scorer.scores(rows), alone, atol=1e-6)


def test_its_arrays_give_it_back_even_read_only(scorer: Scorer, tmp_path: Path) -> None:
    opened = {}
    for name, values in scorer.arrays().items():
        np.save(tmp_path / f"{name}.npy", values)
        opened[name] = np.load(tmp_path / f"{name}.npy", mmap_mode="r", allow_pickle=False)
    parameters = json.loads(json.dumps(dict(scorer.parameters)))
    again = type(scorer).from_arrays(opened, parameters)
    assert again.items == ITEMS
    assert np.array_equal(again.scores(histories()), scorer.scores(histories()))


def test_items_outside_the_active_ones_score_nothing() -> None:
    scores = made()["dense"].scores(histories())
    assert not scores[:, :3].any()
    assert scores[:, 3:-2].any()


def test_shares_do_not_change_with_the_size_of_a_history() -> None:
    rows, scorer = histories(), made()["shares"]
    assert np.allclose(scorer.scores(rows * np.float32(3)), scorer.scores(rows), atol=1e-6)


def test_terms_of_content_sum_to_the_score() -> None:
    scorer, history = made()["content"], histories()[[0]]
    for item in (0, 7, 20):
        assert sum(value for _, value in scorer.terms(history, item)) == pytest.approx(
            float(scorer.scores(history)[0, item]), abs=1e-6
        )


def test_terms_of_ease_are_of_its_features_alone() -> None:
    scorer, history = made()["dual with features"], histories()[[0]]
    terms = scorer.terms(history, 4)
    assert terms
    assert {name for name, _ in terms} <= set(NAMES)
    assert [abs(value) for _, value in terms] == sorted((abs(value) for _, value in terms), reverse=True)
    assert made()["dual"].terms(history, 4) == []


def test_an_item_that_nobody_likes_is_found_by_its_features_alone() -> None:
    assert not made()["dual"].scores(histories())[:, -1].any()
    assert made()["dual with features"].scores(histories())[:, -1].any()


def test_a_user_does_not_vote_for_its_own_taste() -> None:
    """A known user asks with its own history: without it, neighbors are the others."""
    rows = likes()
    voted = fit_user_neighbors(rows, 5, 1.0, rare=False).scores(rows[[0]])
    without = fit_user_neighbors(rows[1:], 5, 1.0, rare=False).scores(rows[[0]])
    unseen = np.setdiff1d(np.arange(ITEMS), rows[[0]].indices)
    assert voted[0, unseen].any()
    assert np.allclose(voted[0, unseen], without[0, unseen])


def test_a_blend_counts_each_part_in_its_own_deviations() -> None:
    content, rows = made()["content"], histories()[:3]
    found = Blend([(FACTORS, 0.7), (content, 0.3)]).scores(rows)
    one, other = FACTORS.scores(rows), content.scores(rows)
    wanted = 0.7 * one / one.std(axis=1, keepdims=True) + 0.3 * other / other.std(axis=1, keepdims=True)
    assert np.allclose(found, wanted, atol=1e-4)
