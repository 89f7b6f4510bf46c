"""EASE (Steck 2019): the best weights from item to item under a ridge penalty, in closed form, for any shape.

The primal form inverts a matrix of items, the dual one of users; both give the same scores.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from glassworks.recommendation.scoring import Sparse
from glassworks.recommendation.scoring.dense_weights import DenseWeights
from glassworks.recommendation.scoring.dual_ease import DualEase


def fit_dual(
    likes: Sparse, regularization: float, features: Sparse | None = None, names: Sequence[str] = ()
) -> DualEase:
    """Of `likes` (U I); `features` (V I) stand under it as further users (V named features of items)."""
    from scipy.linalg import cho_factor, cho_solve
    from scipy.sparse import csr_array, vstack

    rows = likes if features is None else csr_array(vstack([likes, features]))
    active = np.flatnonzero(np.diff(csr_array(rows.T).indptr)).astype(np.int32)
    system = np.asarray((rows @ rows.T).toarray(), np.float32)
    system[np.diag_indices(len(system))] += regularization
    known = np.asarray(rows[:, active].toarray(), np.float32)
    solved = cho_solve(cho_factor(system, overwrite_a=True, check_finite=False), known, check_finite=False)
    own = np.einsum("ui,ui->i", known, solved, dtype=np.float64)
    return DualEase(
        by_item=csr_array(rows.T.astype(np.float32)),
        solved=np.ascontiguousarray(solved.T),
        scale=(1 / (1 - own)).astype(np.float32),
        active=active,
        features=names,
    )


def fit_primal(likes: Sparse, regularization: float, features: Sparse | None = None) -> DenseWeights:
    """Of `likes` (U I), restricted to items that somebody likes or, with `features` (V I), that have one."""
    from scipy.sparse import csr_array, vstack

    rows = likes if features is None else csr_array(vstack([likes, features]))
    active = np.flatnonzero(np.diff(csr_array(rows.T).indptr)).astype(np.int32)
    chosen = rows[:, active]
    system = np.asarray((chosen.T @ chosen).toarray(), np.float32)
    system[np.diag_indices(len(active))] += regularization
    weights = _inverse(system)
    weights /= -np.diag(weights).copy()[None]
    np.fill_diagonal(weights, 0)
    return DenseWeights(weights, active, likes.shape[1])


def _inverse(system: NDArray[np.float32]) -> NDArray[np.float32]:
    """Of a symmetric positive matrix, in its own memory: half the work of a general inverse."""
    from scipy.linalg import lapack

    # LAPACK counts by columns; the transpose of a symmetric matrix is itself.
    lower, failed = lapack.spotrf(system.T, lower=1, overwrite_a=1, clean=0)
    if failed == 0:
        lower, failed = lapack.spotri(lower, lower=1, overwrite_c=1)
    if failed:
        raise np.linalg.LinAlgError("the system is not positive definite")
    found: NDArray[np.float32] = lower.T
    for begin in range(0, len(found), _BLOCK):
        end = begin + _BLOCK
        found[end:, begin:end] = found[begin:end, end:].T
        square = found[begin:end, begin:end]
        square[...] = np.triu(square) + np.triu(square, 1).T
    return found


_BLOCK = 1024
