"""How well an index finds what is known to be in it: questions of some words of a passage (known-item search,
Azzopardi, de Rijke and Balog 2007)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassworks.contracts import Measurement
from glassworks.data.intervals import Z, wilson
from glassworks.errors import DataError
from glassworks.retrieval.corpus import Corpus
from glassworks.retrieval.session import OUTPUT, PassageSession
from glassworks.text.session import INPUT
from glassworks.text.words import cut_words

_WORDS, _SHARE = 8, 3
"""Words of a question: so many, but at most one in three of the passage."""
_CUTS = (1, 5)
_GAIN = 10
Strings = NDArray[Any]


def known_questions(corpus: Corpus, count: int, seed: int) -> tuple[Strings, Strings]:
    """Questions (N), each of words drawn from a passage in their order, and the ids of these (N)."""
    random = np.random.default_rng(seed)
    firsts = np.unique(corpus.copy_of)
    chosen = np.sort(random.permutation(firsts)[:count])
    questions, ids = (np.empty(len(chosen), object) for _ in range(2))
    for row, passage in enumerate(chosen.tolist()):
        text = corpus.texts[passage]
        words = list(dict.fromkeys(word.strip() for word in cut_words(text) if any(map(str.isalnum, word)))) or [text]
        some = np.sort(random.permutation(len(words))[: max(1, min(_WORDS, len(words) // _SHARE))])
        questions[row], ids[row] = " ".join(words[each] for each in some), corpus.id(passage)
    return questions, ids


def measured(answers: Sequence[bytes | str], wanted: Sequence[str]) -> dict[str, Measurement]:
    """`recall_at_1` and `recall_at_5`: for how many questions the wanted passage is among the first; `ndcg_at_10` with
    one relevant passage a question (Jarvelin and Kekalainen 2002). Raises DataError without questions."""
    if not len(wanted):
        raise DataError("there is no question to measure with", "give a source with questions and what answers them")
    ranks = np.array([rank_of(answer, each) for answer, each in zip(answers, wanted, strict=True)])
    found = {}
    for cut in _CUTS:
        hits = int((ranks <= cut).sum())
        found[f"recall_at_{cut}"] = Measurement(
            value=hits / len(ranks), interval=wilson(hits, len(ranks)), examples=len(ranks)
        )
    gains = np.where(ranks <= _GAIN, 1 / np.log2(1 + ranks), 0.0)
    value, half = float(gains.mean()), Z * float(gains.std()) / len(gains) ** 0.5
    interval = (max(0.0, value - half), min(1.0, value + half))
    return {**found, f"ndcg_at_{_GAIN}": Measurement(value=value, interval=interval, examples=len(ranks))}


def rank_of(answer: bytes | str, wanted: str) -> float:
    """The place, from 1, of the first passage that has the wanted id, is of the wanted file, or holds the wanted text;
    infinite without one."""
    for rank, passage in enumerate(json.loads(answer)["passages"], start=1):
        if wanted in (passage["id"], passage["file"], *passage["copies"]) or wanted in passage["text"]:
            return float(rank)
    return float("inf")


def measure_by(session: PassageSession, by: str, questions: Strings, wanted: Strings) -> dict[str, Measurement]:
    """The same of one way to rank."""
    asked = np.empty(len(questions), object)
    asked[:] = [json.dumps({"query": each, "top": _GAIN, "by": by}).encode() for each in questions.tolist()]
    return measured(session.run({INPUT: asked})[OUTPUT].tolist(), wanted.tolist())
