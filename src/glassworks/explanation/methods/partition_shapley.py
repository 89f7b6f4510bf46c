"""Shapley values over a tree of neighbors: Owen's values (Owen 1977), as the partition explainer of shap has them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from glassworks.contracts import Attribution, Budget, Explainer, Session

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_EXACT = 8


class PartitionShapley(Explainer):
    """Up to 8 values: exact Shapley values. More: neighbors share what they do together, halving down a balanced tree;
    the halves with the largest share are opened first, and what is never opened is shared evenly.

    The values always add up to score(example) - score(baseline).
    """

    name: ClassVar[str] = "partition_shapley"
    role: ClassVar[str] = "predict"
    subjects: ClassVar[Mapping[str, int]] = {"texts": 40, "prompts": 20}

    def explain(
        self,
        session: Session,
        example: NDArray[np.float32],
        target: int,
        baseline: NDArray[np.float32],
        budget: Budget,
        seed: int,
    ) -> Attribution:
        from glassworks.explanation.coalitions import AT_ONCE, MOST_ROWS, Game, owen_values, shapley_values

        start, game = time.perf_counter(), Game(session, example, baseline, target)
        ends = game.ends()
        most = budget.max_rows or MOST_ROWS + AT_ONCE
        if game.players <= _EXACT and game.rows + 2**game.players <= most:
            values, finished = shapley_values(game), True
        else:
            values, finished = owen_values(game, ends, lambda: game.rows + AT_ONCE <= most and _left(budget, start))
        change = ends[1] - ends[0]
        return Attribution(
            values=values.astype("float32").reshape(example.shape),
            score=ends[1],
            baseline_score=ends[0],
            gap=abs(float(values.sum()) - change) / max(abs(change), 1e-6),
            forward=game.rows,
            converged=finished,
        )


def _left(budget: Budget, start: float) -> bool:
    return budget.milliseconds is None or 1e3 * (time.perf_counter() - start) < budget.milliseconds
