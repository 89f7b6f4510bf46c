"""Windows: the parts of a text that a graph computes, one a row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Window:
    """A part of a text as a graph takes it: tokens (T), hashed n-grams (M).

    `offsets` (T x 2) are the characters of the text that each token stands for, empty for special tokens;
    `ngram_offsets` (M x 2) those of each n-gram. `weight` is the number of tokens that are not special.
    """

    ids: NDArray[np.int64]
    offsets: NDArray[np.int64]
    ngrams: NDArray[np.int64]
    ngram_offsets: NDArray[np.int64]
    weight: int


def padded(rows: Sequence[NDArray[np.int64]], fill: int) -> NDArray[np.int64]:
    """Rows of different lengths as one array, padded at their ends."""
    found = np.full((len(rows), max(map(len, rows))), fill, np.int64)
    for target, row in zip(found, rows, strict=True):
        target[: len(row)] = row
    return found
