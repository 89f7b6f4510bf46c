"""One example as explainers see it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from glassworks.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from glassworks.contracts.records import Tensors
    from glassworks.contracts.session import Session


@dataclass(frozen=True, kw_only=True)
class View:
    """What explainers of a role work on: `session` takes rows like `example` and `baseline` (1 ...)."""

    session: Session
    example: NDArray[np.float32]
    baseline: NDArray[np.float32]


class Subject(ABC):
    """One example as explainers and graders see it."""

    input: str
    """The input that is explained."""
    outputs: Tensors
    """The predict artifact's own; the first one holds a probability a class."""
    spans: tuple[tuple[int, int], ...] = ()
    names: tuple[Mapping[str, Any], ...] = ()
    """What the values belong to, where they are things with names, such as the items of a history: each an `item`, of
    JSON's types, with what else it is called."""

    @abstractmethod
    def view(self, role: str) -> View:
        """What explainers of the role work on. The session of `predict` gives probabilities (N K)."""

    def place(self, role: str, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """An explainer's values, of the shape of its view's example, at the places of `predict`'s example."""
        return values

    def aim(self, target: int | str | None, labels: Sequence[str]) -> tuple[int, str]:
        """The column of the scores that is explained, and what people call it.

        Here a class, for None the predicted one. What the views compute may depend on it, so it is called first.
        Raises InputError for what is not there.
        """
        scores = next(iter(self.outputs.values()))
        classes = scores.shape[1]
        chosen = int(scores[0].argmax()) if target is None else int(target)
        if not 0 <= chosen < classes:
            raise InputError(
                f"target is {chosen}, but the model has {classes} classes", f"give a target from 0 to {classes - 1}"
            )
        return chosen, labels[chosen] if chosen < len(labels) else str(chosen)

    def told(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Values at the places of `predict`'s example in the shape of the input, as they are told to people."""
        return values
