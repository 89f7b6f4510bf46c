"""Several scorers together: the weighted sum of their scores, each counted in its own standard deviations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from glassworks.recommendation.scoring import Arrays, Scorer, Sparse, scorers

_SMALLEST = 1e-9


class Blend(Scorer):
    """`parts` are scorers with their weights. The mean of a part over all items is left in: it moves no rank."""

    name: ClassVar[str] = "blend"
    tolerance: ClassVar[float] = 1e-4

    def __init__(self, parts: Sequence[tuple[Scorer, float]]) -> None:
        self._parts = tuple(parts)

    @property
    def items(self) -> int:
        return self._parts[0][0].items

    def scores(self, histories: Sparse) -> NDArray[np.float32]:
        found = np.zeros((histories.shape[0], self.items), np.float32)
        for scorer, weight in self._parts:
            scores = scorer.scores(histories)
            found += scores * _unit(scores, weight)[:, None]
        return found

    def contributions(self, history: Sparse, items: NDArray[np.int64]) -> NDArray[np.float32]:
        found = np.zeros((len(items), history.nnz), np.float32)
        for scorer, unit in self._units(history):
            found += scorer.contributions(history, items) * unit
        return found

    def rest(self, history: Sparse, items: NDArray[np.int64]) -> NDArray[np.float32]:
        found = np.zeros(len(items), np.float32)
        for scorer, unit in self._units(history):
            found += scorer.rest(history, items) * unit
        return found

    def terms(self, history: Sparse, item: int) -> list[tuple[str, float]]:
        found = [
            (name, value * float(unit))
            for scorer, unit in self._units(history)
            for name, value in scorer.terms(history, item)
        ]
        return sorted(found, key=lambda each: -abs(each[1]))

    def _units(self, history: Sparse) -> list[tuple[Scorer, np.float32]]:
        return [(scorer, _unit(scorer.scores(history), weight)[0]) for scorer, weight in self._parts]

    def arrays(self) -> Arrays:
        return {
            f"{number}.{name}": values
            for number, (scorer, _) in enumerate(self._parts)
            for name, values in scorer.arrays().items()
        }

    @property
    def parameters(self) -> Mapping[str, Any]:
        parts = [
            {"scorer": scorer.name, "weight": weight, "parameters": dict(scorer.parameters)}
            for scorer, weight in self._parts
        ]
        return {"parts": parts}

    @classmethod
    def from_arrays(cls, arrays: Arrays, parameters: Mapping[str, Any]) -> Self:
        known, parts = scorers(), []
        for number, part in enumerate(parameters["parts"]):
            begin = f"{number}."
            own = {name.removeprefix(begin): values for name, values in arrays.items() if name.startswith(begin)}
            parts.append((known[part["scorer"]].from_arrays(own, part["parameters"]), float(part["weight"])))
        return cls(parts)


def _unit(scores: NDArray[np.float32], weight: float) -> NDArray[np.float32]:
    """What a score is multiplied by, of each row."""
    return np.asarray(weight / (scores.std(axis=1, dtype=np.float64) + _SMALLEST), np.float32)
