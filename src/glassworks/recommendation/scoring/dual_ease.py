"""EASE in its dual form: item weights that are never written out, for fewer users than items.

Steck (2019) has B = I - P diag(1 / diag P) with P = (X'X + l I)^-1. By Woodbury's identity P = (I - X' K X) / l with
K = (X X' + l I)^-1 (U x U), so that a score needs only X and K X.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from glassworks.recommendation.scoring import Arrays, Scorer, Sparse


class DualEase(Scorer):
    """`by_item` (sparse I x M) holds X', `solved` (A x M) the columns of K X of the items `active` (int32 A,
    ascending).

    `scale` (A) is 1 / (l diag P). The last rows of X, M of them, may be features of items instead of users; `features`
    are their names. All items that are not active score 0.
    """

    name: ClassVar[str] = "dual_ease"

    def __init__(
        self,
        by_item: Sparse,
        solved: NDArray[np.float32],
        scale: NDArray[np.float32],
        active: NDArray[np.int32],
        features: Sequence[str] = (),
    ) -> None:
        self._by_item, self._solved, self._scale, self._active = by_item, solved, scale, active
        self._features = tuple(features)

    @property
    def items(self) -> int:
        return int(self._by_item.shape[0])

    def scores(self, histories: Sparse) -> NDArray[np.float32]:
        found = np.zeros(histories.shape, np.float32)
        met = np.asarray((histories @ self._by_item).toarray(), np.float32)
        found[:, self._active] = (met @ self._solved.T) * self._scale
        self._forget_own(found, histories)
        return found

    def _forget_own(self, found: NDArray[np.float32], histories: Sparse) -> None:
        """B has zeros on its diagonal: an item of the history adds nothing to its own score."""
        rows = np.repeat(np.arange(histories.shape[0]), np.diff(histories.indptr))
        indices = np.searchsorted(self._active, histories.indices)
        known = np.isin(histories.indices, self._active)
        rows, items, indices = rows[known], histories.indices[known], indices[known]
        scale, weight = self._scale[indices], histories.data[known]
        found[rows, items] += weight * (1 - scale)

    def contributions(self, history: Sparse, items: NDArray[np.int64]) -> NDArray[np.float32]:
        parts = np.zeros((len(items), history.nnz), np.float32)
        known = np.isin(items, self._active)
        indices = np.searchsorted(self._active, items[known])
        mine = self._by_item[history.indices]
        shared = np.asarray(mine @ np.ascontiguousarray(self._solved[indices].T), np.float32)
        parts[known] = (shared * history.data[:, None] * self._scale[indices]).T
        parts[items[:, None] == history.indices[None]] = 0
        return parts

    def terms(self, history: Sparse, item: int) -> list[tuple[str, float]]:
        index = int(np.searchsorted(self._active, item))
        count = len(self._features)
        if not count or index >= len(self._active) or self._active[index] != item:
            return []
        met = np.asarray((history @ self._by_item).toarray(), np.float32).ravel()[-count:]
        values = met * self._solved[index, -count:] * self._scale[index]
        order = np.argsort(-np.abs(values), kind="stable")
        return [(self._features[at], float(values[at])) for at in order if values[at]]

    def arrays(self) -> Arrays:
        rows = {"indptr": self._by_item.indptr, "indices": self._by_item.indices, "data": self._by_item.data}
        return {**rows, "solved": self._solved, "scale": self._scale, "active": self._active}

    @property
    def parameters(self) -> Mapping[str, Any]:
        return {"items": self.items, "features": list(self._features)}

    @classmethod
    def from_arrays(cls, arrays: Arrays, parameters: Mapping[str, Any]) -> Self:
        from scipy.sparse import csr_array

        solved = arrays["solved"]
        parts = (arrays["data"], arrays["indices"], arrays["indptr"])
        by_item = csr_array(parts, shape=(int(parameters["items"]), solved.shape[1]))
        return cls(by_item, solved, arrays["scale"], arrays["active"], parameters["features"])
