"""What goes in and what comes out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from glassworks.errors import InputError, Unsupported

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from glassworks.contracts.memory import Memory
    from glassworks.contracts.progress import Progress
    from glassworks.contracts.records import Array, Dataset, Measurement, Opened, Tensors
    from glassworks.contracts.session import Session
    from glassworks.contracts.subject import Subject


class Task(ABC):
    """What goes in, what comes out, how people send it and how it is scored."""

    name: ClassVar[str]
    metric: ClassVar[str]
    """The metric that validation, early stopping and the objective look at."""
    constants: ClassVar[tuple[str, ...]] = ()
    """Names, in a bundle's `comparison`, of the best answers that heed no input: what has learned beats them."""
    literal: bool = False
    """Whether people may give an input itself where a file is meant: a text."""
    parts: Literal["", "spans", "names"] = ""
    """What values of an explanation belong to where that is not the input's own shape: see `Explanation`."""
    labelled: bool = True
    """Whether its examples come with what is to be learned of them: labels, or interactions."""
    tables: bool = False
    """Whether `answer_table` is there."""
    pictures: bool = False
    """Whether it looks at pictures: then `fit` and `show` are there, and so are videos."""

    @abstractmethod
    def decode(self, value: bytes, preprocessing: Mapping[str, Any]) -> Array:
        """What a person sent (a picture file, a text) as one stored example, as in `Split.x`."""

    @abstractmethod
    def encode(self, x: Array, preprocessing: Mapping[str, Any]) -> dict[str, Array]:
        """Stored examples (`Split.x`, N ...) as the model's input tensors."""

    @abstractmethod
    def measure(self, scores: Array, targets: NDArray[np.int64]) -> dict[str, Measurement]:
        """Metrics of `scores` (N K) against `targets` (N), each with its 95 % interval."""

    def evaluate(self, ask: Callable[[str], Array], targets: NDArray[np.int64]) -> dict[str, Measurement]:
        """Metrics of a session whose outputs `ask` computes for all examples, by name; an empty one is the first.

        Those of `measure`, where the first output tells all that is scored.
        """
        return self.measure(ask(""), targets)

    def guard(self, targets: NDArray[np.int64]) -> str:
        """The metric that a search shall not lose, and early stopping looks at, for targets of that kind."""
        return self.metric

    @abstractmethod
    def answer(self, outputs: Tensors, labels: Sequence[str]) -> list[dict[str, Any]]:
        """Outputs as people read them: one object a row."""

    def baseline(self, dataset: Dataset) -> dict[str, Measurement]:
        """Metrics on the test split of something simple, chosen on the validation split, that every model must beat."""
        return {}

    def constant(self, dataset: Dataset) -> dict[str, dict[str, Measurement]]:
        """Metrics on the test split of `constants`, but those that the training compares with itself."""
        return {}

    def wrap(self, session: Session, opened: Opened, preprocessing: Mapping[str, Any]) -> Session:
        """A `predict` session that takes and gives what the model's signature says; here the engine's own."""
        return session

    def unlimited(self, preprocessing: Mapping[str, Any]) -> Mapping[str, Any]:
        """The preprocessing without what bounds a request: examples are measured however long they are."""
        return preprocessing

    def usual(self, session: Session, preprocessing: Mapping[str, Any]) -> Tensors:
        """A row as people usually send it, to warm up with and to see how long one takes; empty where zeros will do."""
        return {}

    def memory(self, file: Path) -> Memory | None:
        """What models of this task remember of what they are told while they serve, in `file`; None for nothing."""
        return None

    def answer_table(self, session: Session, source: Path, output: Path, progress: Progress) -> Mapping[str, int]:
        """Answers for every row of a table, as a table; counts. Raises Unsupported, InputError, StorageError."""
        raise Unsupported(f"a model for {self.name} takes no tables", "give it one input")

    def fit(self, pixels: Array, preprocessing: Mapping[str, Any]) -> Array:
        """A picture in color (uint8 H W 3), such as a frame of a video, as one stored example. Raises Unsupported."""
        raise Unsupported(f"a model for {self.name} looks at no pictures", "give it what it takes")

    def show(self, pixels: Array, outputs: Tensors, answer: Mapping[str, Any]) -> Array:
        """The answer for one picture (its row of `outputs`, and in words) as a picture to look at, uint8 H W C."""
        raise Unsupported(f"a model for {self.name} shows no pictures", "read its answer")

    def target(self, asked: int | str | None, labels: Sequence[str]) -> int | str | None:
        """What shall be explained, as people name it, checked as far as the model alone tells: here a class by its
        label or number. None leaves the choice to the answer. Raises InputError.
        """
        if not isinstance(asked, str):
            return asked
        if asked in labels:
            return labels.index(asked)
        if asked.isdecimal() and asked.isascii():
            return int(asked)
        shown = f"{', '.join(labels[:20])}{' ...' if len(labels) > 20 else ''}"
        raise InputError(f"the model has no class '{asked[:200]}'", f"give a class number or one of: {shown}")

    def small(self, x: Array) -> Array:
        """Stored examples cut to fit into a sample request; where that would change them, they stay as they are."""
        return x

    def calibration(self, x: Array, opened: Opened, preprocessing: Mapping[str, Any]) -> list[Tensors]:
        """Stored examples one by one as the graph in `opened` takes them."""
        tensors = self.encode(x, preprocessing)
        return [{name: values[row : row + 1] for name, values in tensors.items()} for row in range(len(x))]

    @abstractmethod
    def subject(self, tensors: Tensors, sessions: Callable[[str], Session], baseline: float | Array | None) -> Subject:
        """One example (input tensors of one row) as explainers see it; `sessions` opens an artifact by its role.

        `baseline` is what counts as nothing there. Raises InputError for one that does not fit.
        """
