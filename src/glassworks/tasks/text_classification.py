"""Text classification: a text goes in, a probability a label comes out; one label, or several."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from glassworks.contracts import Dataset, Measurement, Presentation, Session, Subject
from glassworks.errors import DataError
from glassworks.tasks._classification import (
    accuracy,
    balanced_accuracy,
    expected_calibration_error,
    log_loss,
    macro_f1,
    present_labels,
    top_labels,
)
from glassworks.tasks._constant import CONSTANTS, constant_answer
from glassworks.tasks._label_sets import measure_sets
from glassworks.tasks._texts import TextTask
from glassworks.text.session import INPUT as INPUT, LABEL_SET as LABEL_SET, OUTPUT as OUTPUT

if TYPE_CHECKING:
    from glassworks.contracts import Array, Opened, Tensors

_THRESHOLD = 0.5


class TextClassification(TextTask):
    """A text goes in, a probability for each label comes out; one label a text, or several."""

    name: ClassVar[str] = "text-classification"
    metric: ClassVar[str] = "accuracy"
    constants: ClassVar[tuple[str, ...]] = CONSTANTS

    def measure(self, scores: Array, targets: NDArray[np.int64]) -> dict[str, Measurement]:
        """Accuracy, the same balanced, macro F1, log loss and calibration error of probabilities (N K).

        With several labels a text (`targets` N K) also micro F1 and exact match, of labels from a half on.
        Raises DataError when N is 0.
        """
        if not len(targets):
            raise DataError("there are no examples to measure", "give a source with at least one text")
        probabilities = scores.astype(np.float64)
        if targets.ndim == 2:
            return measure_sets(probabilities, probabilities >= _THRESHOLD, targets)
        predicted = probabilities.argmax(axis=1).astype(np.int64)
        return {
            "accuracy": accuracy(predicted, targets),
            "balanced_accuracy": balanced_accuracy(predicted, targets),
            "macro_f1": macro_f1(predicted, targets),
            "log_loss": log_loss(probabilities, targets),
            "calibration_error": expected_calibration_error(probabilities, targets),
        }

    def baseline(self, dataset: Dataset) -> dict[str, Measurement]:
        """Of logistic regression on n-grams, fitted in seconds. Raises MissingLibrary."""
        from glassworks.data.text.baseline import baseline_probabilities

        return self.measure(baseline_probabilities(dataset.splits, len(dataset.classes)), dataset.splits["test"].y)

    def constant(self, dataset: Dataset) -> dict[str, dict[str, Measurement]]:
        return constant_answer(dataset, self.measure)

    def answer(self, outputs: Tensors, labels: Sequence[str]) -> list[dict[str, Any]]:
        """One object a row: `label`, `probability`, `top`, and `label_set`: the labels that are not ruled out."""
        rows, sets = outputs[OUTPUT].astype(np.float64), outputs[LABEL_SET]
        return [
            {**top_labels(row, labels), LABEL_SET: [labels[index] for index in np.flatnonzero(chosen).tolist()]}
            for row, chosen in zip(rows, sets, strict=True)
        ]

    def present(self, answer: Mapping[str, Any]) -> Presentation:
        return present_labels(answer)

    def wrap(self, session: Session, opened: Opened, preprocessing: Mapping[str, Any]) -> Session:
        from glassworks.text.session import TextSession
        from glassworks.text.tokenization import Tokenization

        return TextSession(session, Tokenization(opened.folder, preprocessing), preprocessing)

    def subject(self, tensors: Tensors, sessions: Callable[[str], Session], baseline: float | Array | None) -> Subject:
        from glassworks.text.subject import TextSubject

        return TextSubject(tensors, sessions, baseline)
