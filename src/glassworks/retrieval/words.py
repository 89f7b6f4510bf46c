"""How well the words of a question fit a passage: BM25 (Robertson and Zaragoza 2009, section 3.3), with the weights of
all words in all passages computed when the index is built (Lu 2024, "BM25S")."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glassworks.errors import BundleError
from glassworks.text.words import cut_words

K1, B = 1.2, 0.75
_WORD = re.compile(r"\w", re.UNICODE)
_SIGN = r"[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
_HAN, _EACH = re.compile(_SIGN + "{2,}"), re.compile(_SIGN)
ARRAYS = ("words.hashes", "words.begins", "words.passages", "words.weights")


def terms_of(text: str) -> Iterator[str]:
    """The words of a text in any language, without case and width; of Chinese words also each pair of signs, as two
    texts may be cut differently."""
    normal = unicodedata.normalize("NFKC", text.encode("utf-8", "replace").decode()).casefold()
    for word in cut_words(normal):
        if _WORD.search(word):
            yield word.strip()
    for run in _HAN.findall(normal):
        yield from (run[at : at + 2] for at in range(len(run) - 1))


def searched_terms(text: str) -> Iterator[str]:
    """Those, and each Chinese sign once: words of like meaning often share one. On the Chinese questions by which this
    was chosen (benchmarks/retrieval.py) 58 of 60 are answered by the first passage, 55 without.
    """
    yield from terms_of(text)
    yield from dict.fromkeys(_EACH.findall(unicodedata.normalize("NFKC", text.encode("utf-8", "replace").decode())))


@dataclass(frozen=True, kw_only=True)
class Words:
    """The passages (M) in which each word stands, and its weights there (M): those of word `i` are from `begins[i]` to
    `begins[i + 1]`. `hashes` (T) are those of the words, ascending."""

    hashes: NDArray[np.uint64]
    begins: NDArray[np.int64]
    passages: NDArray[np.int32]
    weights: NDArray[np.float32]

    @classmethod
    def of(cls, texts: Sequence[str]) -> Words:
        """Of passages."""
        counted = [Counter(searched_terms(text)) for text in texts]
        numbers: dict[str, int] = {}
        lengths = np.array([counts.total() for counts in counted], np.float64)
        word = np.fromiter((numbers.setdefault(t, len(numbers)) for each in counted for t in each), np.int64)
        passage = np.repeat(np.arange(len(texts), dtype=np.int32), [len(each) for each in counted])
        often = np.fromiter((count for each in counted for count in each.values()), np.float64)
        hashes = np.array([_hash(term) for term in numbers], np.uint64)
        order = np.argsort(hashes, kind="stable")
        rank = np.empty(len(order), np.int64)
        rank[order] = np.arange(len(order))
        word = rank[word]
        holding = np.bincount(word, minlength=len(hashes))
        rarity = np.log1p((len(texts) - holding + 0.5) / (holding + 0.5))
        longer = 1 - B + B * lengths / max(float(lengths.mean()), 1.0) if len(texts) else lengths
        weights = rarity[word] * often * (K1 + 1) / (often + K1 * longer[passage])
        by_word = np.argsort(word, kind="stable")
        return cls(
            hashes=hashes[order],
            begins=np.concatenate([[0], np.cumsum(holding)]).astype(np.int64),
            passages=passage[by_word],
            weights=weights[by_word].astype(np.float32),
        )

    @classmethod
    def opened(cls, arrays: Mapping[str, NDArray[np.generic]]) -> Words:
        """Of a bundle's arrays. Raises BundleError."""
        found = cls(**{name.partition(".")[2]: arrays[name] for name in ARRAYS})  # type: ignore[arg-type]
        if len(found.begins) != len(found.hashes) + 1 or len(found.passages) != len(found.weights):
            raise BundleError("the words of the index do not fit each other", "package the model again")
        return found

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """By their names in a bundle."""
        return dict(zip(ARRAYS, (self.hashes, self.begins, self.passages, self.weights), strict=True))

    def scores(self, question: str, passages: int) -> NDArray[np.float32]:
        """Of each of so many passages; 0 for one without any of the words."""
        found = np.zeros(passages, np.float32)
        for term, often in Counter(searched_terms(question)).items():
            key = np.uint64(_hash(term))
            at = int(np.searchsorted(self.hashes, key))
            if at < len(self.hashes) and self.hashes[at] == key:
                part = slice(int(self.begins[at]), int(self.begins[at + 1]))
                found[self.passages[part]] += often * self.weights[part]
        return found


def _hash(term: str) -> int:
    return int.from_bytes(hashlib.blake2b(term.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")
