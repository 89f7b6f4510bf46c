"""Text becomes what a graph takes: tokens in windows, and hashed pieces; only data of the bundle decides how."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from glassworks.errors import BundleError, InputError

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from tokenizers.pre_tokenizers import PreTokenizer

    from glassworks.contracts import Array

_MIX, _STEP = np.uint64(0x9E3779B97F4A7C15), np.uint64(1_000_003)
_BITS, _PAIR = 40, 1_000


@dataclass(frozen=True, kw_only=True)
class Window:
    """A part of a text as a graph takes it: tokens (T), hashed pieces (M).

    `spans` (T x 2) are the characters of the original text that each token stands for, empty for special tokens;
    `piece_spans` (M x 2) those of each piece. `weight` is the number of tokens that are not special.
    """

    ids: NDArray[np.int64]
    spans: NDArray[np.int64]
    pieces: NDArray[np.int64]
    piece_spans: NDArray[np.int64]
    weight: int


class TextFront:
    """Reads `preprocessing`:

    `tokenizer`: a file of the library tokenizers. `max_tokens`, `overlap`, `max_windows`: longer texts are read in
    windows that overlap by so many tokens. `prefix`, `suffix`: ids around each window. `inputs`: what the graph
    takes, by kind: `ids`, `lengths`, `mask`, `pieces`. `pad`: the id that fills up.
    `piece_orders`: pieces are so many neighboring characters of the normalized text, and pairs of tokens.
    `pieces`: a file with the hashes of those that count, ascending; without it, all do, by their hashes.
    """

    def __init__(self, folder: Path, preprocessing: Mapping[str, Any]) -> None:
        self._tokenizer = _load(folder / str(preprocessing["tokenizer"]))
        self._inputs: Mapping[str, str] = preprocessing["inputs"]
        self._prefix = np.array(preprocessing.get("prefix", ()), np.int64)
        self._suffix = np.array(preprocessing.get("suffix", ()), np.int64)
        self._max, self._overlap = int(preprocessing["max_tokens"]), int(preprocessing.get("overlap", 0))
        self._max_windows, self.pad = int(preprocessing["max_windows"]), int(preprocessing.get("pad", 0))
        self._orders: Sequence[int] = preprocessing.get("piece_orders", ())
        pieces = preprocessing.get("pieces")
        self._known = _load_pieces(folder / str(pieces)) if pieces else None

    def windows(self, text: str) -> list[Window]:
        """At least one window. Raises InputError for a text that is too long."""
        encoding = self._tokenizer.encode(text, add_special_tokens=False)
        ids, spans = np.array(encoding.ids, np.int64), np.array(encoding.offsets, np.int64).reshape(-1, 2)
        room = self._max - len(self._prefix) - len(self._suffix)
        stride = room - self._overlap
        count = 1 + max(0, -(-(len(ids) - room) // stride))
        if count > self._max_windows:
            most = room + (self._max_windows - 1) * stride
            raise InputError(f"the text has {len(ids):,} tokens, at most {most:,} are read", "send it in parts")
        return [self._window(text, ids, spans, start, start + room) for start in range(0, count * stride, stride)]

    def _window(self, text: str, ids: Array, spans: Array, start: int, stop: int) -> Window:
        inner, places = ids[start:stop], spans[start:stop]
        none = np.zeros((1, 2), np.int64)
        if not len(inner) and not len(self._prefix):
            inner, places = np.array([self.pad], np.int64), none  # an empty text still has an answer
        pieces, piece_spans = self._pieces(text, inner, places)
        return Window(
            ids=np.concatenate([self._prefix, inner, self._suffix]),
            spans=np.concatenate([none.repeat(len(self._prefix), 0), places, none.repeat(len(self._suffix), 0)]),
            pieces=pieces,
            piece_spans=piece_spans,
            weight=max(1, stop - start if stop <= len(ids) else len(ids) - start),
        )

    def _pieces(self, text: str, ids: Array, places: Array) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Each distinct piece of the window once, and the characters of its first occurrence; 0 where there is none."""
        nothing = np.zeros(1, np.int64), np.zeros((1, 2), np.int64)
        if not self._orders or not places.any():
            return nothing
        first, last = int(places[:, 0].min()), int(places[:, 1].max())
        found, spans = hashed_pieces(self._normalized(text[first:last]), first, self._orders)
        pairs, pair_spans = hashed_pairs(ids, places)
        found, one = np.unique(np.concatenate([found, pairs]), return_index=True)
        spans = np.concatenate([spans, pair_spans])[one]
        if self._known is not None:
            found = known_pieces(found, self._known)
            found, spans = found[found > 0], spans[found > 0]
        return (found, spans) if len(found) else nothing

    def _normalized(self, text: str) -> list[tuple[str, int]]:
        """Characters after normalization with the place of the original one each comes from."""
        return normalized(self._tokenizer, text)

    def tensors(self, windows: Sequence[Window]) -> dict[str, Array]:
        """Windows as one batch of the graph's inputs, each as long as its longest."""
        lengths = np.array([len(window.ids) for window in windows], np.int64)
        found: dict[str, Array] = {}
        for kind, name in self._inputs.items():
            if kind == "ids":
                found[name] = padded([window.ids for window in windows], self.pad)
            elif kind == "pieces":
                found[name] = padded([window.pieces for window in windows], 0)
            elif kind == "mask":
                found[name] = (np.arange(lengths.max()) < lengths[:, None]).astype(np.int64)
            elif kind == "lengths":
                found[name] = lengths.astype(np.int32)
        return found


