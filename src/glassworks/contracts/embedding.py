"""A registered model that other models are built upon."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from glassworks.contracts.records import Array, Opened

EMBEDDING = "embedding"
"""The output that holds the vectors of a model that embeds, FP32 N D."""


class Embedder(ABC):
    """Turns what its task takes into vectors of length 1: similar inputs lie close."""

    reference: str
    """NAME@VERSION."""
    task: str
    preprocessing: Mapping[str, Any]
    """How its task stores an example."""
    graph: Opened
    """The fp32 artifact that computes them."""

    @abstractmethod
    def embed(self, x: Array) -> NDArray[np.float32]:
        """Vectors (N D) of stored examples (N ...)."""
