"""Weights from item to item: item-kNN, RP3beta and EASE in its primal form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from glassworks.recommendation.scoring import Arrays, Scorer, Sparse


class ItemWeights(Scorer):
    """Few weights an item: a score is the sum of the history's weights times those of its items.

    `weights` (a sparse I x I) has a row an item of the history and a column an item that is scored. With `share`, the
    history's weights are taken as shares of their sum.
    """

    name: ClassVar[str] = "item_weights"

    def __init__(self, weights: Sparse, *, share: bool = False) -> None:
        self._weights, self._share = weights, share

    @property
    def items(self) -> int:
        return int(self._weights.shape[1])

    def scores(self, histories: Sparse) -> NDArray[np.float32]:
        found = np.asarray((histories @ self._weights).toarray(), np.float32)
        return found / totals(histories)[:, None] if self._share else found

    def contributions(self, history: Sparse, items: NDArray[np.int64]) -> NDArray[np.float32]:
        rows = self._weights[history.indices][:, items].toarray()
        parts = np.asarray(rows * history.data[:, None], np.float32).T
        return parts / totals(history)[0] if self._share else parts

    def arrays(self) -> Arrays:
        return {"indptr": self._weights.indptr, "indices": self._weights.indices, "data": self._weights.data}

    @property
    def parameters(self) -> Mapping[str, Any]:
        return {"items": self.items, "share": self._share}

    @classmethod
    def from_arrays(cls, arrays: Arrays, parameters: Mapping[str, Any]) -> Self:
        from scipy.sparse import csr_array

        count = int(parameters["items"])
        parts = (arrays["data"], arrays["indices"], arrays["indptr"])
        return cls(csr_array(parts, shape=(count, count)), share=bool(parameters["share"]))


def totals(histories: Sparse) -> NDArray[np.float32]:
    """The sum of each history's weights (N); 1 for an empty one."""
    found = np.asarray(histories.sum(axis=1), np.float32).ravel()
    return np.where(found > 0, found, np.float32(1))
