"""What items are, and not who met them: cosine between an item's features and those of the history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from glassworks.recommendation.scoring import Arrays, Scorer, Sparse


class Content(Scorer):
    """`features` (sparse I x V) has rows of length 1 or 0, and `names` (V) are what people call its columns."""

    name: ClassVar[str] = "content"

    def __init__(self, features: Sparse, names: Sequence[str]) -> None:
        self._features, self._names = features, tuple(names)

    @property
    def items(self) -> int:
        return int(self._features.shape[0])

    def scores(self, histories: Sparse) -> NDArray[np.float32]:
        taste = (histories @ self._features).toarray() / self._lengths(histories)[:, None]
        return np.asarray(self._features @ np.ascontiguousarray(taste.T), np.float32).T

    def _lengths(self, histories: Sparse) -> NDArray[np.float32]:
        squares = np.asarray((histories @ self._features).power(2).sum(axis=1), np.float32).ravel()
        return np.where(squares > 0, np.sqrt(squares), np.float32(1))

    def contributions(self, history: Sparse, items: NDArray[np.int64]) -> NDArray[np.float32]:
        shared = (self._features[items] @ self._features[history.indices].T).toarray()
        return np.asarray(shared * history.data / self._lengths(history)[0], np.float32)

    def terms(self, history: Sparse, item: int) -> list[tuple[str, float]]:
        taste = (history @ self._features).toarray().ravel() / self._lengths(history)[0]
        row = self._features[[item]]
        values = row.data * taste[row.indices]
        order = np.argsort(-np.abs(values), kind="stable")
        return [(self._names[row.indices[at]], float(values[at])) for at in order if values[at]]

    def arrays(self) -> Arrays:
        return {"indptr": self._features.indptr, "indices": self._features.indices, "data": self._features.data}

    @property
    def parameters(self) -> Mapping[str, Any]:
        return {"names": list(self._names)}

    @classmethod
    def from_arrays(cls, arrays: Arrays, parameters: Mapping[str, Any]) -> Self:
        from scipy.sparse import csr_array

        names = parameters["names"]
        parts = (arrays["data"], arrays["indices"], arrays["indptr"])
        return cls(csr_array(parts, shape=(len(arrays["indptr"]) - 1, len(names))), names)
