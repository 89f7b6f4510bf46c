"""NDCG@10 and recall@20 on MovieLens, against an independent implementation with pandas and dense numpy.

Its numbers, to four places: leave-last-out over 668 users, temporal with fold-in over 143. All 9,066 films are ranked.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from glassworks.data.interactions import protocols
from glassworks.data.interactions.collection import Interactions
from glassworks.data.interactions.keys import InteractionData
from glassworks.data.interactions.protocols import Cut
from glassworks.data.interactions.reading import read_interactions
from glassworks.families._recommendation.ease import fit_dual
from glassworks.families._recommendation.factorization import fit_factors
from glassworks.families._recommendation.neighbors import fit_item_neighbors
from glassworks.recommendation.baselines import popular, textbook
from glassworks.recommendation.evaluation import Ranked, evaluate

NEAR = 0.001


@pytest.fixture(scope="module")
def log() -> Interactions:
    return read_interactions(InteractionData(source="sample:movielens-small", positive=4))


@pytest.fixture(scope="module")
def cuts(log: Interactions) -> dict[str, Cut]:
    return {"last": protocols.leave_last_out(log), "temporal": protocols.temporal(log, 0.8)}


def ials(cut: Cut) -> Ranked:
    fitted = fit_factors(
        cut.train.likes(), factors=100, alpha=1.0, regularization=0.01, iterations=15, seed=42, threads=1
    )
    return evaluate(cut, fitted)


Model = Callable[[Cut], Ranked]
KNOWN: list[tuple[str, str, Model, float, float]] = [
    ("last", "popularity", lambda cut: evaluate(cut, popular(cut.train)), 0.0311, 0.0763),
    ("last", "popularity of a year", lambda cut: evaluate(cut, popular(cut.train, 365)), 0.0201, 0.0659),
    ("last", "textbook", textbook, 0.0450, 0.1377),
    ("last", "item-kNN", lambda cut: evaluate(cut, fit_item_neighbors(cut.train.likes(), 20, 0)), 0.0444, 0.1482),
    ("last", "EASE", lambda cut: evaluate(cut, fit_dual(cut.train.likes(), 100)), 0.0578, 0.1647),
    ("last", "iALS", ials, 0.0530, 0.1587),
    ("temporal", "popularity", lambda cut: evaluate(cut, popular(cut.train)), 0.0436, 0.0713),
    ("temporal", "textbook", textbook, 0.0745, 0.1024),
    ("temporal", "item-kNN", lambda cut: evaluate(cut, fit_item_neighbors(cut.train.likes(), 100, 0)), 0.0667, 0.1045),
    ("temporal", "EASE", lambda cut: evaluate(cut, fit_dual(cut.train.likes(), 200)), 0.0862, 0.1178),
    ("temporal", "iALS", ials, 0.0885, 0.1116),
]


def test_as_many_users_are_asked(cuts: dict[str, Cut]) -> None:
    assert {name: len(cut) for name, cut in cuts.items()} == {"last": 668, "temporal": 143}


@pytest.mark.parametrize(
    ("protocol", "name", "model", "ndcg", "recall"), KNOWN, ids=[f"{each[0]} {each[1]}" for each in KNOWN]
)
def test_known_figures(
    protocol: str, name: str, model: Model, ndcg: float, recall: float, cuts: dict[str, Cut]
) -> None:
    users = model(cuts[protocol]).users
    assert float(users["ndcg_at_10"].mean()) == pytest.approx(ndcg, abs=NEAR)
    assert float(users["recall_at_20"].mean()) == pytest.approx(recall, abs=NEAR)


def test_users_that_were_never_seen(log: Interactions) -> None:
    """The first of five folds of users; the same implementation."""
    cut = protocols.strong_generalization(log, protocols.fold_of_users(log, 0, 42), 42)
    assert len(cut) == 131
    assert not set(cut.train.user.tolist()) & set(cut.users.tolist())
