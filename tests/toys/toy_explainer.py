"""Says how large each number is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from glassworks.contracts import Attribution, Budget, Explainer, Session

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class ToyExplainer(Explainer):
    """Each number's share of the sum."""

    name: ClassVar[str] = "toy_explainer"
    role: ClassVar[str] = "predict"
    subjects: ClassVar[Mapping[str, int]] = {"toys": 1}

    def explain(
        self,
        session: Session,
        example: NDArray[np.float32],
        target: int,
        baseline: NDArray[np.float32],
        budget: Budget,
        seed: int,
    ) -> Attribution:
        scores = session.run({"numbers": example})["scores"]
        return Attribution(values=example / example.sum(), score=float(scores[0, target]), forward=1)
