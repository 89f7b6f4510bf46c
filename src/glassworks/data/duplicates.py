"""Which pictures are the same, exactly or nearly: copies must never be on both sides of a split.

A near copy is re-encoded, resized or a little brighter. Candidates come from a perceptual feature, the low
frequencies of a cosine transform; each is then confirmed on pixels, because different handwritten ones share
their low frequencies.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glassworks.data.collection import THUMBNAIL, Looks

NEAR = 0.12
"""Largest RMS difference of near copies, in standard deviations of the picture.

The closest two of 5,000 MNIST digits differ by 0.15; JPEG at quality 75 changes a digit by about 0.05
and a photograph by 0.02.
"""
_LOW = 8
_BLOCK = 1024
_FLAT = 4.0
"""A standard deviation of fewer gray levels is not stretched: it would be noise."""
_CHROMA = 10.0
_GAIN = 1.3
_CROWD = 50
"""More close pairs than this a picture mean that the threshold cannot separate these pictures."""
_GROUP_SHARE, _GROUP_MIN = 0.02, 10
_STRICTEST = 1e-3


@dataclass(frozen=True, kw_only=True)
class Duplicates:
    """Group numbers (int64 N). `exact`: the same pixels; `near`: also near copies, so at least as coarse."""

    exact: NDArray[np.int64]
    near: NDArray[np.int64]
    pairs: NDArray[np.int64]
    """P x 2: the near pairs that made the groups, as the first examples of their exact groups."""


def find_duplicates(looks: Looks) -> Duplicates:
    """Group equal and nearly equal pictures.

    Pictures that all look alike (a fixed camera, a video) would be chained into one group: where a group
    passes 2 % of the pictures, its threshold is halved until it falls apart.
    """
    _, first, exact = np.unique(np.array(looks.digests, "S32"), return_index=True, return_inverse=True)
    first, exact = _in_order(first, exact)
    pairs, distances = _near_pairs(looks, first)
    limit = max(_GROUP_MIN, int(_GROUP_SHARE * len(first)))
    groups, kept = _linked(len(first), pairs, distances, limit)
    return Duplicates(exact=exact, near=groups[exact], pairs=first[pairs[kept]])


def _in_order(first: NDArray[np.int64], groups: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Number the groups by their first example."""
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return first[order], rank[groups].astype(np.int64)


def _near_pairs(looks: Looks, which: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Confirmed pairs (P x 2, counted in `which`) and their distances."""
    thumbnails = looks.thumbnails[which].reshape(-1, THUMBNAIL**2)
    mean = thumbnails.mean(axis=1, dtype=np.float32)
    deviation = np.maximum(thumbnails.std(axis=1, dtype=np.float32), _FLAT)
    low = _low_frequencies(thumbnails, mean, deviation)
    threshold = NEAR
    while (candidates := _candidates(low, threshold)) is None:
        threshold /= 2
    found = [
        _confirmed(looks.chroma[which], thumbnails, mean, deviation, candidates[start : start + _BLOCK], threshold)
        for start in range(0, len(candidates), _BLOCK)
    ]
    pairs = np.concatenate([np.zeros((0, 2), np.int64), *(pairs for pairs, _ in found)])
    return pairs, np.concatenate([np.zeros(0, np.float32), *(distances for _, distances in found)])


def _low_frequencies(
    thumbnails: NDArray[np.uint8], mean: NDArray[np.float32], deviation: NDArray[np.float32]
) -> NDArray[np.float32]:
    """63 DCT coefficients of each standardized thumbnail, scaled so that their distance is at most the RMS one."""
    step = np.pi / THUMBNAIL * (np.arange(THUMBNAIL) + 0.5)
    basis = np.cos(np.outer(np.arange(_LOW), step)).astype(np.float32) * np.float32((2 / THUMBNAIL) ** 0.5)
    basis[0] /= np.float32(2**0.5)
    low = np.empty((len(thumbnails), _LOW**2), np.float32)
    for start in range(0, len(thumbnails), _BLOCK):
        rows = slice(start, start + _BLOCK)
        standard = (thumbnails[rows] - mean[rows, None]) / deviation[rows, None]
        square = standard.reshape(-1, THUMBNAIL, THUMBNAIL)
        low[rows] = (basis @ square @ basis.T).reshape(len(square), -1)
    return low[:, 1:] / np.float32(THUMBNAIL)


def _candidates(low: NDArray[np.float32], threshold: float) -> NDArray[np.int64] | None:
    """All pairs whose low frequencies are within `threshold`, P x 2; None when there are too many to be copies.

    Sorted along their widest direction, rows are compared in blocks with the few that follow closely.
    """
    if len(low) < 2:
        return np.zeros((0, 2), np.int64)
    key = low[:, int(low.var(axis=0).argmax())]
    order = np.argsort(key, kind="stable")
    low, key = low[order], key[order]
    square = (low * low).sum(axis=1)
    found: list[NDArray[np.int64]] = []
    count = 0
    for start in range(0, len(low), _BLOCK):
        stop = min(start + _BLOCK, len(low))
        end = int(np.searchsorted(key, key[stop - 1] + threshold, side="right"))
        gap = square[start:stop, None] + square[None, start:end] - 2 * (low[start:stop] @ low[start:end].T)
        rows, columns = np.nonzero(np.triu(gap <= threshold**2 + 1e-5, 1))
        count += len(rows)
        if count > _CROWD * len(low) and threshold > _STRICTEST:
            return None
        found.append(np.stack([order[rows + start], order[columns + start]], axis=1))
    return np.concatenate(found)


def _confirmed(
    chroma: NDArray[np.uint8],
    thumbnails: NDArray[np.uint8],
    mean: NDArray[np.float32],
    deviation: NDArray[np.float32],
    pairs: NDArray[np.int64],
    threshold: float,
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Of the candidates those whose pixels, brightness, contrast and color agree, each pair in ascending order."""
    a, b = pairs.min(axis=1), pairs.max(axis=1)
    standard_a = (thumbnails[a] - mean[a, None]) / deviation[a, None]
    standard_b = (thumbnails[b] - mean[b, None]) / deviation[b, None]
    distance = np.sqrt(np.mean((standard_a - standard_b) ** 2, axis=1))
    wider, narrower = np.maximum(deviation[a], deviation[b]), np.minimum(deviation[a], deviation[b])
    color = (chroma[a].astype(np.float32) - chroma[b]).reshape(len(a), -1)
    same = (
        (distance <= threshold)
        & (np.abs(mean[a] - mean[b]) <= wider / 2)
        & (wider <= _GAIN * narrower)
        & (np.sqrt(np.mean(color**2, axis=1)) <= _CHROMA)
    )
    return np.stack([a, b], axis=1)[same], distance[same]


def _linked(
    count: int, pairs: NDArray[np.int64], distances: NDArray[np.float32], limit: int
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Connected groups of at most `limit` pictures, and which pairs hold them together."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    kept = np.ones(len(pairs), np.bool_)
    threshold = NEAR
    while True:
        left, right = pairs[kept].T
        graph = coo_array((np.ones(len(left), np.bool_), (left, right)), shape=(count, count))
        groups: NDArray[np.int64] = connected_components(graph, directed=False)[1].astype(np.int64)
        crowded = kept & (np.bincount(groups, minlength=1)[groups[pairs[:, 0]]] > limit)
        if not crowded.any():
            return groups, kept
        threshold = threshold / 2 if threshold > _STRICTEST else -1.0
        kept &= ~(crowded & (distances > threshold))
