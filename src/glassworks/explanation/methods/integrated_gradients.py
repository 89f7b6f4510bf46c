"""Integrated gradients with as many steps as completeness needs (Sundararajan et al. 2017)."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from glassworks.contracts import Attribution, Budget, Explainer, Session

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_FIRST = 9
_ROWS = 32
_MEMORY_BYTES = 2**29
"""All gradients of the path are kept, since refining the rule changes every weight."""


class IntegratedGradients(Explainer):
    """(x - x') times the mean gradient on the straight path from the baseline x' to x.

    The values add up to score(x) - score(x'). The nodes grow from 9 over 17 and 33 until the gap
    is at most `budget.tolerance`, or the budget is spent: then `converged` is false.
    """

    name: ClassVar[str] = "integrated_gradients"
    role: ClassVar[str] = "gradient"
    subjects: ClassVar[Mapping[str, int]] = {"pictures": 10, "regions": 30, "texts": 10}

    def explain(
        self,
        session: Session,
        example: NDArray[np.float32],
        target: int,
        baseline: NDArray[np.float32],
        budget: Budget,
        seed: int,
    ) -> Attribution:
        import numpy as np

        from glassworks.explanation.gradients import clenshaw_curtis

        start = time.perf_counter()
        path = _Path(session, example, target, baseline)
        gradients = path.at(clenshaw_curtis(_FIRST)[0])
        while True:
            count = len(gradients)
            values, gap = path.integral(gradients, clenshaw_curtis(count)[1])
            finer = 2 * count - 1
            # Refining costs about as much as all so far.
            spent = budget.milliseconds is not None and 2e3 * (time.perf_counter() - start) > budget.milliseconds
            too_fine = finer > budget.max_steps or finer * example.nbytes > _MEMORY_BYTES
            if gap <= budget.tolerance or spent or too_fine:
                return Attribution(
                    values=values,
                    score=path.scores[1],
                    baseline_score=path.scores[0],
                    gap=gap,
                    forward=count,
                    backward=count,
                    converged=gap <= budget.tolerance,
                )
            refined = np.empty((finer, *gradients.shape[1:]), np.float32)
            refined[0::2] = gradients
            refined[1::2] = path.at(clenshaw_curtis(finer)[0][1::2])
            gradients = refined


class _Path:
    """The straight line from the baseline to the example; `scores` are those of its two ends."""

    def __init__(
        self, session: Session, example: NDArray[np.float32], target: int, baseline: NDArray[np.float32]
    ) -> None:
        self._session, self._target, self._baseline = session, target, baseline
        self._difference = example - baseline
        self.scores = (0.0, 0.0)

    def at(self, nodes: NDArray[np.float32]) -> NDArray[np.float32]:
        """Gradients (nodes ...) at points 0..1 of the line."""
        import numpy as np

        from glassworks.explanation.gradients import gradients

        column = nodes.reshape(-1, *[1] * (self._difference.ndim - 1))
        parts = []
        for begin in range(0, len(nodes), _ROWS):
            rows = self._baseline + column[begin : begin + _ROWS] * self._difference
            scores, found = gradients(self._session, rows, self._target)
            parts.append(found)
            first = float(scores[0]) if nodes[0] == 0 and begin == 0 else self.scores[0]
            last = float(scores[-1]) if nodes[-1] == 1 and begin + _ROWS >= len(nodes) else self.scores[1]
            self.scores = (first, last)
        return np.concatenate(parts)

    def integral(
        self, gradients: NDArray[np.float32], weights: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], float]:
        """The attribution (1 ...) and its completeness gap."""
        import numpy as np

        values = self._difference * np.tensordot(weights, gradients, axes=1)
        change = self.scores[1] - self.scores[0]
        gap = abs(float(values.sum(dtype=np.float64)) - change) / max(abs(change), 1e-6)
        return values, gap
