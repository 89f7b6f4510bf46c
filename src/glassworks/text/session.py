"""A session that takes texts and gives probabilities: tokens, windows, batches of like length, calibration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from glassworks.contracts import Session
from glassworks.errors import InputError
from glassworks.text.parts import part_names, whole_text
from glassworks.text.tokenization import (
    INPUT as INPUT,
    LABEL_SET as LABEL_SET,
    OUTPUT as OUTPUT,
    Tokenization,
    Window,
    signature,
)

if TYPE_CHECKING:
    from glassworks.contracts import Array, Tensors

_ROWS = 32
_WASTE, _SLACK = 2 / 3, 32
"""A batch ends where padding would exceed this share of its longest window and so many tokens: about the cost of
another batch."""


class TextSession(Session):
    """Texts of any lengths in one call, computed in batches of like length; windows of a text are averaged.

    `preprocessing` holds beside what `Tokenization` reads: `labels`; `temperature` (Guo et al. 2017); `several`:
    whether a text may have several labels; `threshold`: a label belongs to the label set from this probability
    on, so that the set holds the true label at the stated coverage (Sadinle et al. 2019).
    """

    def __init__(self, session: Session, tokenization: Tokenization, preprocessing: Mapping[str, Any]) -> None:
        self.graph, self.tokenization = session, tokenization
        self.labels: Sequence[str] = preprocessing["labels"]
        self.temperature = float(preprocessing.get("temperature", 1.0))
        self._multi_label, self._threshold = bool(preprocessing["several"]), float(preprocessing["threshold"])
        self.parts = part_names(preprocessing)
        self.signature = signature(len(self.labels))

    def run(self, tensors: Tensors, outputs: Sequence[str] | None = None) -> dict[str, Array]:
        scores = self.scores([self.read(value) for value in tensors[INPUT].tolist()])
        probabilities = self.probabilities(scores)
        found: dict[str, Array] = {OUTPUT: probabilities, LABEL_SET: probabilities >= self._threshold}
        return found if outputs is None else {name: found[name] for name in outputs}

    def read(self, value: object) -> str:
        """A text as it was sent, its parts as one. Raises InputError."""
        return whole_text(text_of(value), self.parts)

    def scores(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Calibrated scores (N K) before softmax or sigmoid."""
        found = averaged(self.graph, self.tokenization, texts, len(self.labels))
        return (found / self.temperature).astype(np.float32)

    def probabilities(self, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        """N K."""
        if self._multi_label:
            return np.asarray(1 / (1 + np.exp(-scores)), np.float32)
        powers = np.exp(scores - scores.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)

    def close(self) -> None:
        self.graph.close()


def averaged(graph: Session, tokenization: Tokenization, texts: Sequence[str], width: int) -> NDArray[np.float64]:
    """The graph's first output (N `width`) for each text: the mean over its windows, by their tokens."""
    name = graph.signature.outputs[0].name
    owned = [(row, window) for row, windows in enumerate(tokenization.read(texts)) for window in windows]
    total, weight = np.zeros((len(texts), width)), np.zeros((len(texts), 1))
    for batch in batches([window for _, window in owned], padding=tokenization.padding):
        found = graph.run(tokenization.tensors([owned[index][1] for index in batch]), [name])[name]
        for index, values in zip(batch, found, strict=True):
            row, window = owned[index]
            total[row] += window.weight * values
            weight[row] += window.weight
    return np.asarray(total / weight, np.float64)


def batches(windows: Sequence[Window], *, padding: bool = True) -> list[list[int]]:
    """Indices of the windows, in batches of at most 32 of like length, of one length without `padding`."""
    lengths = [len(window.ids) for window in windows]
    found: list[list[int]] = []
    filled = 0
    for index in sorted(range(len(windows)), key=lengths.__getitem__):
        length = lengths[index]
        rows = len(found[-1]) if found else 0
        if not rows or rows == _ROWS or rows * length - filled > (_WASTE * length + _SLACK if padding else 0):
            found.append([])
            filled = 0
        found[-1].append(index)
        filled += length
    return found


def text_of(value: object) -> str:
    """A text as it was sent. Raises InputError unless it is Unicode."""
    try:
        text = value.decode("utf-8") if isinstance(value, bytes) else str(value)
        text.encode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"a text is not valid UTF-8: byte {error.start}", "send texts in UTF-8") from None
    except UnicodeEncodeError as error:
        raise InputError(
            f"a text is not valid Unicode: character {error.start} is half of a pair", "send texts in UTF-8"
        ) from None
    return text
