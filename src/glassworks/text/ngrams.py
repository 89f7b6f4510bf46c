"""N-grams of a normalized text: runs of characters and pairs of tokens, known by hashes of 40 bits."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from glassworks.errors import BundleError

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from tokenizers.pre_tokenizers import PreTokenizer

BITS = 40
_MIX, _STEP, _PAIR = np.uint64(0x9E3779B97F4A7C15), np.uint64(1_000_003), 1_000
_BYTES, _FIRST_BITS = BITS // 8, 20
_REST = BITS - _FIRST_BITS
_CHARACTERS = 65_536
_SURE = 30.0
"""The score of a label that every training text has, and with a minus of one that none has."""


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


def regress(
    x: Any, targets: NDArray[np.int64], labels: int, strength: float, *, balanced: bool = False
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Logistic regressions on `x` (sparse N P), one a label: weights (P K) and bias (K).

    `targets` are N, or 0 and 1 in N K; of two labels that exclude each other one score is the other's negative.
    `balanced`: texts with a label and those without it weigh alike, however many they are.
    """
    from sklearn.linear_model import LogisticRegression

    weights, bias = np.zeros((x.shape[1], labels)), np.zeros(labels)
    mirrored = labels == 2 and targets.ndim == 1
    known = targets if targets.ndim == 2 else (targets[:, None] == np.arange(labels)).astype(np.int64)
    weighing = "balanced" if balanced else None
    for label in range(int(mirrored), labels):
        if known[:, label].min() == known[:, label].max():
            bias[label] = _SURE if known[0, label] else -_SURE
            continue
        one = LogisticRegression(C=strength, solver="liblinear", random_state=0, class_weight=weighing)
        one.fit(x, known[:, label])
        weights[:, label], bias[label] = one.coef_[0], one.intercept_[0]
    if mirrored:
        weights[:, 0], bias[0] = -weights[:, 1], -bias[1]
    return weights, bias


class Normalizer:
    """Normalizes as the tokenizer does; results for single characters are cached."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._normalizer = tokenizer.normalizer
        if self._normalizer is not None:
            self._one = functools.lru_cache(maxsize=_CHARACTERS)(self._normalizer.normalize_str)

    def points(self, text: str) -> NDArray[np.uint32]:
        """Code points alone, which is fast for any normalizer."""
        return code_points(self._normal(text))

    def __call__(self, text: str) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
        """Code points, and the position in `text` of the character that each comes from."""
        from tokenizers import PreTokenizedString

        before, normal = code_points(text), self._normal(text)
        after = code_points(normal)
        if len(normal) == len(text):
            changed = (before != after).nonzero()[0].tolist()
            # Each character became one, as nearly always.
            if all(self._one(text[position]) == normal[position] for position in changed):
                return after, np.arange(len(text))
        parts = PreTokenizedString(text)
        parts.normalize(self._normalizer.normalize)
        _single_characters().pre_tokenize(parts)
        splits = parts.get_splits(offset_referential="original", offset_type="char")
        return after, np.array([position for _, (position, _), _ in splits], np.int64)

    def _normal(self, text: str) -> str:
        return text if self._normalizer is None else str(self._normalizer.normalize_str(text))


@functools.cache
def _single_characters() -> PreTokenizer:
    from tokenizers import Regex, pre_tokenizers

    return pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")


@functools.lru_cache(maxsize=64)
def _loaded(path: Path, changed_ns: int) -> Tokenizer:
    from tokenizers import Tokenizer

    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # noqa: BLE001
        # The library raises plain Exception for whatever is wrong with the file.
        raise BundleError(f"{path.name} is not a tokenizer: {error}", "package the model again") from None


def load_tokenizer(path: Path) -> Tokenizer:
    """A file of the library tokenizers, parsed once. Raises BundleError."""
    try:
        changed_ns = path.stat().st_mtime_ns
    except OSError:
        raise BundleError(f"{path.name} is missing", "package the model again") from None
    return _loaded(path, changed_ns)
