"""What a tuning makes small, and how it is told what the model is worth."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from glassworks.families.tuned_language_model.conversations import Reading
from glassworks.families.tuned_language_model.network import Tuned
from glassworks.families.tuned_language_model.packing import Row, rows_of
from glassworks.families.tuned_language_model.settings import TunedLanguageModelConfig
from glassworks.training.parallel import Processors

if TYPE_CHECKING:
    from glassworks.config import Job
    from glassworks.contracts import Dataset, Progress
    from glassworks.language.examples import Example


@dataclass(frozen=True, kw_only=True)
class Course:
    """What all steps of one training share."""

    job: Job
    config: TunedLanguageModelConfig
    folder: Path
    progress: Progress
    started: float
    reading: Reading
    dataset: Dataset
    processors: Processors = field(default_factory=Processors)

    def items(self, part: str) -> list[str]:
        """The conversations of a split."""
        found: list[str] = self.dataset.splits[part].x.tolist()
        return found


class Objective(ABC):
    """What is learned from the conversations of a course; `examples` can be chosen for a step."""

    rates: Mapping[str, float]
    """The peak rate where the job gives none, by what learns (`method`)."""
    epochs = 4
    """How many where the job says nothing."""
    examples: int
    tokens: int
    """Those of one pass over the examples."""
    shown: Sequence[Example]
    """Held-out questions that are answered as it learns."""

    def __init__(self, course: Course) -> None:
        self.course = course

    def begin(self, network: Tuned) -> None:
        """Called with the model as it was brought, before anything is learned or taken up again."""
        return

    @abstractmethod
    def parts(self, network: Tuned, rows: Sequence[int]) -> Iterator[Callable[[], Tensor]]:
        """The loss of some examples, as parts that are added: each is computed when it is called, on any thread."""

    @abstractmethod
    def validate(self, network: Tuned) -> Mapping[str, float]:
        """`validation_loss`, and what else is of interest, on the validation split."""

    @abstractmethod
    def outputs(self, network: Tuned, part: str) -> Mapping[str, NDArray[Any]]:
        """On a split, by their names, those outputs of served models by which the task measures them."""


def scored(network: Tuned, examples: Sequence[Example], course: Course) -> NDArray[np.float64]:
    """Of each example (N 2) the sum of its answers' log-probabilities, and how many tokens they are."""
    network.eval()
    found = np.zeros((len(examples), 2))

    def score(row: Row) -> tuple[Row, list[float]]:
        course.progress.check()
        with torch.inference_mode():
            return row, network.log_probabilities(row).tolist()

    rows = rows_of(examples, course.config.row_tokens, course.processors.parts)
    for row, values in course.processors.map(partial(score, row) for row in rows):
        found[list(row.members)] = np.stack([values, row.sizes], axis=1)
    return found
