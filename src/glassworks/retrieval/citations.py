"""Which sentence of an answer stands on which passage: by the number that the model wrote, and by the words that both
have in common."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from glassworks.retrieval.cutting import sentence_spans
from glassworks.retrieval.words import terms_of

_MARK = re.compile(r"\[(\d{1,3})\]")
_LEAST = 0.5
"""The share of a sentence's words, weighed by their rarity, that a passage must have for it to stand on them."""
_MOST = 200
"""Sentences of an answer that are looked at."""


@dataclass(frozen=True, kw_only=True)
class _Quote:
    passage: int
    start: int
    end: int
    terms: frozenset[str]


def cited(answer: str, passages: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Citations in the order of the answer. `by` is `number` where the model named the passage, else `words`;
    `support` is the share of the sentence's words, weighed by their rarity in the passages, that the quoted sentence
    has: a number with little support may be wrong."""
    quotes = [quote for number, passage in enumerate(passages) for quote in _quotes(number, str(passage["text"]))]
    holding = defaultdict[str, list[int]](list)
    for index, quote in enumerate(quotes):
        for term in quote.terms:
            holding[term].append(index)
    found: list[dict[str, Any]] = []
    for start, end in sentences_of(answer)[:_MOST]:
        sentence = answer[start:end]
        named = {int(each) - 1 for each in _MARK.findall(sentence)} & set(range(len(passages)))
        supports = _supports(_MARK.sub("", sentence), quotes, holding)
        for quote, by, support in _chosen(quotes, supports, sorted(named)):
            cited_there = {"answer_start": start, "answer_end": end, "by": by, "support": round(support, 4)}
            found.append({**_quoted(quote, passages[quote.passage]), **cited_there})
    return found


def _quoted(quote: _Quote, passage: Mapping[str, Any]) -> dict[str, Any]:
    """A sentence of a passage with its characters in the file."""
    return {
        "passage": quote.passage + 1,
        "id": passage["id"],
        "file": passage["file"],
        "start": int(passage["start"]) + quote.start,
        "end": int(passage["start"]) + quote.end,
        "quote": str(passage["text"])[quote.start : quote.end],
    }


def _chosen(
    quotes: Sequence[_Quote], supports: Mapping[int, float], named: Sequence[int]
) -> list[tuple[_Quote, str, float]]:
    """For each passage that is named its best sentence; where none is, the best of all if it suffices."""
    if named:
        best = []
        for passage in named:
            own = [index for index, quote in enumerate(quotes) if quote.passage == passage]
            index = max(own, key=lambda each: supports.get(each, 0.0))
            best.append((quotes[index], "number", supports.get(index, 0.0)))
        return best
    index = max(supports, key=lambda each: supports[each], default=-1)
    return [(quotes[index], "words", supports[index])] if index >= 0 and supports[index] >= _LEAST else []


def _supports(sentence: str, quotes: Sequence[_Quote], holding: Mapping[str, list[int]]) -> dict[int, float]:
    """Of the sentences of the passages that have a word of an answer's sentence."""
    terms = frozenset(terms_of(sentence))
    weights = {term: math.log1p(len(quotes) / (1 + len(holding.get(term, ())))) for term in terms}
    found = Counter[int]()
    for term in sorted(terms):
        for index in holding.get(term, ()):
            found[index] += weights[term]  # type: ignore[assignment]
    whole = sum(weights.values())
    return {index: value / whole for index, value in found.items()} if whole else {}


def _quotes(number: int, text: str) -> list[_Quote]:
    """The sentences of a passage; the whole of it where it has none with words."""
    spans = sentences_of(text) or [(0, len(text))]
    return [
        _Quote(passage=number, start=start, end=end, terms=frozenset(terms_of(text[start:end]))) for start, end in spans
    ]


def sentences_of(text: str) -> list[tuple[int, int]]:
    """Without the blanks around them; what has no letter, such as a mark behind the full stop, goes with the sentence
    before it."""
    found: list[tuple[int, int]] = []
    for start, end in sentence_spans(text):
        inner = text[start:end]
        begin, stop = start + len(inner) - len(inner.lstrip()), start + len(inner.rstrip())
        if begin >= stop:
            continue
        if found and not any(map(str.isalpha, inner)):
            found[-1] = (found[-1][0], stop)
        else:
            found.append((begin, stop))
    return found
