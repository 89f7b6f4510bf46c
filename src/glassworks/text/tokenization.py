"""Text becomes what a graph takes: tokens in windows, and hashed pieces; only data of the bundle decides how."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from glassworks.errors import BundleError, InputError
from glassworks.text.ngrams import (
    BITS,
    KnownPieces,
    code_points,
    hashed_pairs,
    hashed_pieces,
    load_pieces,
    pair_spans,
    piece_spans,
    pieces_of_parts,
)

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from tokenizers.pre_tokenizers import PreTokenizer

    from glassworks.contracts import Array

MOST_WINDOWS = 64
"""Of a text in one request, and of a text that a model is judged by."""
_CHARACTERS = 65_536
_NOWHERE = np.zeros((1, 2), np.int64)


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


class _Tokens:
    """Tokens of a text (T). What each covers (T 2) is asked for only where it is told: that takes as long as half of
    the tokenizing."""

    def __init__(self, tokenizer: Tokenizer, text: str) -> None:
        self._encoding = tokenizer.encode(text, add_special_tokens=False)
        self.ids = np.array(self._encoding.ids, np.int64)

    @functools.cached_property
    def spans(self) -> NDArray[np.int64]:
        flat = itertools.chain.from_iterable(self._encoding.offsets)
        return np.fromiter(flat, np.int64, 2 * len(self.ids)).reshape(-1, 2)

    def span(self, place: int) -> tuple[int, int]:
        """What one token covers."""
        return self._encoding.token_to_chars(place) or (0, 0)


class _Part:
    """A part of a text: so many tokens from `start` on, and from where to where in the text they reach."""

    def __init__(self, text: str, tokens: _Tokens, start: int, length: int) -> None:
        self.text, self._tokens, self._place = text, tokens, slice(start, start + length)
        self.ids = tokens.ids[self._place]
        some = len(self.ids) > 0
        self.begin = tokens.span(start)[0] if some else 0
        self.end = tokens.span(start + len(self.ids) - 1)[1] if some else 0

    @property
    def spans(self) -> NDArray[np.int64]:
        return self._tokens.spans[self._place]


class TextFront:
    """Reads `preprocessing`:

    `tokenizer`: a file of the library tokenizers. `max_tokens`, `overlap`, `max_windows`: longer texts are read in
    windows that overlap by so many tokens; of more than `windows`, only the first and the last. `prefix`, `suffix`:
    ids around each window. `inputs`: what the graph takes, by kind: `ids`, `lengths`, `mask`, `pieces`. `pad`: the id
    that fills up.
    `piece_orders`: pieces are so many neighboring characters of the normalized text, and pairs of tokens.
    `piece_tokenizer`: the file whose normalizer and tokens pieces have, where that is another one.
    `pieces`: a file with the hashes of those that count, ascending; without it, all do, by their hashes.
    """

    def __init__(self, folder: Path, preprocessing: Mapping[str, Any]) -> None:
        self._tokenizer = _load(folder / str(preprocessing["tokenizer"]))
        other = preprocessing.get("piece_tokenizer")
        self._words = _load(folder / str(other)) if other else None
        self._normalized = Normalizer(self._words or self._tokenizer)
        self._inputs: Mapping[str, str] = preprocessing["inputs"]
        self._prefix = np.array(preprocessing.get("prefix", ()), np.int64)
        self._suffix = np.array(preprocessing.get("suffix", ()), np.int64)
        self._max, self._overlap = int(preprocessing["max_tokens"]), int(preprocessing.get("overlap", 0))
        self._max_windows, self.pad = int(preprocessing["max_windows"]), int(preprocessing.get("pad", 0))
        self._read = int(preprocessing.get("windows", self._max_windows))
        self._orders: Sequence[int] = preprocessing.get("piece_orders", ())
        pieces = preprocessing.get("pieces")
        self._known = KnownPieces(load_pieces(folder / str(pieces))) if pieces else None

    def windows(self, text: str) -> list[Window]:
        """At least one window. Raises InputError for a text that is too long."""
        return [self._window(part, part.spans, *self._pieces(part)) for part in self._parts(text)]

    def read(self, texts: Sequence[str]) -> list[list[Window]]:
        """The same windows of many texts, quicker; they do not say what tokens and pieces cover. Raises InputError."""
        parts = [self._parts(text) for text in texts]
        pieces = iter(self._pieces_of([part for each in parts for part in each]))
        return [[self._window(part, _NOWHERE, next(pieces), _NOWHERE) for part in each] for each in parts]

    def _parts(self, text: str) -> list[_Part]:
        tokens = _Tokens(self._tokenizer, text)
        room = self._max - len(self._prefix) - len(self._suffix)
        stride = room - self._overlap
        count = 1 + max(0, -(-(len(tokens.ids) - room) // stride))
        if count > self._max_windows:
            most = room + (self._max_windows - 1) * stride
            raise InputError(f"the text has {len(tokens.ids):,} tokens, at most {most:,} are read", "send it in parts")
        starts = [*range(0, count * stride, stride)]
        if count > self._read:
            behind = self._read // 2
            last = len(tokens.ids) - room
            starts = [*starts[: self._read - behind], *range(last - (behind - 1) * stride, last + 1, stride)]
        return [_Part(text, tokens, start, room) for start in starts]

    def _window(
        self, part: _Part, spans: NDArray[np.int64], pieces: NDArray[np.int64], covered: NDArray[np.int64]
    ) -> Window:
        ids = part.ids
        before, behind = len(self._prefix), len(self._suffix)
        if not len(ids) and not before:
            ids, spans = np.array([self.pad], np.int64), _NOWHERE  # an empty text still has an answer
        if before or behind:
            ids = np.concatenate([self._prefix, ids, self._suffix])
            spans = np.concatenate([_NOWHERE.repeat(before, 0), spans, _NOWHERE.repeat(behind, 0)])
        return Window(ids=ids, spans=spans, pieces=pieces, piece_spans=covered, weight=max(1, len(part.ids)))

    def _pieces(self, part: _Part) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Each distinct piece of the window once, and the characters of its first occurrence; 0 where there is none."""
        if not self._orders or part.end == 0:
            return np.zeros(1, np.int64), _NOWHERE
        points, origins = self._normalized(part.text[part.begin : part.end])
        paired, offset = self._paired(part)
        found, there = np.concatenate([hashed_pieces(points, self._orders), hashed_pairs(paired.ids)]), None
        if self._known is not None:
            found, there = self._known.find(found)
        if not len(found):
            return np.zeros(1, np.int64), _NOWHERE
        found, one = np.unique(found, return_index=True)
        spans = np.concatenate([piece_spans(origins + part.begin, self._orders), pair_spans(paired.spans + offset)])
        return found, spans[one if there is None else there[one]]

    def _paired(self, part: _Part) -> tuple[_Part | _Tokens, int]:
        """The tokens whose pairs are pieces, and where in the text what they cover is counted from."""
        if self._words is None:
            return part, 0
        return _Tokens(self._words, part.text[part.begin : part.end]), part.begin

    def _pieces_of(self, parts: Sequence[_Part]) -> list[NDArray[np.int64]]:
        """The distinct pieces of each window, all windows at once: runs that reach into the next one are left out."""
        if not self._orders or not parts:
            return [np.zeros(1, np.int64) for _ in parts]
        points = [self._normalized.points(part.text[part.begin : part.end]) for part in parts]
        tokens = [self._paired(part)[0].ids if part.end else part.ids[:0] for part in parts]
        if len(parts) == 1:
            found = np.concatenate([hashed_pieces(points[0], self._orders), hashed_pairs(tokens[0])])
            return [_or_nothing(_distinct(found if self._known is None else self._known.find(found)[0]))]
        found, first, last = pieces_of_parts(points, tokens, self._orders)
        if self._known is not None:
            found, there = self._known.find(found)
            first, last = first[there], last[there]
        both = _distinct(((first << BITS) | found)[first == last])
        ends = np.searchsorted(both, np.arange(1, len(parts)) << BITS)
        return [_or_nothing(each) for each in np.split(both & (2**BITS - 1), ends)]

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


