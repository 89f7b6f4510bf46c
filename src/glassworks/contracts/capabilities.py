"""What only some tasks can do: a task inherits from each that it has, and `isinstance` asks for it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from glassworks.errors import Unsupported

if TYPE_CHECKING:
    from pathlib import Path

    from glassworks.contracts.evaluation import Evaluation, Opening, Questions
    from glassworks.contracts.memory import Memory
    from glassworks.contracts.progress import Progress
    from glassworks.contracts.records import Array, Budget, Split, Tensors
    from glassworks.contracts.session import Session
    from glassworks.contracts.subject import Subject


class Pictures(ABC):
    """Takes pictures, and so the frames of a video."""

    @abstractmethod
    def fit(self, pixels: Array, preprocessing: Mapping[str, Any]) -> Array:
        """A picture in color (uint8 H W 3), such as a frame of a video, as one stored example."""

    @abstractmethod
    def show(self, pixels: Array, outputs: Tensors, answer: Mapping[str, Any]) -> Array:
        """The answer for one picture (its row of `outputs`, and of `Task.answer`) drawn as uint8 H W C."""


class Tables(ABC):
    """Answers every row of a table."""

    @abstractmethod
    def answer_table(self, session: Session, source: Path, output: Path, progress: Progress) -> Mapping[str, int]:
        """Write the answers to `source` as the table `output`; counts. Raises InputError and StorageError."""


class Feedback(ABC):
    """Its models take feedback while they serve."""

    @abstractmethod
    def memory(self, file: Path) -> Memory:
        """What keeps it, in `file`."""


class Generation(ABC):
    """Its models write text, token by token: their sessions stream, and take the parameters of `language.parameters`.

    `preprocessing` says their `context`, `streams`, `max_tokens`, `vocabulary`, `chat_template` and `special` tokens.
    """

    @abstractmethod
    def about(self, preprocessing: Mapping[str, Any]) -> Mapping[str, str]:
        """What people should know of a model before they ask it, by short names."""

    def asked(self, text: str) -> Mapping[str, Any]:
        """What an input file asks beside its text, as `prompted` takes it: a conversation, for example."""
        return {}

    def prompted(
        self,
        tensors: Tensors,
        sessions: Callable[[str], Session],
        asked: Mapping[str, Any],
        budget: Budget,
        check: Callable[[], None] = lambda: None,
    ) -> Subject:
        """One prompt as explainers see it, within a budget; `asked` says which answer, or what of it, is explained by
        which parts. `check` is called again and again while it computes: what it raises ends that. Raises InputError.
        """
        raise Unsupported("answers of this model are not explained", "ask for log-probabilities")

    def complete(
        self, session: Session, splits: Mapping[str, Split], folder: Path, preprocessing: Mapping[str, Any]
    ) -> tuple[Mapping[str, Any], tuple[str, ...]]:
        """What is still to be known of a model when it is chosen what is served: its preprocessing, and the files that
        were written into `folder` for the artifact that `session` opened."""
        return preprocessing, ()

    def evaluate_on(
        self,
        reference: str,
        asked: Questions,
        open_model: Callable[[str], AbstractContextManager[Opening]],
        against: str,
        progress: Progress,
    ) -> Evaluation:
        """Measure a model on the rows of a source, and `against` another version where one is named; `open_model` opens
        each for as long as it is asked. Raises DataError, InputError, StorageError, ServingError and Cancelled.
        """
        raise Unsupported("this model is not measured on questions of others", "leave '--data' out")
