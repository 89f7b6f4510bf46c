"""Shapley values from sampled coalitions (Lundberg and Lee 2017, KernelSHAP), with their standard errors."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from glassworks.contracts import Attribution, Budget, Explainer, Session

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_ROWS_A_PLAYER, _LEAST_ROWS = 16, 256


class KernelShap(Explainer):
    """All coalitions where the rows suffice, which gives exact values; else as many pairs of a coalition and its
    complement, drawn by the seed. The values always add up to score(example) - score(baseline).
    """

    name: ClassVar[str] = "kernel_shap"
    role: ClassVar[str] = "predict"
    subjects: ClassVar[Mapping[str, int]] = {"prompts": 30}

    def explain(
        self,
        session: Session,
        example: NDArray[np.float32],
        target: int,
        baseline: NDArray[np.float32],
        budget: Budget,
        seed: int,
    ) -> Attribution:
        from glassworks.explanation.coalitions import Game, kernel_values

        end = time.perf_counter() + (1e9 if budget.milliseconds is None else budget.milliseconds / 1e3)
        game = Game(session, example, baseline, target)
        ends, n = game.ends(), game.players
        rows = min(max(_LEAST_ROWS, _ROWS_A_PLAYER * n), (budget.max_rows or 2**31) - game.rows)
        found = kernel_values(game, ends, rows, seed, lambda: time.perf_counter() < end)
        return Attribution(
            values=found.values.astype("float32").reshape(example.shape),
            errors=found.errors.astype("float32").reshape(example.shape) if found.enough else None,
            score=ends[1],
            baseline_score=ends[0],
            gap=abs(float(found.values.sum()) - ends[1] + ends[0]) / max(abs(ends[1] - ends[0]), 1e-6),
            forward=game.rows,
            converged=found.enough,
        )
