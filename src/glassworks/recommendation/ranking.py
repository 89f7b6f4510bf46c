"""The best k of the eligible items, by score alone or with diversity."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from glassworks.recommendation.items import Mask

Floats = NDArray[np.float32]
Indices = NDArray[np.int64]


def best(scores: Floats, mask: Mask, k: int) -> Indices:
    """Up to k items of `mask` by index, the largest scores first, equal ones in their order."""
    indices = np.flatnonzero(mask)
    if not len(indices):
        return indices
    values = scores[indices]
    if len(indices) > k:
        least = np.partition(values, len(values) - k)[len(values) - k]
        above, equal = np.flatnonzero(values > least), np.flatnonzero(values == least)
        kept = np.sort(np.concatenate([above, equal[: k - len(above)]]))
        indices, values = indices[kept], values[kept]
    found: Indices = indices[np.argsort(-values, kind="stable")]
    return found


def diverse(scores: Floats, pool: Indices, likeness: Floats, k: int, diversity: float) -> Indices:
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
        index = int(merit.argmax())
        chosen.append(index)
        left[index] = False
        nearest = np.maximum(nearest, likeness[index])
    found: Indices = pool[chosen]
    return found
