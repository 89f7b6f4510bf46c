"""Pieces of texts: runs of characters and pairs of tokens, known by hashes of 40 bits."""

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


def hashed_pieces(points: NDArray[np.uint32], orders: Sequence[int]) -> NDArray[np.int64]:
    """Hashes (40 bits) of all runs of `orders` characters.

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


def pieces_of_parts(
    points: Sequence[NDArray[np.uint32]], tokens: Sequence[NDArray[np.int64]], orders: Sequence[int]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Hashes of the runs of characters and pairs of tokens of all parts, and in which part each begins and ends.

    Those that end in another part than they begin in are no pieces.
    """
    hashes = np.concatenate([hashed_pieces(np.concatenate(points), orders), hashed_pairs(np.concatenate(tokens))])
    characters, words = (np.arange(len(parts)).repeat([len(part) for part in parts]) for parts in (points, tokens))
    lengths = [*((characters, order) for order in orders), (words, 2)]
    first = np.concatenate([owners[: max(0, len(owners) - length + 1)] for owners, length in lengths])
    last = np.concatenate([owners[length - 1 :] for owners, length in lengths])
    return hashes, first, last


def piece_spans(places: NDArray[np.int64], orders: Sequence[int]) -> NDArray[np.int64]:
    """What each of these runs covers (M 2), where each character stands in `places`."""
    length = len(places)
    parts = [
        np.stack([places[: length - order + 1], places[order - 1 :] + 1], axis=1) for order in orders if order <= length
    ]
    return np.concatenate([np.zeros((0, 2), np.int64), *parts])


def hashed_pairs(ids: NDArray[Any]) -> NDArray[np.int64]:
    """The same of pairs of neighboring tokens (T)."""
    tokens = ids.astype(np.uint64)
    return _finished(((np.uint64(_PAIR) * _STEP) ^ tokens[:-1]) * _STEP ^ tokens[1:])


def pair_spans(covered: NDArray[Any]) -> NDArray[np.int64]:
    """What each pair covers (T - 1, 2), where each token covers `covered` (T 2)."""
    return np.stack([covered[:-1, 0], covered[1:, 1]], axis=1).astype(np.int64)


class KnownPieces:
    """Looks up hashes quickly: their first bits say where in the ascending list each may stand.

    Most hashes are not known, and most of those begin as no known one does.
    """

    def __init__(self, known: NDArray[np.int64]) -> None:
        begins = known >> _REST
        counts = np.bincount(begins, minlength=2**_FIRST_BITS)
        self._first = np.where(counts > 0, np.cumsum(counts) - counts, -1).astype(np.int32)
        self._most = int(counts.max())
        self._known = np.concatenate([known, np.full(self._most, -1)])

    def find(self, hashes: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Places of those that are known, counted from 1, and where they stood in `hashes`."""
        first = self._first[hashes >> _REST]
        likely = (first >= 0).nonzero()[0]
        wanted, place = hashes[likely], first[likely].astype(np.int64)
        found = np.zeros(len(likely), np.int64)
        for _ in range(self._most):
            hit = self._known[place] == wanted
            place += 1
            found += place * hit
        there = found.nonzero()[0]
        return found[there], likely[there]


def known_pieces(hashes: NDArray[np.int64], known: NDArray[np.int64]) -> NDArray[np.int64]:
    """Places in `known` (ascending), counted from 1; 0 for what is not there."""
    place = np.minimum(np.searchsorted(known, hashes), len(known) - 1)
    found: NDArray[np.int64] = np.where(known[place] == hashes, place + 1, 0).astype(np.int64)
    return found


def _finished(mixed: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Changes what it is given."""
    mixed ^= mixed >> np.uint64(29)
    mixed *= _MIX
    mixed >>= np.uint64(64 - BITS)
    return mixed.view(np.int64)


def save_pieces(path: Path, hashes: NDArray[np.int64]) -> None:
    """Write ascending hashes, five bytes each."""
    np.save(path, hashes.astype(">u8").view(np.uint8).reshape(-1, 8)[:, 8 - _BYTES :])


def load_pieces(path: Path) -> NDArray[np.int64]:
    """What `save_pieces` wrote. Raises BundleError."""
    try:
        found = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise BundleError(f"{path.name} holds no hashes: {error}", "package the model again") from None
    if found.dtype != np.uint8 or found.ndim != 2 or found.shape[1] != _BYTES or not len(found):
        raise BundleError(f"{path.name} holds no hashes", "package the model again")
    wide = np.zeros((len(found), 8), np.uint8)
    wide[:, 8 - _BYTES :] = found
    return wide.view(">u8").ravel().astype(np.int64)
