"""Saliency: the magnitude of the score's gradient at each input value (Simonyan et al. 2013)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from glassworks.contracts import Attribution, Budget, Explainer, Session

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Saliency(Explainer):
    """|d score / d input|: where the answer is sensitive. One forward, one backward."""

    name: ClassVar[str] = "saliency"
    role: ClassVar[str] = "gradient"
    subjects: ClassVar[Mapping[str, int]] = {"pictures": 30, "regions": 40}
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
        return Attribution(values=abs(gradient), score=float(scores[0]), forward=1, backward=1)
