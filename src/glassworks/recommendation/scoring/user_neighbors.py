"""What the users with the most alike histories like: user-kNN."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from glassworks.recommendation.scoring import Arrays, Scorer, Sparse


class UserNeighbors(Scorer):
    """Cosine to users in `likes` (sparse U x I) over items weighed by `importance` (I), shrunk by `shrinkage`; the
    `neighbors` most alike vote. A user who likes nothing beyond the history, as the same user does, has no vote."""

    name: ClassVar[str] = "user_neighbors"

    def __init__(
        self,
        likes: Sparse,
        by_item: Sparse,
        importance: NDArray[np.float32],
        *,
        neighbors: int,
        shrinkage: float,
    ) -> None:
        self._likes, self._by_item, self._importance = likes, by_item, importance
        self._neighbors, self._shrinkage = neighbors, shrinkage
        self._norms = np.sqrt(np.asarray(likes.power(2) @ (importance**2), np.float32))
        self._counts = np.diff(likes.indptr)
        self._in_common = by_item.copy()
        self._in_common.data = np.ones(len(by_item.data), np.float32)

    @property
    def items(self) -> int:
        return int(self._likes.shape[1])

    def scores(self, histories: Sparse) -> NDArray[np.float32]:
        from scipy.sparse import csr_array

        return np.asarray((csr_array(self._votes(histories)) @ self._likes).toarray(), np.float32)

    def _votes(self, histories: Sparse) -> NDArray[np.float32]:
        """How alike each of the neighbors is (N U), 0 for all others."""
        alike = np.asarray((self._weighed(histories) @ self._by_item).toarray(), np.float32) / self._scale(histories)
        known = histories.copy()
        known.data = (known.data > 0).astype(np.float32)
        alike[np.asarray((known @ self._in_common).toarray()) >= self._counts] = 0
        if self._neighbors < alike.shape[1]:
            least = -np.partition(-alike, self._neighbors, axis=1)[:, self._neighbors, None]
            alike[alike <= least] = 0
        return alike

    def _weighed(self, histories: Sparse) -> Sparse:
        """By the square of the importance: once for the history, once for the neighbor."""
        found = histories.copy()
        found.data = found.data * self._importance[found.indices] ** 2
        return found

    def _scale(self, histories: Sparse) -> NDArray[np.float32]:
        own = histories.copy()
        own.data = (own.data * self._importance[own.indices]) ** 2
        norms = np.sqrt(np.asarray(own.sum(axis=1), np.float32).ravel())
        return np.asarray(norms[:, None] * self._norms[None] + self._shrinkage + 1e-9, np.float32)

    def contributions(self, history: Sparse, items: NDArray[np.int64]) -> NDArray[np.float32]:
        voters = np.flatnonzero(self._votes(history)[0])
        scale = self._scale(history)[0, voters]
        shared = self._by_item[history.indices][:, voters].toarray() / scale
        shared *= self._weighed(history).data[:, None]
        return np.asarray(shared @ self._likes[voters][:, items].toarray(), np.float32).T

    def arrays(self) -> Arrays:
        found: dict[str, NDArray[Any]] = {}
        for name, rows in (("likes", self._likes), ("by_item", self._by_item)):
            found |= {f"{name}.indptr": rows.indptr, f"{name}.indices": rows.indices}
            if np.any(rows.data != 1):
                found[f"{name}.data"] = rows.data
        return {**found, "importance": self._importance}

    @property
    def parameters(self) -> Mapping[str, Any]:
        return {"neighbors": self._neighbors, "shrinkage": self._shrinkage}

    @classmethod
    def from_arrays(cls, arrays: Arrays, parameters: Mapping[str, Any]) -> Self:
        from scipy.sparse import csr_array

        items, users = len(arrays["importance"]), len(arrays["likes.indptr"]) - 1
        ones = np.ones(len(arrays["likes.indices"]), np.float32)
        likes, by_item = (
            csr_array(
                (arrays.get(f"{name}.data", ones), arrays[f"{name}.indices"], arrays[f"{name}.indptr"]), shape=shape
            )
            for name, shape in (("likes", (users, items)), ("by_item", (items, users)))
        )
        neighbors, shrinkage = int(parameters["neighbors"]), float(parameters["shrinkage"])
        return cls(likes, by_item, arrays["importance"], neighbors=neighbors, shrinkage=shrinkage)
