"""Scorers: what a fitted recommender computes, in arrays that can be memory-mapped; one file each.

A history is a row of weights over items (a sparse row; what is not liked has no entry, or 0). Every scorer says exactly
which part of a score each item of the history has.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

Sparse = Any
"""A `scipy.sparse.csr_array` of float32, N I; scipy ships no types."""
Arrays = Mapping[str, NDArray[Any]]


class Scorer(ABC):
    """Scores every item for histories. Rows are users (N), columns items (I); float32. Holds no state between calls."""

    name: ClassVar[str]
    """Its name in the artifact's index file."""
    tolerance: ClassVar[float] = 1e-5
    """Contributions and the rest sum to the score within this part of the largest of them."""

    @property
    @abstractmethod
    def items(self) -> int:
        """How many items there are, I."""

    @abstractmethod
    def scores(self, histories: Sparse) -> NDArray[np.float32]:
        """N I."""

    @abstractmethod
    def contributions(self, history: Sparse, items: NDArray[np.int64]) -> NDArray[np.float32]:
        """The part of each of `items`' scores that each stored entry of the one row `history` has: len(items) x nnz."""

    def rest(self, history: Sparse, items: NDArray[np.int64]) -> NDArray[np.float32]:
        """The part of each of `items`' scores that no entry of the one row `history` has, such as popularity."""
        return np.zeros(len(items), np.float32)

    def vectors(self) -> NDArray[np.float32] | None:
        """Vectors of items (I F), where every score is the product of one of these and one of `users`; else None."""
        return None

    def users(self, histories: Sparse) -> NDArray[Any]:
        """Vectors of histories (N F); empty without `vectors`."""
        return np.zeros((histories.shape[0], 0), np.float32)

    def terms(self, history: Sparse, item: int) -> list[tuple[str, float]]:
        """Features of the item with their parts of its score, the largest first; empty without features."""
        return []

    @abstractmethod
    def arrays(self) -> Arrays:
        """The arrays to write, by name."""

    @property
    @abstractmethod
    def parameters(self) -> Mapping[str, Any]:
        """Everything else to write, as JSON."""

    @classmethod
    @abstractmethod
    def from_arrays(cls, arrays: Arrays, parameters: Mapping[str, Any]) -> Self:
        """The inverse of `arrays` and `parameters`; arrays may be memory-mapped and read-only."""


def scorers() -> Mapping[str, type[Scorer]]:
    """Every scorer by its name."""
    modules = (importlib.import_module(f"{__name__}.{info.name}") for info in pkgutil.iter_modules(__path__))
    found = (
        value
        for module in modules
        for value in vars(module).values()
        if inspect.isclass(value) and issubclass(value, Scorer) and value.__module__ == module.__name__
    )
    return {scorer.name: scorer for scorer in found}
