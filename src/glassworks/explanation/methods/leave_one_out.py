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

        start, game = time.perf_counter(), Game(session, example, baseline, target)
        whole = np.ones((1, game.players), np.bool_)
        score = float(game.value(whole)[0])
        values, done = np.zeros(game.players), 0
        for begin in range(0, game.players, _ROWS):
            if budget.milliseconds is not None and 1e3 * (time.perf_counter() - start) > budget.milliseconds:
                break
            indices = np.arange(begin, min(begin + _ROWS, game.players))
            without = np.repeat(whole, len(indices), axis=0)
            without[np.arange(len(indices)), indices] = False
            values[indices] = score - game.value(without)
            done += len(indices)
        return Attribution(
            values=values.astype(np.float32).reshape(example.shape),
            score=score,
            forward=done + 1,
            converged=done == game.players,
        )
