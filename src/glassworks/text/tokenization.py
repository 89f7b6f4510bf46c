"""Tokenization: a text becomes tokens in windows, and hashed n-grams, as a bundle's preprocessing says."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from glassworks.contracts import Signature, TensorSpec
from glassworks.errors import InputError
from glassworks.text.ngrams import (
    BITS,
    KnownNgrams,
    Normalizer,
    hashed_ngrams,
    hashed_pairs,
    load_ngrams,
    load_tokenizer,
    ngram_offsets,
    ngrams_of_parts,
    pair_offsets,
)

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from glassworks.contracts import Array

INPUT, OUTPUT, LABEL_SET = "text", "probabilities", "label_set"
"""Names of the tensors: a text; a probability a label; which labels are not ruled out."""
MOST_WINDOWS = 64
"""Of a text in one request, and of a text that a model is evaluated on."""
_NOWHERE = np.zeros((1, 2), np.int64)


def signature(labels: int) -> Signature:
    """Texts in; a probability a label, and whether the label is in the set, out."""
    return Signature(
        inputs=(TensorSpec(name=INPUT, datatype="BYTES", shape=(-1,)),),
        outputs=(
            TensorSpec(name=OUTPUT, datatype="FP32", shape=(-1, labels)),
            TensorSpec(name=LABEL_SET, datatype="BOOL", shape=(-1, labels)),
        ),
    )


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


class _Tokens:
    """Tokens of a text (T), and `before` them those of a prompt. Offsets (T 2) take half as long as tokenizing, so they
    are computed on demand."""

    def __init__(self, tokenizer: Tokenizer, text: str, prompt: str = "") -> None:
        self._encoding = tokenizer.encode(prompt + text, add_special_tokens=False)
        ids = np.array(self._encoding.ids, np.int64)
        self._shift = len(prompt)
        found = (self._encoding.char_to_token(index) for index in range(len(prompt), len(prompt) + len(text)))
        self._own = next((each for each in found if each is not None), len(ids)) if prompt else 0
        self.before, self.ids = ids[: self._own], ids[self._own :]

    @functools.cached_property
    def offsets(self) -> NDArray[np.int64]:
        flat = itertools.chain.from_iterable(self._encoding.offsets[self._own :])
        found = np.fromiter(flat, np.int64, 2 * len(self.ids)).reshape(-1, 2)
        return np.maximum(found - self._shift, 0)

    def offset(self, index: int) -> tuple[int, int]:
        """Start and end of one token."""
        begin, end = self._encoding.token_to_chars(index + self._own) or (0, 0)
        return max(0, begin - self._shift), max(0, end - self._shift)


class _Part:
    """A part of a text: `length` tokens from `start` on, and the characters `begin` to `end` that they cover."""

    def __init__(self, text: str, tokens: _Tokens, start: int, length: int) -> None:
        self.text, self._tokens, self._rows = text, tokens, slice(start, start + length)
        self.ids, self.before = tokens.ids[self._rows], tokens.before
        some = len(self.ids) > 0
        self.begin = tokens.offset(start)[0] if some else 0
        self.end = tokens.offset(start + len(self.ids) - 1)[1] if some else 0

    @property
    def offsets(self) -> NDArray[np.int64]:
        return self._tokens.offsets[self._rows]


class Tokenization:
    """Reads these keys of `preprocessing`:

    `tokenizer`: a file of the library tokenizers. `max_tokens`, `overlap`, `max_windows`: longer texts are read in
    windows that overlap by `overlap` tokens; of more than `windows`, only the first and the last ones. `prefix`,
    `suffix`: ids around each window. `inputs`: the graph's inputs by kind: `ids`, `lengths`, `mask`, `pieces` (the
    n-grams). `pad`: the id of padding. `padding`: false where a
    batch holds texts of one length alone, because the network gives others when rows are filled up.
    `prompt`: a text that stands before every text, in each window.
    `piece_orders`: lengths of the n-grams of characters (of the normalized text); n-grams of tokens are pairs.
    `piece_tokenizer`: a tokenizer file for n-grams alone, where they do not use the one of `tokenizer`.
    `pieces`: a file with the ascending hashes of the n-grams that count; without it all do, by their hashes.
    """

    def __init__(self, folder: Path, preprocessing: Mapping[str, Any]) -> None:
        self._tokenizer = load_tokenizer(folder / str(preprocessing["tokenizer"]))
        other = preprocessing.get("piece_tokenizer")
        self._words = load_tokenizer(folder / str(other)) if other else None
        self._normalized = Normalizer(self._words or self._tokenizer)
        self._inputs: Mapping[str, str] = preprocessing["inputs"]
        self._prefix = np.array(preprocessing.get("prefix", ()), np.int64)
        self._suffix = np.array(preprocessing.get("suffix", ()), np.int64)
        self._max, self._overlap = int(preprocessing["max_tokens"]), int(preprocessing.get("overlap", 0))
        self._max_windows, self.pad = int(preprocessing["max_windows"]), int(preprocessing.get("pad", 0))
        self._read = int(preprocessing.get("windows", self._max_windows))
        self._prompt, self.padding = str(preprocessing.get("prompt", "")), bool(preprocessing.get("padding", True))
        self._orders: Sequence[int] = preprocessing.get("piece_orders", ())
        ngrams = preprocessing.get("pieces")
        self._known = KnownNgrams(load_ngrams(folder / str(ngrams))) if ngrams else None

    @property
    def most(self) -> int:
        """Tokens of the longest text that is read, without the special ones."""
        return self._room + (self._max_windows - 1) * (self._room - self._overlap)

    @property
    def _room(self) -> int:
        """Tokens of a window that are not special."""
        return self._max - len(self._prefix) - len(self._suffix)

    def windows(self, text: str) -> list[Window]:
        """At least one window. Raises InputError for a text that is too long."""
        return [self._window(part, part.offsets, *self._ngrams(part)) for part in self._parts(text)]

    def read(self, texts: Sequence[str]) -> list[list[Window]]:
        """The same windows of many texts, faster, without any offsets. Raises InputError."""
        parts = [self._parts(text) for text in texts]
        ngrams = iter(self._ngrams_of([part for each in parts for part in each]))
        return [[self._window(part, _NOWHERE, next(ngrams), _NOWHERE) for part in each] for each in parts]

    def _parts(self, text: str) -> list[_Part]:
        tokens = _Tokens(self._tokenizer, text, self._prompt)
        room = max(1, self._room - len(tokens.before))
        stride = max(1, room - self._overlap)
        if len(tokens.ids) > self.most:
            raise InputError(
                f"the text has {len(tokens.ids):,} tokens, at most {self.most:,} are read", "send it in parts"
            )
        count = 1 + max(0, -(-(len(tokens.ids) - room) // stride))
        starts = [*range(0, count * stride, stride)]
        if count > self._read:
            behind = self._read // 2
            last = len(tokens.ids) - room
            starts = [*starts[: self._read - behind], *range(last - (behind - 1) * stride, last + 1, stride)]
        return [_Part(text, tokens, start, room) for start in starts]

    def _window(
        self, part: _Part, offsets: NDArray[np.int64], ngrams: NDArray[np.int64], covered: NDArray[np.int64]
    ) -> Window:
        ids = part.ids
        prefix = np.concatenate([self._prefix, part.before]) if len(part.before) else self._prefix
        before, behind = len(prefix), len(self._suffix)
        if not len(ids) and not before:
            ids, offsets = np.array([self.pad], np.int64), _NOWHERE  # an empty text still has an answer
        if before or behind:
            ids = np.concatenate([prefix, ids, self._suffix])
            offsets = np.concatenate([_NOWHERE.repeat(before, 0), offsets, _NOWHERE.repeat(behind, 0)])
        return Window(ids=ids, offsets=offsets, ngrams=ngrams, ngram_offsets=covered, weight=max(1, len(part.ids)))

    def _ngrams(self, part: _Part) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Each distinct n-gram of the window, and the characters of its first occurrence; 0 where there is none."""
        if not self._orders or part.end == 0:
            return np.zeros(1, np.int64), _NOWHERE
        points, origins = self._normalized(part.text[part.begin : part.end])
        paired, offset = self._paired(part)
        found, there = np.concatenate([hashed_ngrams(points, self._orders), hashed_pairs(paired.ids)]), None
        if self._known is not None:
            found, there = self._known.find(found)
        if not len(found):
            return np.zeros(1, np.int64), _NOWHERE
        found, one = np.unique(found, return_index=True)
        offsets = np.concatenate(
            [ngram_offsets(origins + part.begin, self._orders), pair_offsets(paired.offsets + offset)]
        )
        return found, offsets[one if there is None else there[one]]

    def _paired(self, part: _Part) -> tuple[_Part | _Tokens, int]:
        """The tokens whose pairs are n-grams, and the position in the text that their offsets start from."""
        if self._words is None:
            return part, 0
        return _Tokens(self._words, part.text[part.begin : part.end]), part.begin

    def _ngrams_of(self, parts: Sequence[_Part]) -> list[NDArray[np.int64]]:
        """The distinct n-grams of each window, all windows at once; those that cross windows are left out."""
        if not self._orders or not parts:
            return [np.zeros(1, np.int64) for _ in parts]
        points = [self._normalized.points(part.text[part.begin : part.end]) for part in parts]
        tokens = [self._paired(part)[0].ids if part.end else part.ids[:0] for part in parts]
        if len(parts) == 1:
            found = np.concatenate([hashed_ngrams(points[0], self._orders), hashed_pairs(tokens[0])])
            return [_or_nothing(_distinct(found if self._known is None else self._known.find(found)[0]))]
        found, first, last = ngrams_of_parts(points, tokens, self._orders)
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
                found[name] = padded([window.ngrams for window in windows], 0)
            elif kind == "mask":
                found[name] = (np.arange(lengths.max()) < lengths[:, None]).astype(np.int64)
            elif kind == "lengths":
                found[name] = lengths.astype(np.int32)
        return found


def _distinct(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Each value once, ascending; faster than NumPy's `unique`."""
    ordered = np.sort(values)
    return np.concatenate([ordered[:1], ordered[1:][ordered[1:] != ordered[:-1]]])


def _or_nothing(ngrams: NDArray[np.int64]) -> NDArray[np.int64]:
    return ngrams if len(ngrams) else np.zeros(1, np.int64)


def padded(rows: Sequence[NDArray[np.int64]], fill: int) -> NDArray[np.int64]:
    """Rows of different lengths as one array, padded at their ends."""
    found = np.full((len(rows), max(map(len, rows))), fill, np.int64)
    for target, row in zip(found, rows, strict=True):
        target[: len(row)] = row
    return found
