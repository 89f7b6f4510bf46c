"""Text embedding: a text goes in, a vector comes out; texts of like meaning lie close."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from glassworks.contracts import EMBEDDING, Embedding, Measurement, Presentation, Session, Subject, Tokens
from glassworks.data.intervals import Z, wilson
from glassworks.errors import DataError
from glassworks.tasks._texts import TextTask

if TYPE_CHECKING:
    from pathlib import Path

    from glassworks.contracts import Array, Opened, Tensors


class TextEmbedding(TextTask, Embedding):
    """A text goes in, a vector of length 1 comes out.

    Targets (N D) are the vectors of the reference: what is measured is a graph of the encoder, not the encoder.
    """

    name: ClassVar[str] = "text-embedding"
    labelled: ClassVar[bool] = False
    metric: ClassVar[str] = "agreement"

    def measure(self, scores: Array, targets: NDArray[np.int64]) -> dict[str, Measurement]:
        """`agreement`: the mean cosine with the reference (N D both). `same_neighbor`: the share of texts whose nearest
        other text is the same one. Raises DataError when N is 0.
        """
        if not len(targets):
            raise DataError("there are no texts to measure", "give a source with at least one text")
        cosines = (_unit(scores) * _unit(targets)).sum(axis=1)
        value, half = float(cosines.mean()), Z * float(cosines.std()) / math.sqrt(len(cosines))
        count, same = len(targets), int((_nearest(scores) == _nearest(targets)).sum())
        return {
            "agreement": Measurement(value=value, interval=(value - half, min(1.0, value + half)), examples=count),
            "same_neighbor": Measurement(value=same / count, interval=wilson(same, count), examples=count),
        }

    def answer(self, outputs: Tensors, labels: Sequence[str]) -> list[dict[str, Any]]:
        """One object a row: `embedding`."""
        return [{EMBEDDING: [float(value) for value in row]} for row in outputs[EMBEDDING]]

    def present(self, answer: Mapping[str, Any]) -> Presentation:
        return Presentation(headline=f"{EMBEDDING} of {len(answer[EMBEDDING])}", row=answer)

    def wrap(self, session: Session, opened: Opened, preprocessing: Mapping[str, Any]) -> Session:
        from glassworks.text.embedding_session import VectorSession
        from glassworks.text.tokenization import Tokenization

        return VectorSession(session, Tokenization(opened.folder, preprocessing))

    def subject(self, tensors: Tensors, sessions: Callable[[str], Session], baseline: float | Array | None) -> Subject:
        from glassworks.text.embedding_subject import VectorSubject

        return VectorSubject(tensors, sessions, baseline)

    def tokens(self, folder: Path, preprocessing: Mapping[str, Any]) -> Tokens:
        from glassworks.text.embedding_tokens import EncoderTokens

        return EncoderTokens(folder, preprocessing)


def _unit(vectors: Array) -> NDArray[np.float64]:
    rows = np.asarray(vectors, np.float64)
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12), np.float64)


def _nearest(vectors: Array) -> NDArray[np.intp]:
    """The nearest other row of each."""
    unit = _unit(vectors)
    cosines = unit @ unit.T
    np.fill_diagonal(cosines, -np.inf)
    return np.asarray(cosines.argmax(axis=1), np.intp)
