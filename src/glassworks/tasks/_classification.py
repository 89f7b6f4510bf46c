"""What classification of pictures and of texts shares: measuring, answers, and their presentation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from glassworks.contracts import Measurement, Presentation
from glassworks.errors import DataError
from glassworks.tasks._label_sets import measure_sets
from glassworks.tasks._metrics import accuracy, balanced_accuracy, log_loss, macro_f1

if TYPE_CHECKING:
    from glassworks.contracts import Array

HALF = 0.5
_TOP = 5


def measure_classes(scores: Array, targets: NDArray[np.int64], example: str) -> dict[str, Measurement]:
    """Accuracy, the same balanced, macro F1 and log loss of probabilities (N K).

    Where an `example` has several labels (`targets` N K), those of `measure_sets`, of labels from a half on. Raises
    DataError when N is 0.
    """
    if not len(targets):
        raise DataError("there are no examples to measure", f"give a source with at least one {example}")
    probabilities = scores.astype(np.float64)
    if targets.ndim == 2:
        return measure_sets(probabilities, probabilities >= HALF, targets)
    predicted = probabilities.argmax(axis=1).astype(np.int64)
    return {
        "accuracy": accuracy(predicted, targets),
        "balanced_accuracy": balanced_accuracy(predicted, targets),
        "macro_f1": macro_f1(predicted, targets),
        "log_loss": log_loss(probabilities, targets),
    }


def top_labels(row: NDArray[np.float64], labels: Sequence[str]) -> dict[str, Any]:
    """`label`, `probability`, and `top`: up to five (label, probability) pairs."""
    best = np.argsort(-row, kind="stable")[:_TOP]
    top = [[labels[index], float(row[index])] for index in best]
    return {"label": top[0][0], "probability": top[0][1], "top": top}


def present_labels(answer: Mapping[str, Any]) -> Presentation:
    """An answer of `top_labels`, with `labels` or a `label_set` where the task adds them."""
    row = {key: value for key, value in answer.items() if key not in ("top", "label_set")}
    title = str(answer["label"])
    notes: tuple[str, ...] = ()
    decision = [str(answer["label"])]
    if "labels" in answer:
        decision = sorted(str(label) for label, _ in answer["labels"]) or ["none"]
        title = ", ".join(f"{label} {probability:.0%}" for label, probability in answer["labels"]) or "none"
        row = {**{key: value for key, value in row.items() if key not in ("label", "probability")}, "labels": title}
    elif "label_set" in answer:
        kept = ", ".join(map(str, answer["label_set"]))
        notes = (f"not ruled out: {kept or 'no label; the input is unlike what was learned from'}",)
    return Presentation(
        headline=f"{answer['label']} (probability {answer['probability']:.4f})",
        row=row,
        title=title,
        columns=("label", "probability"),
        rows=tuple((str(label), f"{probability:.4f}") for label, probability in answer.get("top", ())),
        notes=notes,
        decision=tuple(decision),
        probability=None if "labels" in answer else float(answer["probability"]),
    )
