"""Input x gradient: each input value's first-order share of the score (Shrikumar et al. 2016)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from glassworks.contracts import Attribution, Budget, Explainer, Session

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class InputXGradient(Explainer):
    """x * d score / d x. One forward, one backward; no baseline and no completeness promised."""

    name: ClassVar[str] = "input_x_gradient"
    role: ClassVar[str] = "gradient"
    subjects: ClassVar[Mapping[str, int]] = {"pictures": 40, "regions": 10, "texts": 20}
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
        from glassworks.explanation.gradients import gradients

        scores, gradient = gradients(session, example, target)
        return Attribution(values=example * gradient, score=float(scores[0]), forward=1, backward=1)
