"""The five abstractions (Task, Family, Pass, Runtime, Explainer) and the records that pass between them.

No logic and no heavy import: listing what exists must not load numpy, torch or an engine.
The letters of shapes are those of `records`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from glassworks.contracts.embedding import EMBEDDING as EMBEDDING, Embedder as Embedder
from glassworks.contracts.progress import Progress as Progress
from glassworks.contracts.records import (
    Artifact as Artifact,
    Attribution as Attribution,
    Budget as Budget,
    Candidate as Candidate,
    Dataset as Dataset,
    Datatype as Datatype,
    Device as Device,
    Differentiable as Differentiable,
    Explanation as Explanation,
    Lineage as Lineage,
    Measurement as Measurement,
    Model as Model,
    Opened as Opened,
    Precision as Precision,
    Signature as Signature,
    Split as Split,
    TensorSpec as TensorSpec,
)
from glassworks.contracts.subjects import Memory as Memory, Subject as Subject, View as View
from glassworks.errors import InputError, Unsupported
from glassworks.record import Record as Record

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from glassworks.config import Job
    from glassworks.contracts.records import Array as Array, Tensors as Tensors


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


class Session(ABC):
    """An opened artifact. Thread-safe; holds no state between calls."""

    signature: Signature

    @abstractmethod
    def run(self, tensors: Tensors, outputs: Sequence[str] | None = None) -> dict[str, Array]:
        """Compute `outputs` (all when None) from the input tensors, keyed by name."""

    def remember(self, memory: Memory) -> None:  # noqa: B027 - most models are told nothing
        """Heed from now on what people tell."""

    def close(self) -> None:  # noqa: B027 - most engines free themselves
        """Give the engine's memory back."""


class Runtime(ABC):
    """Opens artifacts of the formats it accepts and runs them."""

    name: ClassVar[str]
    accepts: ClassVar[frozenset[str]]
    precisions: ClassVar[Mapping[Precision, str]]
    """Precision -> empty, or the reason why this runtime does not compute in it."""
    devices: ClassVar[tuple[Device, ...]] = ("cpu",)
    needs: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def open(self, opened: Opened, device: Device = "cpu") -> Session:
        """Open an artifact. Raises BundleError when the file is not what it says."""


class Pass(ABC):
    """Makes a faster or smaller artifact of another."""

    name: ClassVar[str]
    accepts: ClassVar[frozenset[str]]
    precision: ClassVar[Precision]
    needs: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def apply(self, opened: Opened, calibration: Sequence[Tensors]) -> Artifact:
        """Write the new artifact into the same folder and return its record.

        `calibration` are single examples of the training split as the graph takes them.
        """


class Family(ABC):
    """A kind of model, through every stage of the flow."""

    name: ClassVar[str]
    task: ClassVar[str]
    config: ClassVar[type[Record]]
    """Validates the job's `[model]` table."""
    explainers: ClassVar[tuple[str, ...]]
    unsupported: ClassVar[Mapping[str, str]] = {}
    """Stage -> a reason that users can read, for stages this family cannot do. `learn`: its `train` returns what the
    job declares, so no loss falls and no seed matters; `distill`: it takes no teacher."""
    needs: ClassVar[tuple[str, ...]] = ()
    variants: ClassVar[tuple[str, ...]] = ()
    """Names of jobs that the conformance suite tries beside the plain one."""

    def upon(self, embedder: Embedder) -> Family:
        """This family for a job that names a registered model in `model.embedding`: every family whose `config` has
        that key. Raises ConfigError for a model that it cannot build upon.
        """
        raise Unsupported(f"the family '{self.name}' builds upon no other model", "leave model.embedding out")

    @abstractmethod
    def prepare(self, job: Job) -> Dataset:
        """Read, check and split the job's data."""

    @abstractmethod
    def read(self, source: str, preprocessing: Mapping[str, Any], labels: Sequence[str]) -> Split:
        """All examples of another source, stored as `preprocessing` says, with targets counted in `labels`."""

    @abstractmethod
    def train(self, dataset: Dataset, job: Job, folder: Path, progress: Progress) -> Model:
        """Train on `train`, choose on `validation`; checkpoints and metrics go to `folder`."""

    def refit(self, model: Model, dataset: Dataset, job: Job, progress: Progress) -> Model | None:
        """The model fitted once more as it is, on everything, what it was measured on too; None where that is not done.

        It is asked for after all measuring, and what it returns is served.
        """
        return None

    @abstractmethod
    def export(self, model: Model, folder: Path) -> Artifact:
        """Write the fp32 `predict` artifact into `folder`."""

    @abstractmethod
    def differentiable(self, model: Model) -> Differentiable:
        """The function from explainable input to scores, for `explanation.compile` to trace."""

    def explanations(self, model: Model, folder: Path) -> tuple[Artifact, ...]:
        """Artifacts of explainers that it writes into `folder` itself; a `gradient` may be left to `differentiable`."""
        return ()

    @abstractmethod
    def tiny(self, folder: Path) -> Job:
        """A job that trains in seconds on data written to `folder`; feeds the conformance suite."""

    def variant(self, name: str, folder: Path) -> Job:
        """A further one, by a name from `variants`: another kind of data or answer, for the same suite."""
        raise Unsupported(f"{self.name} has no variant '{name}'", f"variants: {', '.join(self.variants) or 'none'}")

    def base_model(self, folder: Path) -> Job | None:
        """A job for the model that `tiny` names in `model.embedding`; None where it names none."""
        return None


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


class Exporter(ABC):
    """Writes a bundle in a form that others can use without Glassworks."""

    name: ClassVar[str]

    @abstractmethod
    def export(self, bundle: Path, folder: Path) -> tuple[Path, ...]:
        """Write into `folder` (new or empty) and return what was written."""
