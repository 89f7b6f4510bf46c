"""A weight from every item to every item: EASE in its primal form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from glassworks.recommendation.scoring import Arrays, Scorer, Sparse


class DenseWeights(Scorer):
    """`weights` (A x A) are of the items `active` (int32 A, ascending) among `items`; all others score 0."""

    name: ClassVar[str] = "dense_weights"

    def __init__(self, weights: NDArray[np.float32], active: NDArray[np.int32], items: int) -> None:
        self._weights, self._active, self._items = weights, active, items

    @property
    def items(self) -> int:
        return self._items

    def scores(self, histories: Sparse) -> NDArray[np.float32]:
        found = np.zeros((histories.shape[0], self._items), np.float32)
        for row in range(histories.shape[0]):
            indices, weights = self._known(histories[[row]])
            found[row, self._active] = weights @ self._weights[indices]
        return found

    def contributions(self, history: Sparse, items: NDArray[np.int64]) -> NDArray[np.float32]:
        parts = np.zeros((len(items), history.nnz), np.float32)
        known, columns = np.isin(history.indices, self._active), np.isin(items, self._active)
        indices, weights = self._known(history)
        chosen = np.searchsorted(self._active, items[columns])
        parts[np.ix_(columns, known)] = (self._weights[indices][:, chosen] * weights[:, None]).T
        return parts

    def _known(self, history: Sparse) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Indices among the active items, and weights, of those entries of the row that are active."""
        known = np.isin(history.indices, self._active)
        return np.searchsorted(self._active, history.indices[known]), history.data[known]

    def arrays(self) -> Arrays:
        return {"weights": self._weights, "active": self._active}

    @property
    def parameters(self) -> Mapping[str, Any]:
        return {"items": self._items}

    @classmethod
    def from_arrays(cls, arrays: Arrays, parameters: Mapping[str, Any]) -> Self:
        return cls(arrays["weights"], arrays["active"], int(parameters["items"]))
