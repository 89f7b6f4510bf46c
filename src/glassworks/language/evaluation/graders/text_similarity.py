"""How alike two texts are."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from typing import ClassVar, Literal

from glassworks.contracts import Answered, Grader, Record

Metric = Literal["fuzzy_match", "bleu", "gleu", "rouge_1", "rouge_2", "rouge_3", "rouge_4", "rouge_5", "rouge_l"]
_WORDS = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]|[^\W\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]+|[^\w\s]")
_MOST_GRAMS = 4
_LONGEST = 100_000
"""Characters of a text that are compared: what takes the product of both lengths must end."""


class TextSimilarityOptions(Record):
    """`metric`: `fuzzy_match` (signs in common, in their order), `bleu`, `gleu`, `rouge_1` to `rouge_5`, `rouge_l`."""

    metric: Metric = "fuzzy_match"


class TextSimilarity(Grader):
    """How alike an answer and the expected one are, from 0 to 1; the metrics of OpenAI's text_similarity that need no
    model. Words are as written, without their case; a Chinese or Japanese sign is a word of its own."""

    name: ClassVar[str] = "text_similarity"
    options: ClassVar[type[Record]] = TextSimilarityOptions

    def grade(self, answered: Answered, expected: str, options: TextSimilarityOptions) -> Mapping[str, float]:
        said, known = answered.text[:_LONGEST], expected[:_LONGEST]
        return {"text_similarity": similarity(options.metric, said, known)}


def similarity(metric: Metric, said: str, known: str) -> float:
    """Of two texts, from 0 to 1; of two empty ones 1."""
    if metric == "fuzzy_match":
        return _f1(_common(said, known), len(said), len(known))
    words, others = words_of(said), words_of(known)
    if metric == "bleu":
        return _bleu(words, others)
    if metric == "gleu":
        return _gleu(words, others)
    if metric == "rouge_l":
        return _f1(_common(words, others), len(words), len(others))
    size = int(metric.removeprefix("rouge_"))
    grams, known_grams = _grams(words, size), _grams(others, size)
    return _f1((grams & known_grams).total(), grams.total(), known_grams.total())


def words_of(text: str) -> list[str]:
    """Words, signs of Chinese and Japanese, and punctuation, each alone."""
    return _WORDS.findall(text.casefold())


def _f1(common: int, said: int, known: int) -> float:
    return 2 * common / (said + known) if said + known else 1.0


def _common(one: Sequence[Hashable], other: Sequence[Hashable]) -> int:
    """The length of the longest common subsequence, by rows of bits (Hyyro 2004)."""
    positions: dict[Hashable, int] = {}
    for position, sign in enumerate(one):
        positions[sign] = positions.get(sign, 0) | (1 << position)
    full = (1 << len(one)) - 1
    row = full
    for sign in other:
        met = row & positions.get(sign, 0)
        row = ((row + met) | (row - met)) & full
    return len(one) - row.bit_count()


def _grams(words: Sequence[str], size: int) -> Counter[tuple[str, ...]]:
    return Counter(tuple(words[start : start + size]) for start in range(len(words) - size + 1))


def _bleu(said: Sequence[str], known: Sequence[str]) -> float:
    """Of one sentence (Papineni et al. 2002); orders without a common n-gram count half as much each as the one before
    (Chen and Cherry 2014, method 3), those without any n-gram not at all.
    """
    if not said or not known:
        return float(said == known)
    logs, missed = list[float](), 1.0
    for size in range(1, _MOST_GRAMS + 1):
        grams = _grams(said, size)
        if not grams:
            break
        common: float = (grams & _grams(known, size)).total()
        if not common:
            missed *= 2
            common = 1 / missed
        logs.append(math.log(common / grams.total()))
    brevity = min(0.0, 1 - len(known) / len(said))
    return math.exp(brevity + sum(logs) / len(logs)) if set(said) & set(known) else 0.0


def _gleu(said: Sequence[str], known: Sequence[str]) -> float:
    """The smaller one of precision and recall of all n-grams up to 4 (Wu et al. 2016)."""
    counts = [(_grams(said, size), _grams(known, size)) for size in range(1, _MOST_GRAMS + 1)]
    common = sum((one & other).total() for one, other in counts)
    most = max(sum(each[side].total() for each in counts) for side in (0, 1))
    return common / most if most else 1.0
