"""Image classification: a picture goes in, a probability a class comes out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from glassworks.contracts import ClassMeasurement, Dataset, ExampleScores, Measurement, Presentation, Session
from glassworks.data.pictures import decode_picture, fit_picture
from glassworks.imaging.subject import PictureSubject
from glassworks.tasks._classification import (
    HALF,
    PLAIN,
    answered,
    decisions,
    measure_classes,
    measure_each,
    present_labels,
    score_each,
    top_labels,
)
from glassworks.tasks._constant import CONSTANTS, constant_answer
from glassworks.tasks._deciding import deciding, fit_decision
from glassworks.tasks._label_sets import measure_sets
from glassworks.tasks._pictures import PictureTask

if TYPE_CHECKING:
    from glassworks.contracts import Array, Opened, Tensors

INPUT, OUTPUT = "image", "probabilities"
NOVELTY = "novelty"
LABEL_SET = "label_set"
"""The output of models with several labels a picture: which of them it has (N K)."""


class ImageClassification(PictureTask):
    """`preprocessing` holds `height`, `width` and `channels`; pictures are stored as uint8 N H W C.

    `bits` is there where pictures of 16 bits were learned from that do not say how many they use.

    Of models with several labels a picture it also holds `thresholds` (K): from which probability on it has each.
    """

    name: ClassVar[str] = "image-classification"
    metric: ClassVar[str] = "accuracy"
    subject_kind: ClassVar[str] = PictureSubject.kind
    constants: ClassVar[tuple[str, ...]] = CONSTANTS

    def decode(self, value: bytes, preprocessing: Mapping[str, Any]) -> NDArray[np.uint8]:
        """A picture file as uint8 H W C. Raises InputError when it is none."""
        size = (int(preprocessing[key]) for key in ("height", "width", "channels"))
        return fit_picture(decode_picture(value, bits=int(preprocessing.get("bits", 0))), *size)

    def fit(self, pixels: Array, preprocessing: Mapping[str, Any]) -> NDArray[np.uint8]:
        """In the size that the model takes."""
        size = (int(preprocessing[key]) for key in ("height", "width", "channels"))
        return fit_picture(np.asarray(pixels, np.uint8), *size)

    def show(self, pixels: Array, outputs: Tensors, answer: Mapping[str, Any]) -> Array:
        """The picture with a bar on top: the label and its probability; of several labels a bar each."""
        from glassworks.imaging.captions import captioned

        labels = answer.get("labels", [[answer["label"], answer["probability"]]])
        return captioned(np.asarray(pixels, np.uint8), [(str(label), float(share)) for label, share in labels])

    def encode(self, x: Array, preprocessing: Mapping[str, Any]) -> dict[str, Array]:
        """`image`: float32 N C H W in [0, 1]."""
        pixels = np.moveaxis(x.astype(np.uint8, copy=False), 3, 1)
        return {INPUT: np.true_divide(pixels, np.float32(255), dtype=np.float32, order="C")}

    def measure(self, scores: Array, targets: NDArray[np.int64]) -> dict[str, Measurement]:
        """See `measure_classes`; and `evaluate`, where a picture may have several labels."""
        return measure_classes(scores, targets, "picture")

    def evaluate(
        self, ask: Callable[[str], Array], targets: NDArray[np.int64], preprocessing: Mapping[str, Any] = PLAIN
    ) -> dict[str, Measurement]:
        """With several labels a picture: metrics of the labels that the model itself chose, by its thresholds."""
        if targets.ndim == 1 or not len(targets):
            return measure_classes(ask(""), targets, "picture", preprocessing)
        return measure_sets(ask("").astype(np.float64), ask(LABEL_SET).astype(np.float32) > HALF, targets)

    def each(
        self, ask: Callable[[str], Array], targets: NDArray[np.int64], preprocessing: Mapping[str, Any] = PLAIN
    ) -> Mapping[str, ExampleScores]:
        return score_each(ask(""), targets, preprocessing)

    def by_class(
        self,
        ask: Callable[[str], Array],
        targets: NDArray[np.int64],
        labels: Sequence[str],
        preprocessing: Mapping[str, Any] = PLAIN,
    ) -> tuple[ClassMeasurement, ...]:
        multi_label = targets.ndim == 2
        chosen = ask(LABEL_SET).astype(np.float32) > HALF if multi_label else answered(ask(""), preprocessing)
        return measure_each(chosen, targets, labels)

    def decide(
        self, probabilities: Array, targets: NDArray[np.int64], costs: Mapping[str, float], labels: Sequence[str]
    ) -> dict[str, Any]:
        return fit_decision(probabilities.astype(np.float64), targets, costs, labels)

    def wrap(self, session: Session, opened: Opened, preprocessing: Mapping[str, Any]) -> Session:
        return deciding(session, preprocessing)

    def guard(self, targets: NDArray[np.int64]) -> str:
        return "micro_f1" if targets.ndim == 2 else self.metric

    def constant(self, dataset: Dataset) -> dict[str, dict[str, Measurement]]:
        return constant_answer(dataset, self.measure)

    def answer(self, outputs: Tensors, labels: Sequence[str]) -> list[dict[str, Any]]:
        """One object a row: `label`, `probability`, and `top`: up to five (label, probability) pairs. With costs the
        label is the one that costs least, which need not be the most probable one.

        Of models with several labels a picture also `labels`: all that it has, perhaps none, the most probable first.
        Of models that detect novelty also `familiar`, and `novelty` by `energy` and `distance`, above 0 where the
        picture is unlike the training data.
        """
        rows = outputs[OUTPUT].astype(np.float64)
        answers = [top_labels(row, labels, by) for row, by in zip(rows, decisions(outputs), strict=False)]
        if LABEL_SET in outputs:
            for answer, row, chosen in zip(answers, outputs[OUTPUT].astype(float), outputs[LABEL_SET], strict=True):
                order = sorted(np.flatnonzero(chosen > HALF).tolist(), key=lambda label: -row[label])
                answer["labels"] = [[labels[label], float(row[label])] for label in order]
        if NOVELTY in outputs:
            for answer, (energy, distance) in zip(answers, outputs[NOVELTY].astype(float), strict=True):
                answer["familiar"] = bool(max(energy, distance) <= 0)
                answer["novelty"] = {"energy": float(energy), "distance": float(distance)}
        return answers

    def present(self, answer: Mapping[str, Any]) -> Presentation:
        return present_labels(answer)

    def subject(
        self, tensors: Tensors, sessions: Callable[[str], Session], baseline: float | Array | None
    ) -> PictureSubject:
        """The pixels themselves. Raises InputError for pixels or a baseline that are not finite."""
        return PictureSubject(tensors, sessions, baseline)
