"""What every recommender must beat: the most popular items, and the approach of textbooks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from glassworks.data.interactions.collection import Interactions, Sparse, sparse_rows
from glassworks.data.interactions.protocols import Cut
from glassworks.recommendation.evaluation import Ranked, evaluate, evaluate_scores, largest
from glassworks.recommendation.scoring.popularity import Popularity

_NEIGHBORS = 10
_DAY_S = 86_400


def popular(log: Interactions, days: float | None = None) -> Popularity:
    """How many like an item, of all time or in the last `days` of the log, where all time breaks ties."""
    everything = log.popularity()
    if days is None or log.time is None:
        return Popularity(everything)
    recent = log.part(log.time > log.time.max() - days * _DAY_S).popularity()
    return Popularity((recent + 1e-3 * everything).astype(np.float32))


def textbook(cut: Cut) -> Ranked:
    """The pivot table of users and items (0 where there is no rating), cosine between users, and the mean row of the
    ten most similar other users."""
    log = cut.train
    pivot = sparse_rows(log.user, log.item, log.weight, log.shape)
    lengths = np.sqrt(np.asarray(pivot.power(2).sum(axis=1), np.float64).ravel())
    return evaluate_scores(cut, lambda part: _mean_rows(pivot, lengths, cut.weights[part], cut.users[part]))


def _mean_rows(
    pivot: Sparse, lengths: NDArray[np.float64], histories: Sparse, users: NDArray[np.int64]
) -> NDArray[np.float32]:
    own = np.sqrt(np.asarray(histories.power(2).sum(axis=1), np.float64).ravel())
    similar = np.asarray((histories @ pivot.T).toarray(), np.float64)
    similar /= np.maximum(lengths * own[:, None], 1e-30)
    similar[np.arange(len(users)), users] = -1
    nearest = largest(similar, _NEIGHBORS)
    found = np.asarray([pivot[rows].sum(axis=0) for rows in nearest], np.float32)
    return np.asarray(found / nearest.shape[1], np.float32)


def baselines(cut: Cut) -> dict[str, Ranked]:
    """`popularity` and `textbook`, ranked for the users of the cut."""
    return {"popularity": evaluate(cut, popular(cut.train)), "textbook": textbook(cut)}
