"""The linear classifier of pieces: fitted in seconds, and hard to beat on short texts (Wang and Manning 2012)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from glassworks.tasks.text_classification.pieces import known_pieces

Hashes = Sequence[NDArray[np.int64]]
_STRENGTHS = (1.0, 4.0, 16.0)
_LEAST_TEXTS = 2


@dataclass(frozen=True)
class Pieces:
    """`known`: ascending hashes of the P pieces that count. `says` (P + 1, K + 1): row 0 is nothing; what a piece says
    for each label, and the square of its weight (inverse document frequency). `bias` (K)."""

    known: NDArray[np.int64]
    says: NDArray[np.float32]
    bias: NDArray[np.float32]


def fit_pieces(
    hashes: Hashes,
    targets: NDArray[np.int64],
    held: Hashes,
    held_targets: NDArray[np.int64],
    labels: int,
    most: int,
) -> Pieces:
    """Logistic regression on normalized tf-idf, its strength chosen on held texts; then once more with the `most`
    pieces that matter most. Pieces of one text alone are left out."""
    known, texts = np.unique(np.concatenate(hashes), return_counts=True)
    often = texts >= _LEAST_TEXTS
    known, texts = (known[often], texts[often]) if often.any() else (known, texts)
    weight = np.log((1 + len(hashes)) / (1 + texts)) + 1
    if len(known) > most:
        says, _ = _fit(hashes, targets, held, held_targets, known, weight, labels)
        matters = np.abs(says).max(axis=1) * np.sqrt(texts) * weight
        kept = np.sort(np.argsort(-matters, kind="stable")[:most])
        known, weight = known[kept], weight[kept]
    says, bias = _fit(hashes, targets, held, held_targets, known, weight, labels)
    table = np.zeros((len(known) + 1, labels + 1), np.float32)
    table[1:, :labels], table[1:, labels] = says * weight[:, None], weight**2
    return Pieces(known, table, bias.astype(np.float32))


def _fit(
    hashes: Hashes,
    targets: NDArray[np.int64],
    held: Hashes,
    held_targets: NDArray[np.int64],
    known: NDArray[np.int64],
    weight: NDArray[np.float64],
    labels: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What each piece says (P K), and the bias (K)."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier

    x, other = _matrix(hashes, known, weight), _matrix(held, known, weight)
    best = (-1.0, np.zeros((len(known), labels)), np.zeros(labels))
    for strength in _STRENGTHS:
        model = OneVsRestClassifier(LogisticRegression(C=strength, solver="liblinear", random_state=0))
        model.fit(x, targets)
        score = float(np.mean(model.predict(other) == held_targets))
        if score > best[0]:
            # A label that no text or every text has leaves a constant instead of a regression.
            weights = np.concatenate(
                [np.atleast_2d(getattr(e, "coef_", np.zeros((1, len(known))))) for e in model.estimators_]
            )
            bias = np.concatenate([np.atleast_1d(getattr(e, "intercept_", np.zeros(1))) for e in model.estimators_])
            best = (score, *_by_label(weights, bias, model.classes_, labels, several=targets.ndim == 2))
    return best[1], best[2]


def _by_label(
    weights: NDArray[np.float64], bias: NDArray[np.float64], classes: NDArray[np.int64], labels: int, *, several: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Scores for softmax, or for a sigmoid a label. Of two classes scikit-learn has one row: half for, half against."""
    says, own = np.zeros((weights.shape[1], labels)), np.zeros(labels)
    if not several and len(classes) == 2:
        weights, bias = np.concatenate([-weights, weights]) / 2, np.concatenate([-bias, bias]) / 2
    places = np.arange(labels) if several else classes
    says[:, places], own[places] = weights.T, bias
    return says, own


def _matrix(hashes: Hashes, known: NDArray[np.int64], weight: NDArray[np.float64]) -> csr_matrix:
    """Each piece once, weighed, of length one a text."""
    rows = [places[places > 0] - 1 for places in (known_pieces(each, known) for each in hashes)]
    values = [weight[row] / max(float(np.linalg.norm(weight[row])), 1e-9) for row in rows]
    starts = np.concatenate([[0], np.cumsum([len(row) for row in rows])])
    return csr_matrix((np.concatenate(values), np.concatenate(rows), starts), shape=(len(rows), len(known)))
