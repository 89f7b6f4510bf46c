"""Every scorer: parts sum to scores, arrays give the scorer back, rows do not depend on each other."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.sparse import csr_array

from glassworks.tasks.recommendation.scoring import Scorer, scorers
from glassworks.tasks.recommendation.scoring.dense_weights import DenseWeights
from glassworks.tasks.recommendation.scoring.item_weights import ItemWeights
from glassworks.tasks.recommendation.scoring.popularity import Popularity

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


def made() -> dict[str, Scorer]:
    """One of each kind and variant."""
    active = np.arange(3, ITEMS - 2, dtype=np.int32)
    return {
        "popularity": Popularity(np.arange(ITEMS, dtype=np.float32)),
        "weights": ItemWeights(csr_array(square())),
        "shares": ItemWeights(csr_array(square()), share=True),
        "dense": DenseWeights(square()[np.ix_(active, active)], active, ITEMS),
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
