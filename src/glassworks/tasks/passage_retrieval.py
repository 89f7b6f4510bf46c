"""Passage retrieval: a question goes in, passages of texts that may answer it come out, each with its place."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from numpy.typing import NDArray

from glassworks.contracts import Measurement, Presentation, Retrieval, Session, Subject, Task
from glassworks.errors import BundleError, Unsupported
from glassworks.recommendation.artifact import OpenedArrays
from glassworks.tasks._texts import TextTask

if TYPE_CHECKING:
    import numpy as np

    from glassworks.contracts import Array, Opened, Tensors

_OUTPUT = "passages"
_SHOWN = 200


class PassageRetrieval(TextTask, Retrieval):
    """A question is a text, or a JSON object with `query`, `top` and `by`. Targets are what is to be found: the id of a
    passage, the name of its file, or a text that it holds."""

    name: ClassVar[str] = "passage-retrieval"
    metric: ClassVar[str] = "recall_at_5"
    labelled: ClassVar[bool] = False
    subject_kind: ClassVar[str] = "questions"
    parts: ClassVar[Literal["", "spans", "names"]] = ""

    def measure(self, scores: Array, targets: NDArray[np.int64]) -> dict[str, Measurement]:
        from glassworks.retrieval.known_items import measured

        return measured(scores.tolist(), targets.tolist())

    def answer(self, outputs: Tensors, labels: Sequence[str]) -> list[dict[str, Any]]:
        """One object a row: `passages` and `by`."""
        return [json.loads(value) for value in outputs[_OUTPUT].tolist()]

    def present(self, answer: Mapping[str, Any]) -> Presentation:
        """Passages with their places."""
        passages = answer[_OUTPUT]
        rows = [
            (
                f"{each['file']}:{each['start']}-{each['end']}",
                f"{each['score']:.4g}",
                _short(each["text"]),
            )
            for each in passages
        ]
        return Presentation(
            headline=_short(passages[0]["text"]) if passages else "nothing",
            row=answer,
            title=f"by {answer['by']}",
            columns=("place", "score", "text"),
            rows=tuple(rows),
            decision=tuple(each["id"] for each in passages) or ("nothing",),
        )

    def wrap(self, session: Session, opened: Opened, preprocessing: Mapping[str, Any]) -> Session:
        """The session of arrays as one that answers. Raises BundleError where files do not fit each other."""
        from glassworks.retrieval.session import PassageSession
        from glassworks.text.embedding_session import VectorSession
        from glassworks.text.tokenization import Tokenization

        graphs: Mapping[str, Session] = getattr(session, "graphs", {})
        if not isinstance(session, OpenedArrays):
            raise BundleError(f"{opened.artifact.format} files hold no passages", "package the model again")
        encoder = None
        if "encoder" in graphs:
            encoder = VectorSession(graphs["encoder"], Tokenization(opened.folder, preprocessing["encoder"]))
        return PassageSession(session.index, session.arrays, opened.folder, encoder)

    def unlimited(self, preprocessing: Mapping[str, Any]) -> Mapping[str, Any]:
        return preprocessing

    def calibration(self, x: Array, opened: Opened, preprocessing: Mapping[str, Any]) -> list[Tensors]:
        return Task.calibration(self, x, opened, preprocessing)

    def usual(self, session: Session, preprocessing: Mapping[str, Any]) -> Tensors:
        from glassworks.retrieval.session import PassageSession

        return session.usual() if isinstance(session, PassageSession) else {}

    def subject(self, tensors: Tensors, sessions: Callable[[str], Session], baseline: float | Array | None) -> Subject:
        raise Unsupported(
            "what is found is not explained by a method", "each passage says its score by words and by meaning"
        )

    def question(self, messages: Sequence[Mapping[str, Any]]) -> str:
        from glassworks.retrieval.grounding import asked_at

        return str(messages[asked_at(messages)]["content"])

    def asked(self, question: str, top: int) -> str:
        return json.dumps({"query": question, "top": top})

    def found(self, answer: bytes) -> Sequence[Mapping[str, Any]]:
        passages: Sequence[Mapping[str, Any]] = json.loads(answer)[_OUTPUT]
        return passages

    def grounded(
        self, messages: Sequence[Mapping[str, Any]], passages: Sequence[Mapping[str, Any]]
    ) -> list[dict[str, Any]]:
        from glassworks.retrieval.grounding import grounded

        return grounded(messages, passages)

    def located(
        self, messages: Sequence[Mapping[str, Any]], passages: Sequence[Mapping[str, Any]]
    ) -> list[tuple[int, int, int]]:
        from glassworks.retrieval.grounding import located

        return located(messages, passages)

    def sentences(self, answer: str) -> list[tuple[int, int]]:
        from glassworks.retrieval.citations import sentences_of

        return sentences_of(answer)

    def cited(self, answer: str, passages: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        from glassworks.retrieval.citations import cited

        return cited(answer, passages)


def _short(text: str) -> str:
    return " ".join(text.split())[:_SHOWN]
