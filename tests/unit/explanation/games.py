"""A session whose score is a known function of which parts are there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from glassworks.contracts import Session, Signature, TensorSpec

if TYPE_CHECKING:
    from glassworks.contracts import Array, Tensors


class Neighbors(Session):
    """A sum of weights, and of products of three neighbors, which pairs of coalitions do not tell exactly."""

    def __init__(self, players: int) -> None:
        self._weights = np.random.default_rng(7).normal(size=(2, players))
        self.signature = Signature(
            inputs=(TensorSpec(name="parts", datatype="FP32", shape=(-1, 1, players)),),
            outputs=(TensorSpec(name="scores", datatype="FP64", shape=(-1, 1)),),
        )

    def run(self, tensors: Tensors, outputs: Sequence[str] | None = None) -> dict[str, Array]:
        rows = np.asarray(tensors["parts"], np.float64)[:, 0]
        triples = rows * np.roll(rows, 1, axis=1) * np.roll(rows, 2, axis=1)
        return {"scores": (rows @ self._weights[0] + triples @ self._weights[1])[:, None]}
