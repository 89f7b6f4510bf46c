"""Integrated gradients with as many steps as completeness needs (Sundararajan et al. 2017)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, ClassVar

from glassworks.contracts import Attribution, Budget, Explainer, Session

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_FIRST = 8
_ROWS = 32


class IntegratedGradients(Explainer):
    """(x - x') times the mean gradient on the straight path from the baseline x' to x.

    The values add up to score(x) - score(x'). The number of nodes doubles from 8 until the gap
    is at most `budget.tolerance`, or the budget is spent: then `converged` is false.
    """

    name: ClassVar[str] = "integrated_gradients"
    role: ClassVar[str] = "gradient"

    def explain(
        self,
        session: Session,
        example: NDArray[np.float32],
        target: int,
        baseline: NDArray[np.float32],
        budget: Budget,
        seed: int,
    ) -> Attribution:
        start, rows, count = time.perf_counter(), 0, _FIRST
        while True:
            attribution = _integrate(session, example, target, baseline, count)
            rows += count
            spent_ms = 1e3 * (time.perf_counter() - start)
            converged = attribution.gap is not None and attribution.gap <= budget.tolerance
            # The next try costs at least twice as much as all so far.
            over = budget.milliseconds is not None and 3 * spent_ms > budget.milliseconds
            if converged or over or 2 * count > budget.max_steps:
                return Attribution(
                    values=attribution.values,
                    score=attribution.score,
                    baseline_score=attribution.baseline_score,
                    gap=attribution.gap,
                    forward=rows,
                    backward=rows,
                    converged=converged,
                )
            count *= 2


def _integrate(
    session: Session, example: NDArray[np.float32], target: int, baseline: NDArray[np.float32], count: int
) -> Attribution:
    import numpy as np

    from glassworks.explanation.gradients import gauss_lobatto, gradients

    nodes, weights = gauss_lobatto(count)
    difference = example - baseline
    total = np.zeros(example.shape[1:], np.float32)
    ends: list[float] = []
    column = (-1,) + (1,) * (example.ndim - 1)
    for begin in range(0, count, _ROWS):
        part = slice(begin, begin + _ROWS)
        scores, gradient = gradients(session, baseline + nodes[part].reshape(column) * difference, target)
        total += np.tensordot(weights[part], gradient, axes=1)
        ends += [float(scores[0]), float(scores[-1])]
    values = difference * total
    change = ends[-1] - ends[0]
    gap = abs(float(values.sum(dtype=np.float64)) - change) / max(abs(change), 1e-6)
    return Attribution(values=values, score=ends[-1], baseline_score=ends[0], gap=gap)
