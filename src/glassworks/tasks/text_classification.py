"""Text classification: a text goes in, a probability a label comes out; one label, or several."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from glassworks.contracts import Dataset, Measurement, Presentation, Session, Subject
from glassworks.tasks._classification import measure_classes, present_labels, top_labels
from glassworks.tasks._constant import CONSTANTS, constant_answer
from glassworks.tasks._metrics import expected_calibration_error
from glassworks.tasks._texts import TextTask
from glassworks.text.session import INPUT as INPUT, LABEL_SET as LABEL_SET, OUTPUT as OUTPUT

if TYPE_CHECKING:
    from glassworks.contracts import Array, Opened, Tensors


class TextClassification(TextTask):
    """A text goes in, a probability for each label comes out; one label a text, or several."""

    name: ClassVar[str] = "text-classification"
    metric: ClassVar[str] = "accuracy"
    constants: ClassVar[tuple[str, ...]] = CONSTANTS

    def measure(self, scores: Array, targets: NDArray[np.int64]) -> dict[str, Measurement]:
        """See `measure_classes`; also the calibration error."""
        found = measure_classes(scores, targets, "text")
        if targets.ndim == 1:
            found["calibration_error"] = expected_calibration_error(scores.astype(np.float64), targets)
        return found

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
