"""The toy's task: a text goes in, a text comes out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from glassworks.contracts import Measurement, Session, Subject, Task
from glassworks.errors import Unsupported

Tensors = Mapping[str, NDArray[Any]]


class ToyTask(Task):
    """Texts as they are."""

    name: ClassVar[str] = "toy"
    metric: ClassVar[str] = "none"
    subject_kind: ClassVar[str] = "toy"

    def decode(self, value: bytes, preprocessing: Mapping[str, Any]) -> NDArray[Any]:
        return np.array([value], object)

    def encode(self, x: NDArray[Any], preprocessing: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
        return {"text": x}

    def measure(self, scores: NDArray[Any], targets: NDArray[np.int64]) -> dict[str, Measurement]:
        return {}

    def answer(self, outputs: Tensors, labels: Sequence[str]) -> list[dict[str, Any]]:
        return [{"text": text} for text in outputs["text"]]

    def usual(self, session: Session, preprocessing: Mapping[str, Any]) -> Tensors:
        return {"text": np.array([b"warm"], object)}

    def subject(
        self, tensors: Tensors, sessions: Callable[[str], Session], baseline: float | NDArray[Any] | None
    ) -> Subject:
        raise Unsupported("the toy is not explained", "ask it for something else")