def padded(rows: Sequence[NDArray[np.int64]], fill: int) -> NDArray[np.int64]:
    """Rows of different lengths as one array, filled up at their ends."""
    found = np.full((len(rows), max(map(len, rows))), fill, np.int64)
    for place, row in zip(found, rows, strict=True):
        place[: len(row)] = row
    return found


def normalized(tokenizer: Tokenizer, text: str) -> list[tuple[str, int]]:
    """Characters as the tokenizer's normalizer leaves them, with the place of the character each comes from."""
    from tokenizers import NormalizedString, PreTokenizedString

    normalizer = tokenizer.normalizer
    if normalizer is None:
        return [(character, place) for place, character in enumerate(text)]
    whole = NormalizedString(text)
    normalizer.normalize(whole)
    changed = {pair for pair in zip(text, whole.normalized, strict=False) if pair[0] != pair[1]}
    # Nearly always each character became one, and then this is quick.
    if len(whole.normalized) == len(text) and all(normalizer.normalize_str(one) == other for one, other in changed):
        return [(character, place) for place, character in enumerate(whole.normalized)]
    parts = PreTokenizedString(text)
    parts.normalize(normalizer.normalize)
    _single_characters().pre_tokenize(parts)
    splits = parts.get_splits(offset_referential="original", offset_type="char")
    return [(character, place) for character, (place, _), _ in splits]


@functools.cache
def _single_characters() -> PreTokenizer:
    from tokenizers import Regex, pre_tokenizers

    return pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")


def hashed_pieces(
    characters: Sequence[tuple[str, int]], begin: int, orders: Sequence[int]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Hashes (40 bits) of all runs of `orders` characters, and the places that they cover.

    The hash is multiplicative (Knuth, volume 3, section 6.4) over code points.
    """
    points = np.array([ord(character) for character, _ in characters], np.uint64)
    places = np.array([place for _, place in characters], np.int64) + begin
    hashes, spans = [np.zeros(0, np.int64)], [np.zeros((0, 2), np.int64)]
    for order in orders:
        count = len(points) - order + 1
        if count <= 0:
            continue
        mixed = np.full(count, order, np.uint64)
        for offset in range(order):
            mixed = (mixed * _STEP) ^ points[offset : offset + count]
        hashes.append(_finished(mixed))
        spans.append(np.stack([places[:count], places[order - 1 :] + 1], axis=1))
    return np.concatenate(hashes), np.concatenate(spans)


def hashed_pairs(ids: NDArray[Any], places: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The same of pairs of neighboring tokens (T), which cover `places` (T 2)."""
    tokens = ids.astype(np.uint64)
    mixed = ((np.uint64(_PAIR) * _STEP) ^ tokens[:-1]) * _STEP ^ tokens[1:]
    return _finished(mixed), np.stack([places[:-1, 0], places[1:, 1]], axis=1).astype(np.int64)


def known_pieces(hashes: NDArray[np.int64], known: NDArray[np.int64]) -> NDArray[np.int64]:
    """Places in `known` (ascending), counted from 1; 0 for what is not there."""
    place = np.minimum(np.searchsorted(known, hashes), len(known) - 1)
    found: NDArray[np.int64] = np.where(known[place] == hashes, place + 1, 0).astype(np.int64)
    return found


def _finished(mixed: NDArray[np.uint64]) -> NDArray[np.int64]:
    mixed = (mixed ^ (mixed >> np.uint64(29))) * _MIX
    return (mixed >> np.uint64(64 - _BITS)).astype(np.int64)


def _load_pieces(path: Path) -> NDArray[np.int64]:
    try:
        found = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise BundleError(f"{path.name} holds no hashes: {error}", "package the model again") from None
    if found.dtype != np.int64 or found.ndim != 1 or not len(found):
        raise BundleError(f"{path.name} holds no hashes", "package the model again")
    return np.asarray(found, np.int64)


@functools.lru_cache(maxsize=64)
def _loaded(path: Path, changed_ns: int) -> Tokenizer:
    from tokenizers import Tokenizer

    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # noqa: BLE001
        # The library raises plain Exception for whatever is wrong with the file.
        raise BundleError(f"{path.name} is not a tokenizer: {error}", "package the model again") from None


def _load(path: Path) -> Tokenizer:
    try:
        changed_ns = path.stat().st_mtime_ns
    except OSError:
        raise BundleError(f"{path.name} is missing", "package the model again") from None
    return _loaded(path, changed_ns)
