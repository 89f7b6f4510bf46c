"""Labels that look wrong: confident learning on what classifiers say that did not see the examples."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from glassworks.catalog import require
from glassworks.data.splits import NEEDED


class Issue(NamedTuple):
    """An example, by its row, whose label gets only this probability; another one is suggested."""

    row: int
    label: str
    suggested: str
    probability: float


def label_issues(
    targets: NDArray[np.int64], probabilities: NDArray[np.float64], classes: Sequence[str]
) -> tuple[Issue, ...]:
    """The issues of labels (int64 N, or 0 and 1 in N K), the least probable label first.

    `probabilities` are N K and out of fold: each row by a classifier that saw neither it nor a copy of it. Raises
    MissingLibrary. Confident learning: Northcutt et al. 2021.
    """
    many = targets.ndim == 2
    found = _of_many_labels(targets, probabilities, classes) if many else _of_one_label(targets, probabilities, classes)
    return tuple(sorted(found, key=lambda issue: issue.probability))


def _of_one_label(
    targets: NDArray[np.int64], probabilities: NDArray[np.float64], classes: Sequence[str]
) -> Iterator[Issue]:
    present, known = np.unique(targets, return_inverse=True)
    among = probabilities[:, present] / probabilities[:, present].sum(axis=1, keepdims=True)
    for row in _issues(known, among):
        suggested, given = classes[present[among[row].argmax()]], classes[targets[row]]
        yield Issue(int(row), given, suggested, float(among[row, known[row]]))


def _of_many_labels(
    targets: NDArray[np.int64], probabilities: NDArray[np.float64], classes: Sequence[str]
) -> Iterator[Issue]:
    """Each label for itself: the example has it, or not."""
    for label, name in enumerate(classes):
        own, yes = targets[:, label], probabilities[:, label]
        if min(own.sum(), (1 - own).sum()) < NEEDED:
            continue
        for row in _issues(own, np.stack([1 - yes, yes], axis=1)):
            names = (f"not {name}", name)
            chance = float(yes[row] if own[row] else 1 - yes[row])
            yield Issue(int(row), names[own[row]], names[1 - own[row]], chance)


def _issues(known: NDArray[np.int64], probabilities: NDArray[np.float64]) -> NDArray[np.int64]:
    require(("cleanlab",), "finding labels that look wrong", extra="text")
    from cleanlab.filter import find_label_issues

    if probabilities.shape[1] < 2:
        return np.zeros(0, np.int64)
    return np.asarray(
        find_label_issues(known, probabilities, return_indices_ranked_by="self_confidence", n_jobs=1), np.int64
    )
