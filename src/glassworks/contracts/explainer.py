"""A method that explains answers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
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
    subjects: ClassVar[Mapping[str, int]]
    """Kinds of subjects (`Subject.kind`) that it explains, each with its rank among the methods there: the method of
    the lowest rank is a family's default."""
    against_baseline: ClassVar[bool] = True
    """Whether it looks at `baseline`: then an example that equals it is not explained."""
    says: ClassVar[str] = "because of"
    """The words between the answer and the parts with values."""

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
