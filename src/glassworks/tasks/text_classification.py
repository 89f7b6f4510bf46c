"""Text classification: a text goes in, a probability a label comes out; one label, or several."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from glassworks.contracts import ClassMeasurement, Dataset, ExampleScores, Measurement, Presentation, Session, Subject
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
        return self._measured(scores, targets, PLAIN)

    def evaluate(
        self, ask: Callable[[str], Array], targets: NDArray[np.int64], preprocessing: Mapping[str, Any] = PLAIN
    ) -> dict[str, Measurement]:
        return self._measured(ask(""), targets, preprocessing)

    def _measured(
        self, scores: Array, targets: NDArray[np.int64], preprocessing: Mapping[str, Any]
    ) -> dict[str, Measurement]:
        found = measure_classes(scores, targets, "text", preprocessing)
        if targets.ndim == 1:
            found["calibration_error"] = expected_calibration_error(scores.astype(np.float64), targets)
        return found

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
        scores = ask("")
        chosen = scores.astype(np.float32) >= HALF if targets.ndim == 2 else answered(scores, preprocessing)
        return measure_each(chosen, targets, labels)

    def decide(
        self, probabilities: Array, targets: NDArray[np.int64], costs: Mapping[str, float], labels: Sequence[str]
    ) -> dict[str, Any]:
        return fit_decision(probabilities.astype(np.float64), targets, costs, labels)

    def baseline(self, dataset: Dataset) -> dict[str, Measurement]:
        """Of logistic regression on n-grams, fitted in seconds. Raises MissingLibrary."""
        from glassworks.data.text.baseline import baseline_probabilities

        return self.measure(baseline_probabilities(dataset.splits, len(dataset.classes)), dataset.splits["test"].y)

    def constant(self, dataset: Dataset) -> dict[str, dict[str, Measurement]]:
        return constant_answer(dataset, self.measure)

    def answer(self, outputs: Tensors, labels: Sequence[str]) -> list[dict[str, Any]]:
        """One object a row: `label`, `probability`, `top`, and `label_set`: the labels that are not ruled out. With
        costs the label is the one that costs least, which need not be the most probable one."""
        rows, sets = outputs[OUTPUT].astype(np.float64), outputs[LABEL_SET]
        return [
            {**top_labels(row, labels, by), LABEL_SET: [labels[index] for index in np.flatnonzero(chosen).tolist()]}
            for row, chosen, by in zip(rows, sets, decisions(outputs), strict=False)
        ]

    def present(self, answer: Mapping[str, Any]) -> Presentation:
        return present_labels(answer)

    def wrap(self, session: Session, opened: Opened, preprocessing: Mapping[str, Any]) -> Session:
        from glassworks.text.session import TextSession
        from glassworks.text.tokenization import Tokenization

        return deciding(TextSession(session, Tokenization(opened.folder, preprocessing), preprocessing), preprocessing)

    def subject(self, tensors: Tensors, sessions: Callable[[str], Session], baseline: float | Array | None) -> Subject:
        from glassworks.text.subject import TextSubject

        return TextSubject(tensors, sessions, baseline)
