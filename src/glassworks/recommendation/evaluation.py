"""Ranks all items for the users of a cut and compares with what they met next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from glassworks.contracts import Measurement
from glassworks.data.interactions.protocols import Cut
from glassworks.recommendation.metrics import (
    K_RECALL,
    K,
    bootstrap_interval,
    mean_measured,
    user_metrics,
)
from glassworks.recommendation.scoring import Scorer, Sparse

if TYPE_CHECKING:
    from collections.abc import Callable

_CELLS = 20_000_000
"""Scores in memory at a time."""
_RESAMPLES = 200


@dataclass(frozen=True, kw_only=True)
class Ranked:
    """The first 20 items of each user (N 20), best first, and the metrics of each user (N)."""

    lists: NDArray[np.int64]
    users: Mapping[str, NDArray[np.float64]]


def rank(scores: NDArray[np.float32], seen: Sparse, count: int) -> NDArray[np.int64]:
    """The `count` best items of each row that are no entry of `seen`; of equal scores the first item. N x count."""
    scores = scores.astype(np.float32, copy=True)
    scores[np.repeat(np.arange(seen.shape[0]), np.diff(seen.indptr)), seen.indices] = -np.inf
    return largest(scores, count)


def largest(scores: NDArray[np.floating[Any]], count: int) -> NDArray[np.int64]:
    """The indices of the `count` largest values of each row, the largest first; of equal ones the first."""
    count = min(count, scores.shape[1])
    least = -np.partition(-scores, count - 1, axis=1)[:, count - 1]
    found = np.empty((len(scores), count), np.int64)
    for row, values in enumerate(scores):
        near = np.flatnonzero(values >= least[row])
        found[row] = near[np.argsort(-values[near], kind="stable")[:count]]
    return found


def evaluate(cut: Cut, scorer: Scorer, popularity: NDArray[np.float32] | None = None) -> Ranked:
    """What the scorer recommends to the users of the cut, from their histories.

    As in the service, `popularity` (I) decides for those of whom the scorer knows nothing.
    """

    def scores(part: slice) -> NDArray[np.float32]:
        found = scorer.scores(_liked(cut.history[part]))
        if popularity is not None:
            found[~found.any(axis=1)] = popularity
        return found

    return evaluate_scores(cut, scores)


def _liked(history: Sparse) -> Sparse:
    """Without items that were met and not liked."""
    found = history.copy()
    found.eliminate_zeros()
    return found


def evaluate_scores(cut: Cut, scores: Callable[[slice], NDArray[np.float32]]) -> Ranked:
    """The same for any function from some of the users to scores (N I)."""
    step = max(1, _CELLS // max(*cut.train.shape, 1))
    parts = [slice(begin, begin + step) for begin in range(0, len(cut), step)]
    lists = np.concatenate([rank(scores(part), cut.history[part], K_RECALL) for part in parts])
    hits = np.stack([np.isin(row, wanted) for row, wanted in zip(lists, cut.targets, strict=True)])
    counts = np.array([len(wanted) for wanted in cut.targets])
    return Ranked(lists=lists, users=user_metrics(hits, counts))


def measured(ranked: Ranked, cut: Cut, features: Sparse | None = None) -> dict[str, Measurement]:
    """Every metric with its bootstrap interval over users.

    `coverage_at_10` is the share of all items that somebody gets, `novelty_at_10` the mean -log2 of the share of users
    who like a recommended item, `diversity_at_10` one minus the mean cosine of two items of a list: of their `features`
    (I V), or of the users who like them.
    """
    found = {name: mean_measured(values) for name, values in ranked.users.items()}
    found["coverage_at_10"] = _coverage(ranked.lists[:, :K], cut.history.shape[1])
    likes = cut.train.likes()
    found["novelty_at_10"] = mean_measured(_novelty(ranked.lists[:, :K], likes))
    by_item = likes.T.tocsr() if features is None else features
    found["diversity_at_10"] = mean_measured(_diversity(ranked.lists[:, :K], by_item))
    return found


def _coverage(lists: NDArray[np.int64], items: int) -> Measurement:
    generator, n = np.random.default_rng(0), len(lists)
    shares = [len(np.unique(lists[generator.integers(0, n, n)])) / items for _ in range(_RESAMPLES)]
    value = len(np.unique(lists)) / items
    low, high = (float(each) for each in np.quantile(shares, (0.025, 0.975)))
    return Measurement(value=value, interval=(min(low, value), max(high, value)), examples=n)


def _novelty(lists: NDArray[np.int64], likes: Sparse) -> NDArray[np.float64]:
    """An item that nobody likes counts as if one user in all did."""
    users = max(likes.shape[0], 1)
    popularity = np.bincount(likes.indices, minlength=likes.shape[1]).astype(np.float64)
    return np.asarray(-np.log2(np.maximum(popularity, 1) / users)[lists].mean(axis=1), np.float64)


def _diversity(lists: NDArray[np.int64], by_item: Sparse) -> NDArray[np.float64]:
    lengths = np.sqrt(np.asarray(by_item.power(2).sum(axis=1), np.float64).ravel())
    scale = np.where(lengths > 0, 1 / np.maximum(lengths, 1e-30), 0)
    pairs = lists.shape[1] * (lists.shape[1] - 1)
    found = np.ones(len(lists))
    for row, items in enumerate(lists):
        rows = by_item[items]
        alike = (rows @ rows.T).toarray() * np.outer(scale[items], scale[items])
        found[row] = 1 - (alike.sum() - np.trace(alike)) / max(pairs, 1)
    return found


def difference(ours: Ranked, theirs: Ranked, metric: str = "ndcg_at_10") -> Measurement:
    """The paired difference on the same users; the first is better where the interval is above 0."""
    values = ours.users[metric] - theirs.users[metric]
    low, high = bootstrap_interval(values)
    return Measurement(value=float(values.mean()), interval=(low, high), examples=len(values))
