"""History contributions: the exact part of a recommendation's score that each item of the history has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from glassworks.contracts import Attribution, Budget, Explainer, Session

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class HistoryContributions(Explainer):
    """What the model itself adds up: for weights between items (Steck 2019) each history item's own summand, for
    factors the split of Hu et al. 2008, section 5. The rest of the score is what an empty history would get."""

    name: ClassVar[str] = "history_contributions"
    role: ClassVar[str] = "predict"
    subjects: ClassVar[Mapping[str, int]] = {"histories": 10}

    def explain(
        self,
        session: Session,
        example: NDArray[np.float32],
        target: int,
        baseline: NDArray[np.float32],
        budget: Budget,
        seed: int,
    ) -> Attribution:
        from glassworks.explanation.histories import asked

        parts, scores = asked(session, example, "contributions", "scores")
        nothing = asked(session, baseline, "scores")[0]
        score, without = float(scores[0, target]), float(nothing[0, target])
        change = score - without
        gap = abs(float(parts.sum(dtype="float64")) - change) / max(abs(change), 1e-12)
        return Attribution(
            values=parts.reshape(example.shape),
            score=score,
            baseline_score=without,
            gap=gap if change else 0.0,
            forward=2,
        )
