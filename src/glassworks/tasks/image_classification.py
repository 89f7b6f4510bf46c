"""Image classification: a picture goes in, a probability a class comes out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from glassworks.contracts import Measurement, Session, Subject, Task, View
from glassworks.data.pictures import decode_picture, fit_picture
from glassworks.errors import DataError, InputError
from glassworks.tasks._classification import OUTPUT, accuracy, log_loss, macro_f1, spread, top_labels

if TYPE_CHECKING:
    from glassworks.contracts import Array, Tensors

INPUT = "image"
NOVELTY = "novelty"


class ImageClassification(Task):
    """`preprocessing` holds `height`, `width` and `channels`; pictures are stored as uint8 N H W C."""

    name: ClassVar[str] = "image-classification"
    metric: ClassVar[str] = "accuracy"

    pictures = True

    def decode(self, value: bytes, preprocessing: Mapping[str, Any]) -> NDArray[np.uint8]:
        """A picture file as uint8 H W C. Raises InputError when it is none."""
        size = (int(preprocessing[key]) for key in ("height", "width", "channels"))
        return fit_picture(decode_picture(value), *size)

    def fit(self, pixels: Array, preprocessing: Mapping[str, Any]) -> NDArray[np.uint8]:
        """In the size that the model takes."""
        size = (int(preprocessing[key]) for key in ("height", "width", "channels"))
        return fit_picture(np.asarray(pixels, np.uint8), *size)

    def show(self, pixels: Array, outputs: Tensors, answer: Mapping[str, Any]) -> Array:
        """The picture with a bar on top: the label and its probability."""
        from glassworks.tasks._overlay import captioned

        return captioned(np.asarray(pixels, np.uint8), str(answer["label"]), float(answer["probability"]))

    def encode(self, x: Array, preprocessing: Mapping[str, Any]) -> dict[str, Array]:
        """`image`: float32 N C H W in [0, 1]."""
        pixels = np.moveaxis(x.astype(np.uint8, copy=False), 3, 1)
        return {INPUT: np.true_divide(pixels, np.float32(255), dtype=np.float32, order="C")}

    def measure(self, scores: Array, targets: NDArray[np.int64]) -> dict[str, Measurement]:
        """Accuracy, macro F1 and log loss of probabilities (N K). Raises DataError when N is 0."""
        if not len(targets):
            raise DataError("there are no examples to measure", "give a source with at least one picture")
        probabilities = scores.astype(np.float64)
        predicted = probabilities.argmax(axis=1).astype(np.int64)
        return {
            "accuracy": accuracy(predicted, targets),
            "macro_f1": macro_f1(predicted, targets),
            "log_loss": log_loss(probabilities, targets),
        }

    def answer(self, outputs: Tensors, labels: Sequence[str]) -> list[dict[str, Any]]:
        """One object a row: `label`, `probability`, and `top`: up to five (label, probability) pairs.

        Of models that tell it also `familiar`, and `novelty` by `energy` and `distance`; above 0 is unlike the learned.
        """
        answers = [top_labels(row, labels) for row in outputs[OUTPUT].astype(np.float64)]
        if NOVELTY in outputs:
            for answer, (energy, distance) in zip(answers, outputs[NOVELTY].astype(float), strict=True):
                answer["familiar"] = bool(max(energy, distance) <= 0)
                answer["novelty"] = {"energy": float(energy), "distance": float(distance)}
        return answers

    def subject(
        self, tensors: Tensors, sessions: Callable[[str], Session], baseline: float | Array | None
    ) -> PictureSubject:
        """The pixels themselves. Raises InputError for pixels or a baseline that are not finite."""
        return PictureSubject(tensors, sessions, baseline)


class PictureSubject(Subject):
    """Pixels (1 C H W); the same for all explainers."""

    def __init__(self, tensors: Tensors, sessions: Callable[[str], Session], baseline: float | Array | None) -> None:
        self.input, values = next(iter(tensors.items()))
        self._example = np.ascontiguousarray(values, np.float32)
        if not np.isfinite(self._example).all():
            raise InputError(
                f"the input '{self.input}' holds values that are not finite", "send finite numbers to explain"
            )
        self._baseline, self._sessions = spread(baseline, self._example.shape), sessions
        self.outputs = sessions("predict").run({self.input: self._example})

    def view(self, role: str) -> View:
        return View(session=self._sessions(role), example=self._example, baseline=self._baseline)
