"""Why an item is recommended: what each item of the history adds to its score."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassworks.recommendation.items import Items
from glassworks.recommendation.scoring import Scorer, Sparse


def because(
    scorer: Scorer, items: Items, history: Sparse, indices: NDArray[np.int64], reasons: int
) -> list[dict[str, Any]]:
    """For each item: the largest contributions, the sum of all others, and the part that no item of the history has.

    Together they are the score, within the scorer's tolerance.
    """
    parts = scorer.contributions(history, indices).astype(np.float64)
    rest = scorer.rest(history, indices)
    found = []
    for row, index in enumerate(indices.tolist()):
        order = np.argsort(-parts[row], kind="stable")[:reasons]
        named = [
            {**items.name(int(history.indices[entry])), "contribution": float(parts[row, entry])}
            for entry in order.tolist()
        ]
        others = float(parts[row].sum() - parts[row, order].sum())
        terms = _named(scorer.terms(history, index))[:reasons]
        features = {"features": [{"feature": name, "contribution": value} for name, value in terms]} if terms else {}
        found.append({"because": named, "others": others, "rest": float(rest[row]), **features})
    return found


def _named(terms: Iterable[tuple[str, float]]) -> list[tuple[str, float]]:
    """Sums over columns of one name, such as the dimensions of a vector; the largest first."""
    sums: dict[str, float] = {}
    for name, value in terms:
        sums[name] = sums.get(name, 0.0) + value
    return sorted(sums.items(), key=lambda each: -abs(each[1]))
