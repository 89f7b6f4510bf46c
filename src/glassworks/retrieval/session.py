"""Questions in, passages out, best first. Rows do not depend on each other."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from glassworks.contracts import Session, Signature, TensorSpec
from glassworks.errors import BundleError, InputError
from glassworks.recommendation.nearest import opened_graph
from glassworks.retrieval.corpus import Corpus
from glassworks.retrieval.words import Words
from glassworks.text.session import INPUT, text_of

if TYPE_CHECKING:
    from glassworks.contracts import Array, Tensors

OUTPUT = "passages"
VECTORS, NEAREST = "meaning.vectors", "nearest"
SIGNATURE = Signature(
    inputs=(TensorSpec(name=INPUT, datatype="BYTES", shape=(-1,)),),
    outputs=(TensorSpec(name=OUTPUT, datatype="BYTES", shape=(-1,)),),
)
TOP, MOST = 5, 100
WAYS = ("fused", "meaning", "words")
_RANKED = 100
"""Passages of each ranking that are fused."""
_FUSED, _WEIGHTS = 1, {"words": 0.5, "meaning": 1.0}
"""The constant of reciprocal rank fusion (Cormack, Clarke and Buettcher 2009), and what each ranking weighs. With the
constant 60 and equal weights, common words move passages of the right meaning out of the first five
(benchmarks/retrieval.py)."""
_COPIES = 10
_QUESTION = 20_000
"""Characters of a question that are read."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is looked for, how many passages are wanted, and by what they are ranked; an empty `by` leaves that to the
    index."""

    text: str
    top: int = TOP
    by: str = ""


def question_of(value: bytes | str) -> Question:
    """A text, or a JSON object with `query` and, if wanted, `top` and `by`. Raises InputError."""
    text = text_of(value)
    if not text.lstrip().startswith("{"):
        return Question(text=text[:_QUESTION])
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return Question(text=text[:_QUESTION])
    if not isinstance(found, dict) or "query" not in found:
        return Question(text=text[:_QUESTION])
    if unknown := found.keys() - {"query", "top", "by"}:
        raise InputError(f"the question has the key '{min(unknown)[:100]}'", "there are: query, top, by")
    query, top, by = found["query"], found.get("top", TOP), found.get("by", "")
    if not isinstance(query, str):
        raise InputError(f"query is {query!r:.100}", "give a text")
    if isinstance(top, bool) or not isinstance(top, int) or not 1 <= top <= MOST:
        raise InputError(f"top is {top!r:.100}", f"give a whole number from 1 to {MOST}")
    if by and by not in WAYS:
        raise InputError(f"by is {by!r:.100}", f"give one of: {', '.join(WAYS)}")
    return Question(text=query[:_QUESTION], top=top, by=by)


class Encoder(Protocol):
    """What turns texts into vectors of length 1."""

    def vectors(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """N D."""

    def close(self) -> None:
        """Give its memory back."""


class PassageSession(Session):
    """An opened index. Thread-safe."""

    signature = SIGNATURE

    def __init__(
        self, index: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], folder: Path, encoder: Encoder | None
    ) -> None:
        """Raises BundleError where files do not fit each other."""
        try:
            self.corpus, self._words = Corpus.opened(arrays), Words.opened(arrays)
            self._vectors, self._by = arrays.get(VECTORS), str(index["by"])
        except KeyError as error:
            raise BundleError(f"the index has no {error}", "package the model again") from None
        if (self._vectors is None) != (encoder is None) or (
            self._vectors is not None and len(self._vectors) != len(self.corpus)
        ):
            raise BundleError("the vectors and the passages do not fit each other", "package the model again")
        self._encoder = encoder
        entry = index.get(NEAREST) or {}
        self._graph = None if self._vectors is None else opened_graph(entry, folder, self._vectors)

    def run(self, tensors: Tensors, outputs: Sequence[str] | None = None) -> dict[str, Array]:
        """`passages` (N): a JSON object a row. Raises InputError for an invalid question."""
        questions = [question_of(value) for value in tensors[INPUT].ravel().tolist()]
        found = np.empty(len(questions), object)
        for row, question in enumerate(questions):
            found[row] = json.dumps(self.answer(question), ensure_ascii=False, allow_nan=False).encode()
        return {OUTPUT: found}

    def answer(self, question: Question) -> dict[str, Any]:
        """The JSON object of one question. Raises InputError where it asks for a way that the index lacks."""
        by = question.by or self._by
        if self._encoder is None and by != "words":
            raise _no_encoder()
        scores = {} if by == "meaning" else {"words": self._words.scores(question.text, len(self.corpus))}
        if by != "words":
            scores["meaning"] = self.similarities(question.text)
        best = fused({name: self._ranked(values) for name, values in scores.items()})[: question.top]
        return {"passages": [self._named(passage, score, scores) for passage, score in best], "by": by}

    def _named(self, passage: int, score: float, scores: Mapping[str, NDArray[np.float32]]) -> dict[str, Any]:
        """A passage with its file, its scores by each way that ranked it, and the ids of its copies."""
        ways = {name: float(values[passage]) for name, values in scores.items() if np.isfinite(values[passage])}
        copies = np.flatnonzero(self.corpus.copy_of == passage)[1:_COPIES].tolist()
        named = self.corpus.named(passage)
        return {**named, "score": score, **ways, "copies": [self.corpus.id(each) for each in copies]}

    def similarities(self, text: str) -> NDArray[np.float32]:
        """Cosines (P) between a text and the passages; minus infinity for those that a graph leaves out."""
        if self._encoder is None or self._vectors is None:
            raise _no_encoder()
        query = self._encoder.vectors([text])[0]
        if self._graph is None:
            return np.asarray(self._vectors @ query, np.float32)
        found = np.full(len(self._vectors), -np.inf, np.float32)
        near = self._graph.candidates(query)
        found[near] = self._vectors[near] @ query
        return found

    def _ranked(self, scores: NDArray[np.float32]) -> list[int]:
        """The first passages, the best first and equal ones in their order; of near copies only the first."""
        most = min(len(scores), 4 * _RANKED)
        best = np.argpartition(-scores, most - 1)[:most] if most < len(scores) else np.arange(len(scores))
        best = best[np.lexsort((best, -scores[best]))]
        best = best[np.isfinite(scores[best]) & (scores[best] != 0)]
        return list(dict.fromkeys(self.corpus.copy_of[best].tolist()))[:_RANKED]

    def usual(self) -> dict[str, Array]:
        """The first passage as a question."""
        row = np.empty(1, object)
        row[0] = self.corpus.texts[0][:200].encode()
        return {INPUT: row}

    def close(self) -> None:
        if self._encoder is not None:
            self._encoder.close()


def _no_encoder() -> InputError:
    problem = "this index finds passages by their words alone: it has no encoder"
    return InputError(problem, "name one when it is built: model.embedding")


def fused(rankings: Mapping[str, Sequence[int]]) -> list[tuple[int, float]]:
    """Passages with the sums of weight / (1 + rank) over the rankings that name them, the largest first."""
    scores: dict[int, float] = {}
    for name, ranking in rankings.items():
        for rank, passage in enumerate(ranking, start=1):
            scores[passage] = scores.get(passage, 0.0) + _WEIGHTS[name] / (_FUSED + rank)
    return sorted(scores.items(), key=lambda each: (-each[1], each[0]))
