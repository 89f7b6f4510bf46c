"""Text becomes what a graph takes: tokens in windows, and hashed pieces; only data of the bundle decides how."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Mapping, Sequence
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
_BYTES, _FIRST_BITS = _BITS // 8, 20
_REST = _BITS - _FIRST_BITS
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


class _Part:
    """A part of a text: its tokens (T), what they cover (T 2), and from where to where that is."""

    def __init__(self, text: str, ids: NDArray[np.int64], spans: NDArray[np.int64]) -> None:
        self.text, self.ids, self.spans = text, ids, spans
        self.begin = int(spans[:, 0].min()) if len(spans) else 0
        self.end = int(spans[:, 1].max()) if len(spans) else 0


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
        self._normalized = Normalizer(self._tokenizer)
        self._inputs: Mapping[str, str] = preprocessing["inputs"]
        self._prefix = np.array(preprocessing.get("prefix", ()), np.int64)
        self._suffix = np.array(preprocessing.get("suffix", ()), np.int64)
        self._max, self._overlap = int(preprocessing["max_tokens"]), int(preprocessing.get("overlap", 0))
        self._max_windows, self.pad = int(preprocessing["max_windows"]), int(preprocessing.get("pad", 0))
        self._orders: Sequence[int] = preprocessing.get("piece_orders", ())
        pieces = preprocessing.get("pieces")
        self._known = KnownPieces(load_pieces(folder / str(pieces))) if pieces else None

    def windows(self, text: str) -> list[Window]:
        """At least one window. Raises InputError for a text that is too long."""
        return [self._window(part, *self._pieces(part)) for part in self._parts(text)]

    def read(self, texts: Sequence[str]) -> list[list[Window]]:
        """The same windows of many texts, quicker; they do not say what pieces cover. Raises InputError."""
        parts = [self._parts(text) for text in texts]
        pieces = iter(self._pieces_of([part for each in parts for part in each]))
        return [[self._window(part, next(pieces), _NOWHERE) for part in each] for each in parts]

    def _parts(self, text: str) -> list[_Part]:
        encoding = self._tokenizer.encode(text, add_special_tokens=False)
        ids = np.array(encoding.ids, np.int64)
        spans = np.fromiter(itertools.chain.from_iterable(encoding.offsets), np.int64, 2 * len(ids)).reshape(-1, 2)
        room = self._max - len(self._prefix) - len(self._suffix)
        stride = room - self._overlap
        count = 1 + max(0, -(-(len(ids) - room) // stride))
        if count > self._max_windows:
            most = room + (self._max_windows - 1) * stride
            raise InputError(f"the text has {len(ids):,} tokens, at most {most:,} are read", "send it in parts")
        starts = range(0, count * stride, stride)
        return [_Part(text, ids[start : start + room], spans[start : start + room]) for start in starts]

    def _window(self, part: _Part, pieces: NDArray[np.int64], piece_spans: NDArray[np.int64]) -> Window:
        ids, spans = part.ids, part.spans
        before, behind = len(self._prefix), len(self._suffix)
        if not len(ids) and not before:
            ids, spans = np.array([self.pad], np.int64), _NOWHERE  # an empty text still has an answer
        if before or behind:
            ids = np.concatenate([self._prefix, ids, self._suffix])
            spans = np.concatenate([_NOWHERE.repeat(before, 0), spans, _NOWHERE.repeat(behind, 0)])
        return Window(ids=ids, spans=spans, pieces=pieces, piece_spans=piece_spans, weight=max(1, len(part.ids)))

    def _pieces(self, part: _Part, *, places: bool = True) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Each distinct piece of the window once, and the characters of its first occurrence; 0 where there is none."""
        if not self._orders or part.end == 0:
            return np.zeros(1, np.int64), _NOWHERE
        points, origins = self._normalized(part.text[part.begin : part.end])
        found, there = np.concatenate([hashed_pieces(points, self._orders), hashed_pairs(part.ids)]), None
        if self._known is not None:
            found, there = self._known.find(found)
        if not len(found):
            return np.zeros(1, np.int64), _NOWHERE
        found, one = np.unique(found, return_index=True)
        if not places:
            return found, _NOWHERE
        spans = np.concatenate([piece_spans(origins + part.begin, self._orders), pair_spans(part.spans)])
        return found, spans[one if there is None else there[one]]

    def _pieces_of(self, parts: Sequence[_Part]) -> list[NDArray[np.int64]]:
        """The distinct pieces of each window, all windows at once: runs that reach into the next one are left out."""
        if not self._orders or len(parts) < 2:
            return [self._pieces(part, places=False)[0] for part in parts]
        points = [self._normalized(part.text[part.begin : part.end])[0] for part in parts]
        tokens = [part.ids if part.end else part.ids[:0] for part in parts]
        runs = [_runs(points, order, functools.partial(hashed_pieces, orders=[order])) for order in self._orders]
        runs.append(_runs(tokens, 2, hashed_pairs))
        found, owners = (np.concatenate(each) for each in zip(*runs, strict=True))
        if self._known is not None:
            found, there = self._known.find(found)
            owners = owners[there]
        both = np.sort((owners << _BITS) | found)
        both = both[np.diff(both, prepend=-1) != 0]
        ends = np.searchsorted(both, np.arange(1, len(parts)) << _BITS)
        split = np.split(both & (2**_BITS - 1), ends)
        return [each if len(each) else np.zeros(1, np.int64) for each in split]

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


