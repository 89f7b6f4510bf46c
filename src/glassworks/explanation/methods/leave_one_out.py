"""Leave one out: how much the answer's probability falls without one part (Li et al. 2016, erasure)."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from glassworks.contracts import Attribution, Budget, Explainer, Session

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_ROWS = 64


class LeaveOneOut(Explainer):
    """Each value of the example takes its turn to become the baseline's. Needs predictions only, so it works on every
    model and explains the very artifact that answers."""

    name: ClassVar[str] = "leave_one_out"
    role: ClassVar[str] = "predict"
    subjects: ClassVar[Mapping[str, int]] = {"texts": 30, "histories": 30, "prompts": 10}

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

        from glassworks.explanation.coalitions import Game

        end = time.perf_counter() + (1e9 if budget.milliseconds is None else budget.milliseconds / 1e3)
        game = Game(session, example, baseline, target)
        whole = np.ones((1, game.players), np.bool_)
        score = float(game.value(whole)[0])
        values, done = np.zeros(game.players), 0
        most = min(game.players, (budget.max_rows or 2**31) - 1)
        for begin in range(0, most, _ROWS):
            if time.perf_counter() > end:
                break
            indices = np.arange(begin, min(begin + _ROWS, most))
            values[indices] = score - game.value(np.arange(game.players) != indices[:, None])
            done += len(indices)
        return Attribution(
            values=values.astype(np.float32).reshape(example.shape),
            score=score,
            forward=done + 1,
            converged=done == game.players,
        )
