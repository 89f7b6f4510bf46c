"""Implicit ALS through the library implicit: the same seed gives the same factors on one machine."""

from __future__ import annotations

import numpy as np

from glassworks.catalog import require
from glassworks.recommendation.scoring import Sparse
from glassworks.recommendation.scoring.factors import Factors


def fit_factors(
    likes: Sparse, *, factors: int, alpha: float, regularization: float, iterations: int, seed: int, threads: int
) -> Factors:
    """Factors of the items of `likes` (U I). Raises MissingLibrary."""
    require(("implicit", "threadpoolctl"), "factorization", extra="recommend")
    from implicit.cpu.als import AlternatingLeastSquares
    from scipy.sparse import csr_matrix
    from threadpoolctl import threadpool_limits

    # The library has threads of its own, and a BLAS with as many again would only be in their way.
    with threadpool_limits(1, "blas"):
        model = AlternatingLeastSquares(
            factors=factors,
            alpha=alpha,
            regularization=regularization,
            iterations=iterations,
            random_state=seed,
            num_threads=threads,
        )
        model.fit(csr_matrix(likes), show_progress=False)
        found = np.ascontiguousarray(model.item_factors, np.float32)
        gram = found.astype(np.float64).T @ found.astype(np.float64)
    return Factors(found, gram, alpha=alpha, regularization=regularization)
