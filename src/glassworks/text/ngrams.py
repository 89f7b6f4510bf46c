"""N-grams of texts, of characters and of two tokens, as hashes of 40 bits."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassworks.errors import BundleError

BITS = 40
_MIX, _STEP, _PAIR = np.uint64(0x9E3779B97F4A7C15), np.uint64(1_000_003), 1_000
_BYTES, _FIRST_BITS = BITS // 8, 20
_REST = BITS - _FIRST_BITS


def code_points(text: str) -> NDArray[np.uint32]:
    """One number a character."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")


def hashed_ngrams(points: NDArray[np.uint32], orders: Sequence[int]) -> NDArray[np.int64]:
    """Hashes (40 bits) of all n-grams of characters, n in `orders`.

    The hash is multiplicative (Knuth, volume 3, section 6.4) over code points.
    """
    wide = points.astype(np.uint64)
    counts = [max(0, len(points) - order + 1) for order in orders]
    hashes, end = np.empty(sum(counts), np.uint64), 0
    for order, count in zip(orders, counts, strict=True):
        begin, end = end, end + count
        mixed = hashes[begin:end]
        np.bitwise_xor(wide[:count], np.uint64(order) * _STEP, out=mixed)
        for offset in range(1, order if count else 0):
            mixed *= _STEP
            mixed ^= wide[offset : offset + count]
    return _finished(hashes)


def ngrams_of_parts(
    points: Sequence[NDArray[np.uint32]], tokens: Sequence[NDArray[np.int64]], orders: Sequence[int]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Hashes of the n-grams of all parts joined, and the parts in which each begins and ends.

    Those that end in another part than they begin in do not count.
    """
    hashes = np.concatenate([hashed_ngrams(np.concatenate(points), orders), hashed_pairs(np.concatenate(tokens))])
    characters, words = (np.arange(len(parts)).repeat([len(part) for part in parts]) for parts in (points, tokens))
    lengths = [*((characters, order) for order in orders), (words, 2)]
    first = np.concatenate([owners[: max(0, len(owners) - length + 1)] for owners, length in lengths])
    last = np.concatenate([owners[length - 1 :] for owners, length in lengths])
    return hashes, first, last


def ngram_offsets(positions: NDArray[np.int64], orders: Sequence[int]) -> NDArray[np.int64]:
    """Offsets (M 2) of the n-grams of characters that lie at `positions`."""
    length = len(positions)
    parts = [
        np.stack([positions[: length - order + 1], positions[order - 1 :] + 1], axis=1)
        for order in orders
        if order <= length
    ]
    return np.concatenate([np.zeros((0, 2), np.int64), *parts])


def hashed_pairs(ids: NDArray[Any]) -> NDArray[np.int64]:
    """Hashes of pairs of neighboring tokens (T)."""
    tokens = ids.astype(np.uint64)
    return _finished(((np.uint64(_PAIR) * _STEP) ^ tokens[:-1]) * _STEP ^ tokens[1:])


def pair_offsets(covered: NDArray[Any]) -> NDArray[np.int64]:
    """Offsets (T - 1, 2) of pairs of tokens with the offsets `covered` (T 2)."""
    return np.stack([covered[:-1, 0], covered[1:, 1]], axis=1).astype(np.int64)


class KnownNgrams:
    """A fast lookup of hashes: their first bits say where in the ascending list each may stand.

    Most hashes are unknown, and most of those share their first bits with no known one.
    """

    def __init__(self, known: NDArray[np.int64]) -> None:
        begins = known >> _REST
        counts = np.bincount(begins, minlength=2**_FIRST_BITS)
        self._first = np.where(counts > 0, np.cumsum(counts) - counts, -1).astype(np.int32)
        self._most = int(counts.max())
        self._known = np.concatenate([known, np.full(self._most, -1)])

    def find(self, hashes: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Ranks of the known ones, counted from 1, and their indices in `hashes`."""
        first = self._first[hashes >> _REST]
        likely = (first >= 0).nonzero()[0]
        wanted, rank = hashes[likely], first[likely].astype(np.int64)
        found = np.zeros(len(likely), np.int64)
        for _ in range(self._most):
            hit = self._known[rank] == wanted
            rank += 1
            found += rank * hit
        there = found.nonzero()[0]
        return found[there], likely[there]


def known_ngrams(hashes: NDArray[np.int64], known: NDArray[np.int64]) -> NDArray[np.int64]:
    """Ranks in `known` (ascending), counted from 1; 0 for unknown ones."""
    rank = np.minimum(np.searchsorted(known, hashes), len(known) - 1)
    found: NDArray[np.int64] = np.where(known[rank] == hashes, rank + 1, 0).astype(np.int64)
    return found


def _finished(mixed: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Mixes the bits, in place."""
    mixed ^= mixed >> np.uint64(29)
    mixed *= _MIX
    mixed >>= np.uint64(64 - BITS)
    return mixed.view(np.int64)


def save_ngrams(path: Path, hashes: NDArray[np.int64]) -> None:
    """Write ascending hashes, five bytes each."""
    np.save(path, hashes.astype(">u8").view(np.uint8).reshape(-1, 8)[:, 8 - _BYTES :])


def load_ngrams(path: Path) -> NDArray[np.int64]:
    """What `save_ngrams` wrote. Raises BundleError."""
    try:
        found = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise BundleError(f"{path.name} holds no hashes: {error}", "package the model again") from None
    if found.dtype != np.uint8 or found.ndim != 2 or found.shape[1] != _BYTES or not len(found):
        raise BundleError(f"{path.name} holds no hashes", "package the model again")
    wide = np.zeros((len(found), 8), np.uint8)
    wide[:, 8 - _BYTES :] = found
    return wide.view(">u8").ravel().astype(np.int64)
