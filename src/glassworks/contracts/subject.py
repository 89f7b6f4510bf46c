"""One example as explainers see it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from glassworks.contracts.records import DECISION
from glassworks.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from glassworks.contracts.records import Attribution, Budget, Tensors
    from glassworks.contracts.session import Session


@dataclass(frozen=True, kw_only=True)
class View:
    """What explainers of a role get: `session` takes rows like `example` and `baseline` (1 ...)."""

    session: Session
    example: NDArray[np.float32]
    baseline: NDArray[np.float32]


class Subject(ABC):
    """One example as explainers and graders see it."""

    kind: ClassVar[str]
    """What is explained: `pictures` (pixels, for a class), `regions` (pixels, for a region of the answer), `texts`
    (words), `histories` (items of a history), or a kind that another task adds."""
    input: str
    """The input that is explained."""
    outputs: Tensors
    """The predict artifact's own; the first one holds a probability a class."""
    spans: tuple[tuple[int, int], ...] = ()
    baseline_to_try: float | None = None
    """Set where the example is the baseline itself, which explains nothing: one that differs from it."""
    sections: tuple[tuple[str, int, int], ...] = ()
    """Names of the parts of a text, with their characters."""
    names: tuple[Mapping[str, Any], ...] = ()
    """What the values belong to, where that has names, such as the items of a history: each an `item`, of JSON's types,
    and its other names."""

    @abstractmethod
    def view(self, role: str) -> View:
        """What explainers of the role get. The session of `predict` gives probabilities (N K)."""

    def align(self, role: str, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """An explainer's values, in the shape of its view's example, in the shape of `predict`'s example."""
        return values

    def aim(self, target: int | str | None, labels: Sequence[str]) -> tuple[int, str]:
        """The column of the scores that is explained, and what people call it.

        Here a class, for None the predicted one. Views may depend on it, so call it first. Raises InputError for a
        target that does not exist.
        """
        scores = self.outputs.get(DECISION, next(iter(self.outputs.values())))
        classes = scores.shape[1]
        chosen = int(scores[0].argmax()) if target is None else int(target)
        if not 0 <= chosen < classes:
            raise InputError(
                f"target is {chosen}, but the model has {classes} classes", f"give a target from 0 to {classes - 1}"
            )
        return chosen, labels[chosen] if chosen < len(labels) else str(chosen)

    orders: int | None = None
    """Random orders that a grade compares with, 0 where there is no budget for any; None for the usual number."""

    def within(self, budget: Budget) -> Budget:
        """What of a budget a method may spend."""
        return budget

    def details(self, explain: Callable[[int], Attribution]) -> Mapping[str, Any]:
        """What else there is to tell, of JSON's types; `explain` is the same method for another column of scores."""
        return {}

    def reported(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Values in the shape of `predict`'s example as they are reported: in the shape of the input."""
        return values
