"""Counterfactual: the items of the history without which this would not be recommended, verified by scoring again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from glassworks.contracts import Attribution, Budget, Explainer, Session

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Counterfactual(Explainer):
    """1 for the items of a minimal set whose removal takes the target out of the k best, 0 for all others.

    Each set is verified by scoring again; `converged` is false and all values are 0 where the target stays although
    25 items are taken out.
    """

    name: ClassVar[str] = "counterfactual"
    role: ClassVar[str] = "predict"
    subjects: ClassVar[Mapping[str, int]] = {"histories": 20}
    against_baseline: ClassVar[bool] = False
    says: ClassVar[str] = "would not be among the best without those of 1"

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

        from glassworks.explanation.histories import asked, smallest_removal

        parts, scores = asked(session, example, "contributions", "scores")

        def kept(there: NDArray[np.bool_]) -> bool:
            mask = there.astype(np.float32).reshape(example.shape)
            return bool(asked(session, mask, "kept")[0][0, target])

        removal = smallest_removal(parts.ravel().astype(np.float64), kept)
        values = np.zeros(example.size, np.float32)
        values[list(removal.entries)] = 1
        return Attribution(
            values=values.reshape(example.shape),
            score=float(scores[0, target]),
            forward=removal.tried + 1,
            converged=removal.found,
        )