def code_points(text: str) -> NDArray[np.uint32]:
    """One number a character."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")


class Normalizer:
    """Gives characters as the tokenizer's normalizer leaves them; what becomes of one character is remembered."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._normalizer = tokenizer.normalizer
        if self._normalizer is not None:
            self._one = functools.lru_cache(maxsize=_CHARACTERS)(self._normalizer.normalize_str)

    def __call__(self, text: str) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
        """Code points, and the place in `text` of the character that each comes from."""
        from tokenizers import NormalizedString, PreTokenizedString

        before = code_points(text)
        if self._normalizer is None:
            return before, np.arange(len(text))
        whole = NormalizedString(text)
        self._normalizer.normalize(whole)
        if len(whole.normalized) == len(text) and self._is_by_character(text, whole.normalized):
            return code_points(whole.normalized), np.arange(len(text))
        parts = PreTokenizedString(text)
        parts.normalize(self._normalizer.normalize)
        _single_characters().pre_tokenize(parts)
        splits = parts.get_splits(offset_referential="original", offset_type="char")
        points = code_points("".join(character for character, _, _ in splits))
        return points, np.array([place for _, (place, _), _ in splits], np.int64)

    def _is_by_character(self, text: str, normal: str) -> bool:
        """Whether each character became one; nearly always so, and then all is quick."""
        changed = (code_points(text) != code_points(normal)).nonzero()[0].tolist()
        return all(self._one(text[place]) == normal[place] for place in changed)


@functools.cache
def _single_characters() -> PreTokenizer:
    from tokenizers import Regex, pre_tokenizers

    return pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")


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
        mixed[:] = order
        for offset in range(order if count else 0):
            mixed *= _STEP
            mixed ^= wide[offset : offset + count]
    return _finished(hashes)


def _runs(
    parts: Sequence[NDArray[Any]], length: int, hashed: Callable[[NDArray[Any]], NDArray[np.int64]]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Hashes of runs of `length` values that lie in one part, and the number of that part."""
    flat = np.concatenate(parts)
    owner = np.arange(len(parts)).repeat([len(part) for part in parts])
    last = len(flat) - length + 1
    if last <= 0:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    within = owner[:last] == owner[length - 1 :]
    return hashed(flat)[within], owner[:last][within]


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
    mixed = (mixed ^ (mixed >> np.uint64(29))) * _MIX
    return (mixed >> np.uint64(64 - _BITS)).astype(np.int64)


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
