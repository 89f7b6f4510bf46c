"""The best k of the items that may be recommended, by score alone or also by how they differ."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from glassworks.recommendation.items import Mask

Floats = NDArray[np.float32]
Places = NDArray[np.int64]


def best(scores: Floats, mask: Mask, k: int) -> Places:
    """Up to k places of `mask`, the largest scores first, equal ones in their order."""
    places = np.flatnonzero(mask)
    if not len(places):
        return places
    values = scores[places]
    if len(places) > k:
        least = np.partition(values, len(values) - k)[len(values) - k]
        above, equal = np.flatnonzero(values > least), np.flatnonzero(values == least)
        kept = np.sort(np.concatenate([above, equal[: k - len(above)]]))
        places, values = places[kept], values[kept]
    found: Places = places[np.argsort(-values, kind="stable")]
    return found


def diverse(scores: Floats, pool: Places, likeness: Floats, k: int, diversity: float) -> Places:
    """Maximal marginal relevance (Carbonell and Goldstein 1998): k of the pool (P), best first.

    Each next one has the largest (1 - diversity) * relevance - diversity * likeness to the nearest one above it, where
    relevance is the score on a scale from 0 to 1 within the pool and `likeness` (P P) lies between 0 and 1.
    """
    values = scores[pool].astype(np.float64)
    spread = float(values.max() - values.min())
    relevance = (values - values.min()) / spread if spread > 0 else np.ones(len(pool))
    nearest, left, chosen = np.zeros(len(pool)), np.ones(len(pool), np.bool_), []
    for _ in range(min(k, len(pool))):
        merit = np.where(left, (1 - diversity) * relevance - diversity * nearest, -np.inf)
        place = int(merit.argmax())
        chosen.append(place)
        left[place] = False
        nearest = np.maximum(nearest, likeness[place])
    found: Places = pool[chosen]
    return found
