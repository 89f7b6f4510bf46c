"""Receptive field: the input values that can change the score at all, by the structure of what computes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from glassworks.contracts import Attribution, Budget, Explainer, Session

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class ReceptiveField(Explainer):
    """1 where a value can matter, 0 where it cannot, whatever the picture holds. One forward, no gradient."""

    name: ClassVar[str] = "receptive_field"
    role: ClassVar[str] = "gradient"
    subjects: ClassVar[Mapping[str, int]] = {"regions": 20}
    against_baseline: ClassVar[bool] = False

    def explain(
        self,
        session: Session,
        example: NDArray[np.float32],
        target: int,
        baseline: NDArray[np.float32],
        budget: Budget,
        seed: int,
    ) -> Attribution:
        from glassworks.explanation.gradients import targeted

        scores, field = targeted(session, example, target, "field")
        return Attribution(values=field, score=float(scores[0]), forward=1)
