"""Metrics against values worked out by hand; ties, masks and comparisons."""

from __future__ import annotations

from dataclasses import replace
from math import log2

import numpy as np
import polars
import pytest
from scipy.sparse import csr_array

from glassworks.data.interactions.collection import Interactions, ItemColumns
from glassworks.data.interactions.protocols import Cut
from glassworks.errors import DataError
from glassworks.recommendation.evaluation import difference, evaluate, evaluate_scores, measured, rank
from glassworks.recommendation.metrics import measure_lists
from glassworks.recommendation.scoring.popularity import Popularity


def test_one_list_by_hand() -> None:
    found = measure_lists([[5, 1, 7, 2]], [[1, 2, 9]])
    ideal = 1 + 1 / log2(3) + 1 / log2(4)
    assert found["ndcg_at_10"].value == pytest.approx((1 / log2(3) + 1 / log2(5)) / ideal)
    assert found["recall_at_20"].value == pytest.approx(2 / 3)
    assert found["map_at_10"].value == pytest.approx((1 / 2 + 2 / 4) / 3)
    assert found["hit_rate_at_10"].value == 1


def test_the_best_list_has_one_even_with_many_targets() -> None:
    found = measure_lists([list(range(20))], [list(range(30))])
    assert found["ndcg_at_10"].value == pytest.approx(1)
    assert found["map_at_10"].value == pytest.approx(1)
    assert found["recall_at_20"].value == pytest.approx(20 / 30)


def test_the_interval_is_of_users() -> None:
    found = measure_lists([[1]] * 50 + [[2]] * 50, [[1]] * 100)["hit_rate_at_10"]
    assert (found.value, found.examples) == (0.5, 100)
    assert found.interval[0] == pytest.approx(0.4, abs=0.02)
    assert found.interval[1] == pytest.approx(0.6, abs=0.02)


def test_nobody_to_measure() -> None:
    with pytest.raises(DataError, match="no users to measure"):
        measure_lists([], [])


def test_what_was_seen_is_not_ranked_and_ties_go_to_the_first() -> None:
    scores = np.array([[1, 3, 3, 3, 2], [0, 0, 0, 0, 0]], np.float32)
    seen = csr_array(np.array([[0, 1, 0, 0, 0], [0, 0, 0, 0, 0]], np.float32))
    assert rank(scores, seen, 3).tolist() == [[2, 3, 4], [0, 1, 2]]
    assert scores[0, 1] == 3, "the scores are left as they were"


def cut(users: int = 300, items: int = 30) -> Cut:
    generator = np.random.default_rng(0)
    dense = (generator.random((users, items)) < 0.3).astype(np.float32)
    user, item = (each.astype(np.int32) for each in dense.nonzero())
    log = Interactions(
        source="test",
        users=polars.Series(range(users)),
        items=polars.Series(range(items)),
        user=user,
        item=item,
        time=None,
        weight=np.ones(len(user), np.float32),
        liked=np.ones(len(user), np.bool_),
        table=polars.DataFrame({"id": range(items)}),
        columns=ItemColumns(),
        fingerprint="test",
    )
    history = csr_array(dense)
    free = [np.flatnonzero(row == 0) for row in dense]
    targets = tuple(generator.choice(each, 2, replace=False).astype(np.int32) for each in free)
    return Cut(train=log, users=np.arange(users), history=history, weights=history, targets=targets)


def test_a_difference_is_real_where_its_interval_leaves_out_nothing() -> None:
    asked = cut()
    popular = evaluate(asked, Popularity(np.arange(30, dtype=np.float32)))
    wanted = np.zeros(asked.history.shape, np.float32)
    for row, targets in enumerate(asked.targets):
        wanted[row, targets] = 1
    best = evaluate_scores(asked, lambda part: wanted[part])
    assert difference(best, popular).interval[0] > 0
    assert difference(popular, best).interval[1] < 0
    assert difference(best, best).value == 0


def test_coverage_novelty_and_diversity() -> None:
    asked = cut()
    found = measured(evaluate(asked, Popularity(np.arange(30, dtype=np.float32))), asked)
    assert 10 / 30 <= found["coverage_at_10"].value <= 1
    share = 0.3
    assert found["novelty_at_10"].value == pytest.approx(-np.log2(share), abs=0.2)
    assert 0 < found["diversity_at_10"].value < 1
    same = csr_array(np.ones((30, 1), np.float32))
    assert measured(evaluate(asked, Popularity(np.ones(30, np.float32))), asked, same)[
        "diversity_at_10"
    ].value == pytest.approx(0)


def test_popularity_decides_where_a_scorer_knows_nothing() -> None:
    asked = cut(users=4)
    empty = replace(asked, history=csr_array(asked.history.shape, dtype=np.float32))
    nothing = Popularity(np.zeros(30, np.float32))
    popularity = np.arange(30, dtype=np.float32)
    assert evaluate(empty, nothing, popularity).lists[0, 0] == 29
    assert evaluate(empty, nothing).lists[0, 0] == 0
