"""A session that takes texts and gives vectors of length 1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from glassworks.contracts import EMBEDDING, Session, Signature, TensorSpec
from glassworks.text.session import INPUT, averaged, text_of
from glassworks.text.tokenization import Tokenization

if TYPE_CHECKING:
    from glassworks.contracts import Array, Tensors


class VectorSession(Session):
    """Texts of any lengths in one call; the vector of a long one is the normalized mean of its windows' vectors."""

    def __init__(self, session: Session, tokenization: Tokenization) -> None:
        self._graph, self._tokenization = session, tokenization
        self._width = session.signature.outputs[0].shape[-1]
        self.signature = signature(self._width)

    def run(self, tensors: Tensors, outputs: Sequence[str] | None = None) -> dict[str, Array]:
        return {EMBEDDING: self.vectors([text_of(value) for value in tensors[INPUT].tolist()])}

    def vectors(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """N D."""
        found = averaged(self._graph, self._tokenization, texts, self._width)
        return np.asarray(found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12), np.float32)

    def close(self) -> None:
        self._graph.close()


def signature(width: int) -> Signature:
    """Texts in, vectors out."""
    return Signature(
        inputs=(TensorSpec(name=INPUT, datatype="BYTES", shape=(-1,)),),
        outputs=(TensorSpec(name=EMBEDDING, datatype="FP32", shape=(-1, width)),),
    )
