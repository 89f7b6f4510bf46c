"""What classification of pictures and of texts shares: measuring, answers, and their presentation."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from glassworks.contracts import DECISION, ClassMeasurement, ExampleScores, Measurement, Presentation
from glassworks.data.intervals import wilson
from glassworks.errors import DataError
from glassworks.tasks._deciding import weighed
from glassworks.tasks._label_sets import measure_sets
from glassworks.tasks._metrics import SMALLEST, accuracy, balanced_accuracy, log_loss, macro_f1, mean_cost

if TYPE_CHECKING:
    from glassworks.contracts import Array, Tensors

HALF = 0.5
PLAIN: Mapping[str, Any] = MappingProxyType({})
_MISTAKES = 10
_TOP = 5


def measure_classes(
    scores: Array, targets: NDArray[np.int64], example: str, preprocessing: Mapping[str, Any] = PLAIN
) -> dict[str, Measurement]:
    """Accuracy, the same balanced, macro F1 and log loss of probabilities (N K); with costs in `preprocessing` of what
    is decided by them, and `cost`: the mean of what each example costs.

    Where an `example` has several labels (`targets` N K), those of `measure_sets`, of labels from a half on. Raises
    DataError when N is 0.
    """
    if not len(targets):
        raise DataError("there are no examples to measure", f"give a source with at least one {example}")
    probabilities = scores.astype(np.float64)
    if targets.ndim == 2:
        return measure_sets(probabilities, probabilities >= HALF, targets)
    predicted = answered(probabilities, preprocessing)
    found = {
        "accuracy": accuracy(predicted, targets),
        "balanced_accuracy": balanced_accuracy(predicted, targets),
        "macro_f1": macro_f1(predicted, targets),
        "log_loss": log_loss(probabilities, targets),
    }
    if costs := preprocessing.get(DECISION, {}).get("costs"):
        found["cost"] = mean_cost(predicted, targets, np.asarray(costs, np.float64))
    classes, measured = probabilities.shape[1], len(np.unique(targets))
    partly = {"classes": None if measured == classes else (measured, classes)}
    return {name: value.model_copy(update=partly) for name, value in found.items()}


def score_each(scores: Array, targets: NDArray[np.int64], preprocessing: Mapping[str, Any]) -> dict[str, ExampleScores]:
    """Of probabilities (N K), what each example adds to those of `measure_classes` that are means; nothing where an
    example may have several labels.
    """
    if targets.ndim == 2:
        return {}
    probabilities = scores.astype(np.float64)
    hits = (answered(probabilities, preprocessing) == targets).astype(np.float64)
    losses = -np.log(np.maximum(probabilities[np.arange(len(targets)), targets], SMALLEST))
    return {
        "accuracy": ExampleScores(values=hits),
        "balanced_accuracy": ExampleScores(values=hits, weights=1 / np.bincount(targets)[targets]),
        "log_loss": ExampleScores(values=losses, higher_is_better=False),
    }


def measure_each(
    chosen: NDArray[np.integer | np.bool_], targets: NDArray[np.int64], labels: Sequence[str]
) -> tuple[ClassMeasurement, ...]:
    """How each class fares, in the order of `labels` (K): of the classes that were chosen (N) against `targets` (N), or
    where an example may have several labels of 0 and 1 (N K) in both.
    """
    counts: tuple[NDArray[np.integer], ...]
    mistaken: list[dict[str, int]] = [{} for _ in labels]
    if targets.ndim == 2:
        counts = tuple(each.sum(axis=0) for each in ((chosen & targets) > 0, targets > 0, chosen > 0))
    else:
        right = targets[chosen == targets]
        counts = tuple(np.bincount(each, minlength=len(labels)) for each in (right, targets, chosen))
        for (own, other), count in Counter(zip(targets.tolist(), chosen.tolist(), strict=True)).most_common():
            if own != other and len(mistaken[own]) < _MISTAKES:
                mistaken[own][labels[other]] = count
    return tuple(
        ClassMeasurement(
            label=label,
            examples=int(there),
            predicted=int(said),
            recall=_share(int(hits), int(there)),
            precision=_share(int(hits), int(said)),
            mistaken=others,
        )
        for label, hits, there, said, others in zip(labels, *counts, mistaken, strict=True)
    )


def _share(hits: int, total: int) -> Measurement | None:
    return Measurement(value=hits / total, interval=wilson(hits, total), examples=total) if total else None


def answered(scores: Array, preprocessing: Mapping[str, Any]) -> NDArray[np.int64]:
    """The class of the answer (N) for probabilities (N K)."""
    return np.asarray(weighed(scores.astype(np.float64), preprocessing).argmax(axis=1), np.int64)


def decisions(outputs: Tensors) -> Iterable[Any]:
    """What each answer is chosen by where the model has costs; else nothing for each."""
    return np.asarray(outputs[DECISION], np.float64) if DECISION in outputs else itertools.repeat(None)


def top_labels(
    row: NDArray[np.float64], labels: Sequence[str], decision: NDArray[np.floating] | None = None
) -> dict[str, Any]:
    """`label`, its `probability`, and `top`: up to five (label, probability) pairs, the most probable first.

    The label is the most probable one, or where there is a `decision` (K) by costs the largest of that.
    """
    best = np.argsort(-row, kind="stable")[:_TOP]
    top = [[labels[index], float(row[index])] for index in best]
    own = best[0] if decision is None else int(decision.argmax())
    return {"label": labels[own], "probability": float(row[own]), "top": top}


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
    if answer.get("top") and answer["top"][0][0] != answer["label"]:
        notes = (f"'{answer['label']}' is not the most probable one, but mistakes are cheapest with it", *notes)
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
