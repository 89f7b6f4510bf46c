"""Item-kNN, user-kNN and RP3beta: weights from what is liked together."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from glassworks.recommendation.scoring import Sparse
from glassworks.recommendation.scoring.item_weights import ItemWeights
from glassworks.recommendation.scoring.user_neighbors import UserNeighbors

Weigh = Callable[[NDArray[np.float32], int], NDArray[np.float32]]
"""Rows of a matrix of items, and where they begin, to their weights."""
_CELLS = 50_000_000
"""So many values of a matrix are dense at a time."""


def fit_item_neighbors(likes: Sparse, neighbors: int, shrinkage: float) -> ItemWeights:
    """Cosine between items over users (U I), shrunk; of each scored item the `neighbors` most alike count."""
    norms = np.sqrt(np.asarray(likes.power(2).sum(axis=0), np.float32).ravel())

    def weigh(together: NDArray[np.float32], begin: int) -> NDArray[np.float32]:
        found = together / (norms[begin : begin + len(together), None] * norms[None] + shrinkage + 1e-30)
        found[np.arange(len(found)), begin + np.arange(len(found))] = 0
        return np.asarray(found, np.float32)

    return ItemWeights(_nearest(likes, likes, weigh, neighbors))


def fit_walk(likes: Sparse, alpha: float, beta: float, neighbors: int | None) -> ItemWeights:
    """RP3beta (Paudel et al. 2017): a random walk from an item over a user to an item, against popularity.

    With `neighbors` each scored item keeps the weights of the strongest ones.
    """
    from scipy.sparse import csr_array, diags_array

    users = np.maximum(np.asarray(likes.sum(axis=1), np.float64).ravel(), 1)
    items = np.maximum(np.asarray(likes.sum(axis=0), np.float64).ravel(), 1)
    onward = csr_array(diags_array(users**-alpha) @ likes).astype(np.float32)
    back = csr_array(likes @ diags_array(items**-alpha)).astype(np.float32)

    def weigh(together: NDArray[np.float32], begin: int) -> NDArray[np.float32]:
        return np.asarray(together / items[begin : begin + len(together), None] ** beta, np.float32)

    return ItemWeights(_nearest(onward, back, weigh, neighbors), share=True)


def fit_user_neighbors(likes: Sparse, neighbors: int, shrinkage: float, rare: bool) -> UserNeighbors:
    """Cosine between users; with `rare` an item counts the more, the fewer like it."""
    from scipy.sparse import csr_array

    popularity = np.bincount(likes.indices, minlength=likes.shape[1]).astype(np.float32)
    users = likes.shape[0]
    importance = np.log1p(users / (1 + popularity)) if rare else np.ones(len(popularity))
    return UserNeighbors(
        likes,
        csr_array(likes.T),
        importance.astype(np.float32),
        neighbors=min(neighbors, users),
        shrinkage=shrinkage,
    )


def _nearest(scored: Sparse, known: Sparse, weigh: Weigh, neighbors: int | None) -> Sparse:
    """Rows are items of the history, columns those that are scored: `known`' x `scored`, weighed, the largest kept.

    What is equal to the last of the neighbors is kept too.
    """
    from scipy.sparse import csc_array, csr_array, vstack

    items, by_item = scored.shape[1], csr_array(scored.T)
    step = max(1, _CELLS // max(items, 1))
    parts = []
    for begin in range(0, items, step):
        together = np.asarray((by_item[begin : begin + step] @ known).toarray(), np.float32)
        weights = weigh(together, begin)
        if neighbors is not None and neighbors < items:
            least = -np.partition(-weights, neighbors, axis=1)[:, neighbors, None]
            weights[weights < least] = 0
        parts.append(csr_array(weights))
    whole = csr_array(vstack(parts))
    return csr_array(csc_array((whole.data, whole.indices, whole.indptr), shape=(items, items)))
