"""Texts that say the same: by the rule of `data.same`, in their letters, or nearly."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

from glassworks.catalog import require
from glassworks.data.text.sameness import Same, plain, sameness

NEAR = 0.7
"""Jaccard similarity of the sets of three-character n-grams from which two texts count as near copies."""
_SIZE, _PERMUTATIONS, _BANDS = 3, 128, 32
"""32 bands of 4 hashes find 99.9 % of pairs with similarity 0.7, which are then compared exactly (Broder 1997)."""
_LONGEST = 20_000
"""Of longer texts so many characters are compared."""
_SHORTEST = 8
"""Shorter texts are near copies too easily: "not good" and "not goods"."""


@dataclass(frozen=True, kw_only=True)
class Copies:
    """Groups of texts, int64 N: `same` are the same by the rule; those of `alike` have the same letters and digits;
    `near` adds near copies, in chains too. Each is at least as coarse as the one before.

    `pairs` (P 2) are the rows of near copies that made the groups of `near` out of those of `alike`.
    """

    same: NDArray[np.int64]
    alike: NDArray[np.int64]
    near: NDArray[np.int64]
    pairs: NDArray[np.int64]


def find_copies(texts: Sequence[str], same: Same = "spacing") -> Copies:
    """Compare all texts. Raises MissingLibrary."""
    alike, keys = _numbered(plain(text) for text in texts)
    pairs = list(_near_pairs(keys))
    left, right = np.array(pairs, np.int64).reshape(-1, 2).T
    graph = csr_matrix((np.ones(len(left), np.bool_), (left, right)), shape=(len(keys), len(keys)))
    _, component = connected_components(graph, directed=False)
    first = np.unique(alike, return_index=True)[1]
    return Copies(
        same=_numbered(sameness(text, same) for text in texts)[0],
        alike=alike,
        near=component.astype(np.int64)[alike],
        pairs=np.unique(np.stack([first[left], first[right]], axis=1), axis=0),
    )


def _numbered(keys: Iterable[str]) -> tuple[NDArray[np.int64], list[str]]:
    """A number for each key (int64 N), and the distinct keys."""
    number: dict[str, int] = {}
    return np.array([number.setdefault(key, len(number)) for key in keys], np.int64), list(number)


def _near_pairs(keys: Sequence[str]) -> Iterable[tuple[int, int]]:
    require(("datasketch",), "finding near copies of texts", extra="text")
    from datasketch import MinHash

    long = [index for index, key in enumerate(keys) if len(key) >= _SHORTEST]
    ngrams = [_ngrams(keys[index][:_LONGEST]) for index in long]
    encoded = [[ngram.encode("utf-8", "surrogatepass") for ngram in each] for each in ngrams]
    hashes = [sketch.hashvalues for sketch in MinHash.bulk(encoded, num_perm=_PERMUTATIONS, seed=1)]
    seen: set[tuple[int, int]] = set()
    rows = _PERMUTATIONS // _BANDS
    for band in range(0, _PERMUTATIONS, rows):
        buckets: dict[bytes, list[int]] = {}
        for index, values in enumerate(hashes):
            bucket = buckets.setdefault(values[band : band + rows].tobytes(), [])
            for other in bucket:
                if (other, index) in seen or _jaccard(ngrams[other], ngrams[index]) >= NEAR:
                    # One is enough: chains make the group, not every pair.
                    seen.add((other, index))
                    yield long[other], long[index]
                    break
            bucket.append(index)


def _ngrams(key: str) -> set[str]:
    return {key[at : at + _SIZE] for at in range(len(key) - _SIZE + 1)}


def _jaccard(one: set[str], other: set[str]) -> float:
    both = len(one & other)
    return both / (len(one) + len(other) - both)
