"""Text classification: a text goes in, a probability a label comes out; one label, or several."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from glassworks.contracts import Dataset, Measurement, Session, Subject, Task
from glassworks.errors import DataError, InputError
from glassworks.tasks._classification import (
    OUTPUT,
    accuracy,
    expected_calibration_error,
    log_loss,
    macro_f1,
    top_labels,
)

if TYPE_CHECKING:
    from glassworks.contracts import Array, Opened, Tensors

INPUT = "text"
LABEL_SET = "label_set"
_USUAL = b"a text of common length, to warm up and to see how long one takes " * 2
_THRESHOLD = 0.5


class TextClassification(Task):
    """`preprocessing` is what `TextFront` reads; texts are stored as an object array of str."""

    name: ClassVar[str] = "text-classification"
    metric: ClassVar[str] = "accuracy"
    literal: bool = True
    parts: Literal["", "spans", "names"] = "spans"

    def decode(self, value: bytes, preprocessing: Mapping[str, Any]) -> Array:
        """A UTF-8 text as an array without dimensions. Raises InputError when it is none."""
        try:
            return np.array(value.decode("utf-8-sig"), object)
        except UnicodeDecodeError as error:
            raise InputError(
                f"the text is not valid UTF-8: byte {error.start}", "send UTF-8; files in GB18030 need converting first"
            ) from None

    def encode(self, x: Array, preprocessing: Mapping[str, Any]) -> dict[str, Array]:
        """`text`: bytes of UTF-8 (N), as the protocol has them."""
        texts = np.empty(len(x), object)
        texts[:] = [text.encode("utf-8", "replace") for text in x.tolist()]
        return {INPUT: texts}

    def measure(self, scores: Array, targets: NDArray[np.int64]) -> dict[str, Measurement]:
        """Accuracy, macro F1, log loss and calibration error of probabilities (N K). Raises DataError when N is 0.

        With several labels a text (`targets` N K) they are of all pairs of text and label.
        """
        if not len(targets):
            raise DataError("there are no examples to measure", "give a source with at least one text")
        probabilities = scores.astype(np.float64)
        if targets.ndim == 2:
            probabilities = np.stack([1 - probabilities.ravel(), probabilities.ravel()], axis=1)
            targets = targets.ravel()
        predicted = probabilities.argmax(axis=1).astype(np.int64)
        return {
            "accuracy": accuracy(predicted, targets),
            "macro_f1": macro_f1(predicted, targets),
            "log_loss": log_loss(probabilities, targets),
            "calibration_error": expected_calibration_error(probabilities, targets),
        }

    def baseline(self, dataset: Dataset) -> dict[str, Measurement]:
        """Of logistic regression on n-grams, fitted in seconds. Raises MissingLibrary."""
        from glassworks.data.text.baseline import baseline_probabilities

        return self.measure(baseline_probabilities(dataset.splits, len(dataset.classes)), dataset.splits["test"].y)

    def answer(self, outputs: Tensors, labels: Sequence[str]) -> list[dict[str, Any]]:
        """One object a row: `label`, `probability`, `top`, and `label_set`: the labels that are not ruled out."""
        rows, sets = outputs[OUTPUT].astype(np.float64), outputs[LABEL_SET]
        return [
            {**top_labels(row, labels), LABEL_SET: [labels[index] for index in np.flatnonzero(chosen).tolist()]}
            for row, chosen in zip(rows, sets, strict=True)
        ]

    def usual(self, session: Session, preprocessing: Mapping[str, Any]) -> Tensors:
        return {INPUT: np.array([_USUAL], object)}

    def wrap(self, session: Session, opened: Opened, preprocessing: Mapping[str, Any]) -> Session:
        from glassworks.tasks.text_classification.front import TextFront
        from glassworks.tasks.text_classification.session import TextSession

        return TextSession(session, TextFront(opened.folder, preprocessing), preprocessing)

    def calibration(self, x: Array, opened: Opened, preprocessing: Mapping[str, Any]) -> list[Tensors]:
        from glassworks.tasks.text_classification.front import TextFront

        front = TextFront(opened.folder, preprocessing)
        return [front.tensors([window]) for text in x.tolist() for window in front.windows(text)[:1]]

    def subject(self, tensors: Tensors, sessions: Callable[[str], Session], baseline: float | Array | None) -> Subject:
        from glassworks.tasks.text_classification.subject import TextSubject

        return TextSubject(tensors, sessions, baseline)
