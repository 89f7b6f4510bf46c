"""Factors of items, with those of users computed from their histories: implicit ALS (Hu, Koren and Volinsky 2008)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from glassworks.recommendation.scoring import Arrays, Scorer, Sparse

Square = NDArray[np.float64]


class Factors(Scorer):
    """`factors` (I x F), `gram` (F x F) is their Y'Y.

    A user's factors solve (Y'Y + Y'(C - I)Y + l I) x = Y'C p with confidence `alpha` times the history's weights for
    what it holds and 1 for all else; so a score is the sum over the history of c_j y_i' W y_j (their section 5).
    """

    name: ClassVar[str] = "factors"
    tolerance: ClassVar[float] = 1e-4

    def __init__(self, factors: NDArray[np.float32], gram: Square, *, alpha: float, regularization: float) -> None:
        self._factors, self._gram, self._alpha, self._regularization = factors, gram, alpha, regularization

    @property
    def items(self) -> int:
        return len(self._factors)

    def vectors(self) -> NDArray[np.float32]:
        return self._factors

    def scores(self, histories: Sparse) -> NDArray[np.float32]:
        return self.users(histories).astype(np.float32) @ self._factors.T

    def users(self, histories: Sparse) -> NDArray[np.float64]:
        """Factors of users (N F)."""
        confidence = self._alpha * histories.data.astype(np.float64)
        if np.all((confidence == 1) | (confidence == 0)):
            # All of them solve the same system.
            wanted = np.asarray(histories @ self._factors, np.float64)
            return np.asarray(np.linalg.solve(self._system(None, None), wanted.T).T, np.float64)
        found = np.zeros((histories.shape[0], self._factors.shape[1]))
        for row in range(len(found)):
            begin, end = histories.indptr[row : row + 2]
            known = self._factors[histories.indices[begin:end]].astype(np.float64)
            mine = confidence[begin:end]
            found[row] = np.linalg.solve(self._system(known, mine), mine @ known)
        return found

    def _system(self, known: NDArray[np.float64] | None, confidence: NDArray[np.float64] | None) -> Square:
        found: Square = self._gram + self._regularization * np.eye(len(self._gram))
        if known is not None and confidence is not None:
            extra = np.where(confidence > 0, confidence - 1, 0)
            found += known.T @ (known * extra[:, None])
        return found

    def contributions(self, history: Sparse, items: NDArray[np.int64]) -> NDArray[np.float32]:
        known = self._factors[history.indices].astype(np.float64)
        confidence = self._alpha * history.data.astype(np.float64)
        wanted = self._factors[items].astype(np.float64)
        solved = np.linalg.solve(self._system(known, confidence), wanted.T)
        return np.asarray(((known @ solved) * confidence[:, None]).T, np.float32)

    def arrays(self) -> Arrays:
        return {"factors": self._factors, "gram": self._gram}

    @property
    def parameters(self) -> Mapping[str, Any]:
        return {"alpha": self._alpha, "regularization": self._regularization}

    @classmethod
    def from_arrays(cls, arrays: Arrays, parameters: Mapping[str, Any]) -> Self:
        weights = {name: float(parameters[name]) for name in ("alpha", "regularization")}
        return cls(arrays["factors"], np.asarray(arrays["gram"], np.float64), **weights)
