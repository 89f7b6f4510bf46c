"""The linear classifier of hashed pieces: fitted in seconds, hard to beat on short texts (Wang and Manning 2012)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

_STRENGTHS = (1.0, 4.0, 16.0)


def fit_pieces(
    pieces: Sequence[NDArray[np.int64]],
    targets: NDArray[np.int64],
    held: Sequence[NDArray[np.int64]],
    held_targets: NDArray[np.int64],
    buckets: int,
    labels: int,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """What each piece says for each label (buckets x labels), and the bias (labels); strength chosen on held texts."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier

    x, other = _matrix(pieces, buckets), _matrix(held, buckets)
    best = (-1.0, np.zeros((buckets, labels), np.float32), np.zeros(labels, np.float32))
    for strength in _STRENGTHS:
        model = OneVsRestClassifier(LogisticRegression(C=strength, solver="liblinear", random_state=0))
        model.fit(x, targets)
        score = float(np.mean(model.predict(other) == held_targets))
        if score > best[0]:
            weights = np.concatenate([each.coef_ for each in model.estimators_])
            bias = np.concatenate([each.intercept_ for each in model.estimators_])
            best = (score, *_by_label(weights, bias, model.classes_, labels, targets.ndim == 2))
    return best[1], best[2]


def _by_label(
    weights: NDArray[np.float64], bias: NDArray[np.float64], classes: NDArray[np.int64], labels: int, several: bool
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Scores for softmax, or for a sigmoid a label. Of two classes scikit-learn has one row: half for, half against."""
    says, own = np.zeros((weights.shape[1], labels), np.float32), np.zeros(labels, np.float32)
    if not several and len(classes) == 2:
        weights, bias = np.concatenate([-weights, weights]) / 2, np.concatenate([-bias, bias]) / 2
    places = np.arange(labels) if several else classes
    says[:, places], own[places] = weights.T, bias
    says[0] = 0
    return says, own


def _matrix(pieces: Sequence[NDArray[np.int64]], buckets: int) -> csr_matrix:
    """Each piece once, divided by the root of their number: long and short texts weigh alike."""
    lengths = np.array([len(row) for row in pieces])
    values = np.repeat(1 / np.sqrt(lengths), lengths).astype(np.float32)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    return csr_matrix((values, np.concatenate(pieces), starts), shape=(len(pieces), buckets))
