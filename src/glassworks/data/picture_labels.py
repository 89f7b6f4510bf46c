"""Which labels of pictures look wrong to a simple classifier that did not see them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassworks.catalog import require
from glassworks.data.collection import Looks, Pictures
from glassworks.data.label_issues import Issue, label_issues
from glassworks.data.splits import NEEDED

_MOST, _FOLDS = 4000, 4
"""Pictures that are looked at: of more a random choice that is always the same."""
_CELLS, _BINS = 8, 8
"""Of histograms of oriented gradients (Dalal and Triggs 2005): cells a side, and directions."""
_STRENGTH, _STEPS = 8.0, 200


def picture_label_issues(pictures: Pictures, near: NDArray[np.int64]) -> tuple[tuple[Issue, ...], int]:
    """The issues, their rows in `pictures`, and how many labels were looked at. `near` are groups of near copies, N.

    Pictures of classes with too few examples to learn from are not looked at. Raises MissingLibrary.
    """
    require(("sklearn", "cleanlab"), "finding labels that look wrong", extra="text")
    rows = _rows(pictures)
    groups = near[rows]
    if len(np.unique(groups)) < _FOLDS or len(pictures.classes) < 2:
        return (), 0
    features, targets = features_of(pictures.looks, rows), pictures.labels[rows]
    probabilities = _cross_validated(features, targets, groups, len(pictures.classes))
    found = label_issues(targets, probabilities, pictures.classes)
    return tuple(issue._replace(row=int(rows[issue.row])) for issue in found), len(rows)


def _rows(pictures: Pictures) -> NDArray[np.int64]:
    labels = pictures.labels
    rows = np.arange(len(labels))
    if labels.ndim == 1:
        rows = rows[np.bincount(labels, minlength=len(pictures.classes))[labels] > NEEDED]
    if len(rows) > _MOST:
        rows = np.sort(np.random.default_rng(0).choice(rows, _MOST, replace=False))
    return rows.astype(np.int64)


def features_of(looks: Looks, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """N F: brightness, color and the directions of edges of small copies, each feature of variance 1."""
    gray = looks.thumbnails[rows].astype(np.float64) / 255
    count, side = len(rows), gray.shape[1]
    gray -= gray.mean(axis=(1, 2), keepdims=True)
    down, across = np.gradient(gray, axis=(1, 2))
    strength, direction = np.hypot(down, across), np.arctan2(down, across)
    bins = np.floor((direction + np.pi) / (2 * np.pi) * _BINS).astype(np.int64) % _BINS
    cells = (count, _CELLS, side // _CELLS, _CELLS, side // _CELLS)
    edges = [np.where(bins == each, strength, 0.0).reshape(cells).sum(axis=(2, 4)) for each in range(_BINS)]
    small = gray.reshape(cells).mean(axis=(2, 4))
    color = looks.chroma[rows].astype(np.float64) / 255
    parts = [each.reshape(count, -1) for each in (small, np.sqrt(np.stack(edges, axis=1)), color)]
    features = np.concatenate(parts, axis=1)
    scaled: NDArray[np.float64] = (features - features.mean(axis=0)) / np.maximum(features.std(axis=0), 1e-3)
    return scaled


def _cross_validated(
    features: NDArray[np.float64], targets: NDArray[np.int64], groups: NDArray[np.int64], labels: int
) -> NDArray[np.float64]:
    """Out-of-fold probabilities, N K: each picture by a classifier that saw neither it nor a copy of it."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GroupKFold
    from sklearn.multiclass import OneVsRestClassifier

    single: Any = LogisticRegression(C=_STRENGTH / features.shape[1] ** 0.5, max_iter=_STEPS, tol=1e-3)
    found = np.full((len(targets), labels), 1e-9)
    for seen, other in GroupKFold(_FOLDS, shuffle=True, random_state=0).split(features, groups=groups):
        model = OneVsRestClassifier(single) if targets.ndim == 2 else single
        fitted = model.fit(features[seen], targets[seen])
        found[np.ix_(other, fitted.classes_)] = fitted.predict_proba(features[other])
    return found
