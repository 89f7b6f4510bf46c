"""A method that explains answers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from glassworks.contracts.records import Attribution, Budget
    from glassworks.contracts.session import Session


class Explainer(ABC):
    """A pure function of artifact, example, target, budget and seed."""

    name: ClassVar[str]
    role: ClassVar[str]
    """The artifact's role that `session` must have."""
    says: ClassVar[str] = "because of"
    """What stands between the answer and the parts with values, as people read it."""

    @abstractmethod
    def explain(
        self,
        session: Session,
        example: NDArray[np.float32],
        target: int,
        baseline: NDArray[np.float32],
        budget: Budget,
        seed: int,
    ) -> Attribution:
        """Explain the score of `target` for `example` (1 ...) against `baseline` (the same shape)."""
