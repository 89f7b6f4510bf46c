"""A text with a vector as explainers see it: how far the vector moves without each word."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from glassworks.contracts import EMBEDDING, Session, Subject, View
from glassworks.errors import InputError
from glassworks.text.embedding_session import VectorSession
from glassworks.text.session import INPUT, text_of
from glassworks.text.subject import WithoutWords, explainable_words

if TYPE_CHECKING:
    from glassworks.contracts import Array, Tensors


class VectorSubject(Subject):
    """Words (1 1 U) of a text; the score is the cosine between what is left of it and the whole."""

    kind: ClassVar[str] = "texts"

    def __init__(self, tensors: Tensors, sessions: Callable[[str], Session], baseline: float | Array | None) -> None:
        if baseline is not None:
            raise InputError("a text has no baseline", "leave it out: words are taken out")
        predictor = sessions("predict")
        if not isinstance(predictor, VectorSession):
            raise InputError("this model gives no vectors of texts", "explain it with its own task")
        self.input, self._predictor = INPUT, predictor
        self._text = text_of(tensors[INPUT][0])
        self.spans = explainable_words(self._text)
        self.outputs = predictor.run({INPUT: np.array([tensors[INPUT][0]], object)})

    def aim(self, target: int | str | None, labels: Sequence[str]) -> tuple[int, str]:
        """There is one thing to explain: the vector itself. Raises InputError for a target."""
        if target not in (None, 0):
            raise InputError(f"the target is {str(target)[:40]!r}, but a vector has no classes", "leave the target out")
        return 0, "its place"

    def view(self, role: str) -> View:
        ones = np.ones((1, 1, len(self.spans)), np.float32)
        session = WithoutWords(self._near, self._text, self.spans)
        return View(session=session, example=ones, baseline=np.zeros_like(ones))

    def _near(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return np.asarray(self._predictor.vectors(texts) @ np.asarray(self.outputs[EMBEDDING])[0][:, None], np.float32)
