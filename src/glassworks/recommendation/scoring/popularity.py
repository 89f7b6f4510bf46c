"""The same for everybody: how many like an item."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from glassworks.recommendation.scoring import Arrays, Scorer, Sparse


class Popularity(Scorer):
    """`popularity` is float32 I."""

    name: ClassVar[str] = "popularity"

    def __init__(self, popularity: NDArray[np.float32]) -> None:
        self._popularity = popularity

    @property
    def items(self) -> int:
        return len(self._popularity)

    def scores(self, histories: Sparse) -> NDArray[np.float32]:
        return np.tile(self._popularity, (histories.shape[0], 1))

    def contributions(self, history: Sparse, items: NDArray[np.int64]) -> NDArray[np.float32]:
        return np.zeros((len(items), history.nnz), np.float32)

    def rest(self, history: Sparse, items: NDArray[np.int64]) -> NDArray[np.float32]:
        return np.asarray(self._popularity[items], np.float32)

    def arrays(self) -> Arrays:
        return {"popularity": self._popularity}

    @property
    def parameters(self) -> Mapping[str, Any]:
        return {}

    @classmethod
    def from_arrays(cls, arrays: Arrays, parameters: Mapping[str, Any]) -> Self:
        return cls(arrays["popularity"])