def _distinct(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Each value once, ascending; quicker than NumPy's `unique`."""
    ordered = np.sort(values)
    return np.concatenate([ordered[:1], ordered[1:][ordered[1:] != ordered[:-1]]])


def _or_nothing(pieces: NDArray[np.int64]) -> NDArray[np.int64]:
    return pieces if len(pieces) else np.zeros(1, np.int64)


def padded(rows: Sequence[NDArray[np.int64]], fill: int) -> NDArray[np.int64]:
    """Rows of different lengths as one array, filled up at their ends."""
    found = np.full((len(rows), max(map(len, rows))), fill, np.int64)
    for place, row in zip(found, rows, strict=True):
        place[: len(row)] = row
    return found


class Normalizer:
    """Gives characters as the tokenizer's normalizer leaves them; what becomes of one character is remembered."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._normalizer = tokenizer.normalizer
        if self._normalizer is not None:
            self._one = functools.lru_cache(maxsize=_CHARACTERS)(self._normalizer.normalize_str)

    def points(self, text: str) -> NDArray[np.uint32]:
        """Code points alone: quick also where one character becomes several, or several one."""
        return code_points(self._normal(text))

    def __call__(self, text: str) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
        """Code points, and the place in `text` of the character that each comes from."""
        from tokenizers import PreTokenizedString

        before, normal = code_points(text), self._normal(text)
        after = code_points(normal)
        if len(normal) == len(text):
            changed = (before != after).nonzero()[0].tolist()
            # Each character became one: nearly always so, and then all is quick.
            if all(self._one(text[place]) == normal[place] for place in changed):
                return after, np.arange(len(text))
        parts = PreTokenizedString(text)
        parts.normalize(self._normalizer.normalize)
        _single_characters().pre_tokenize(parts)
        splits = parts.get_splits(offset_referential="original", offset_type="char")
        return after, np.array([place for _, (place, _), _ in splits], np.int64)

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


def _load(path: Path) -> Tokenizer:
    try:
        changed_ns = path.stat().st_mtime_ns
    except OSError:
        raise BundleError(f"{path.name} is missing", "package the model again") from None
    return _loaded(path, changed_ns)
