"""Models that turn what they take into vectors, and what a server needs to know of their tokens."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

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

    @abstractmethod
    def embed_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors (N D) of texts, of which those that were asked for before need not be computed again."""

    def knows(self, texts: Sequence[str]) -> bool:
        """Whether it reads the signs of these texts, hardly any of which are unknown to it."""
        return True


class Tokens(ABC):
    """The tokens of texts as a model counts them. Safe to share between threads."""

    most: int
    """Of a text; the model refuses a longer one."""

    @abstractmethod
    def count(self, texts: Sequence[str]) -> list[int]:
        """How many tokens each text has, with the special ones around it."""

    @abstractmethod
    def text(self, ids: Sequence[int]) -> str:
        """The text whose tokens these are, with or without the special ones. Raises InputError where there is none."""


class Embedding(ABC):
    """Its models give vectors of texts, in the output EMBEDDING."""

    @abstractmethod
    def tokens(self, folder: Path, preprocessing: Mapping[str, Any]) -> Tokens:
        """Those of a model whose bundle is in `folder`."""
