"""The five abstractions (Task, Family, Pass, Runtime, Explainer) and the records that pass between them.

No logic and no heavy import: listing what exists must not load numpy, torch or an engine.

Shape letters: N examples, C channels, H height, W width, K classes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from glassworks.config import Job

    Array = NDArray[np.generic]
    Tensors = Mapping[str, Array]

Datatype = Literal[
    "BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64",
    "FP16", "FP32", "FP64", "BF16", "BYTES",
]  # fmt: skip
Precision = Literal["fp32", "bf16", "int8"]
Device = Literal["cpu", "cuda"]


class Record(BaseModel):
    """A frozen, typed value that can be written as JSON; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class TensorSpec(Record):
    """One tensor of a signature, in the Open Inference Protocol's terms; -1 is a variable dimension."""

    name: str
    datatype: Datatype
    shape: tuple[int, ...]


class Signature(Record):
    """What goes in and what comes out."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]


class Measurement(Record):
    """A metric with its interval: `interval` is the 95 % one, from `examples` examples."""

    value: float
    interval: tuple[float, float]
    examples: int
    higher_is_better: bool = True


class Artifact(Record):
    """One executable file of a model, and what a runtime must know to open it.

    `file` is relative to the folder that holds the artifact (a bundle or a run), and so are the files `beside` it
    that its task needs, such as a tokenizer. `role` says what the graph computes: `predict` (inputs -> outputs),
    `gradient` (input, target -> scores, gradient), `cam` (input, target -> scores, map) or `embed`
    (tokens -> what `gradient` takes). `computes_fp32` names the layers of a less precise artifact that compute in
    fp32 all the same.
    """

    role: str
    format: str
    file: str
    beside: tuple[str, ...] = ()
    precision: Precision = "fp32"
    runtime: str = ""
    threads: int = 1
    made_by: str = ""
    computes_fp32: tuple[str, ...] = ()


class Candidate(Record):
    """A row of the optimization table: one artifact in one runtime, measured.

    Latencies are of one call, in milliseconds, keyed by batch size. `excluded` says why a
    candidate was not measured or may not be chosen; it is empty otherwise. `size_bytes` is that of all files that
    it is served from, `computes_fp32` that of its artifact.
    """

    name: str
    engine: str
    precision: Precision
    latency_p50_ms: dict[int, float] = {}
    latency_p99_ms: dict[int, float] = {}
    size_bytes: int = 0
    metrics: dict[str, Measurement] = {}
    computes_fp32: tuple[str, ...] = ()
    excluded: str = ""


class Lineage(Record):
    """Where a bundle came from."""

    run: str = ""
    data: str = ""
    parent: str = ""
    passes: tuple[str, ...] = ()
    weights_sha256: str = ""


@dataclass(frozen=True, kw_only=True)
class Opened:
    """An artifact with the folder it lies in."""

    artifact: Artifact
    folder: Path

    @property
    def path(self) -> Path:
        return self.folder / self.artifact.file


@dataclass(frozen=True, kw_only=True)
class Split:
    """One part of a data set. `x` is as the task stores it: pictures uint8 N H W C, texts an object array of str.

    `y` is int64 N, or 0 and 1 in int64 N K where an example has several labels. `soft` are a teacher's probabilities
    (N K) to learn from.
    """

    x: Array
    y: NDArray[np.int64]
    soft: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.y)


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """Prepared data: no example, exact or near, stands in two splits.

    `splits` has the keys `train`, `validation` and `test`; `findings` are sentences for people.
    """

    name: str
    fingerprint: str
    classes: tuple[str, ...]
    splits: Mapping[str, Split]
    findings: tuple[str, ...] = ()

    @property
    def examples(self) -> int:
        return sum(len(split) for split in self.splits.values())


@dataclass(frozen=True, kw_only=True)
class Model:
    """A trained model in memory. `network` belongs to its family; nobody else looks inside."""

    family: str
    network: Any
    signature: Signature
    preprocessing: Mapping[str, Any]
    weights_sha256: str
    metrics: Mapping[str, Measurement]
    run: str
    resumed: bool
    seconds: float
    history: tuple[Mapping[str, float], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Differentiable:
    """A trained network as `explanation.compile` traces it.

    `network` maps one float input (N ...) to scores (N K) and equals `head(features(x))`, where
    `features` ends at the last spatial activation (N C h w); both are None for a network without one.
    `example` is an input of at least two rows. All are PyTorch objects in evaluation mode. `free` counts the leading
    dimensions of the input that may have any size: 1, or 2 for sequences (N T D).
    """

    network: Any
    example: Any
    features: Any = None
    head: Any = None
    free: int = 1


@dataclass(frozen=True, kw_only=True)
class Budget:
    """How much an explanation may cost; None is without limit."""

    milliseconds: float | None = None
    tolerance: float = 0.01
    max_steps: int = 257


@dataclass(frozen=True, kw_only=True)
class Attribution:
    """What a method found, before it is graded.

    `values` has the input's shape. `gap` is |sum(values) - (score - baseline_score)| over
    |score - baseline_score| (Sundararajan et al. 2017, completeness); None where the method
    makes no such promise. Counts are rows, not calls.
    """

    values: NDArray[np.float32]
    score: float
    baseline_score: float | None = None
    gap: float | None = None
    forward: int = 0
    backward: int = 0
    converged: bool = True


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """An attribution with its grade and what it belongs to.

    `spans` are (start, end) characters of the text that the values belong to, one a value; together they are the text.
    """

    method: str
    target: int
    label: str
    input: str
    attribution: Attribution
    outputs: Mapping[str, Array]
    seed: int
    artifact_sha256: str
    milliseconds: float
    quality: Mapping[str, float] = field(default_factory=dict)
    spans: tuple[tuple[int, int], ...] = ()


class Progress(ABC):
    """Receives what a long operation reports; never decides anything."""

    @abstractmethod
    def start(self, stage: str, total: int | None = None) -> None:
        """A stage begins; `total` is its number of steps where it is known."""

    @abstractmethod
    def update(self, **values: float | str) -> None:
        """Values of the moment: `step`, `loss`, `accuracy`, `examples_per_s`, `left_s`, ..."""

    @abstractmethod
    def finish(self, message: str = "") -> None:
        """The stage ended."""


class Task(ABC):
    """What goes in, what comes out, how people send it and how it is scored."""

    name: ClassVar[str]
    metric: ClassVar[str]
    """The metric that validation, early stopping and the objective look at."""
    literal: bool = False
    """Whether people may give an input itself where a file is meant: a text."""

    @abstractmethod
    def decode(self, value: bytes, preprocessing: Mapping[str, Any]) -> Array:
        """What a person sent (a picture file, a text) as one stored example, as in `Split.x`."""

    @abstractmethod
    def encode(self, x: Array, preprocessing: Mapping[str, Any]) -> dict[str, Array]:
        """Stored examples (`Split.x`, N ...) as the model's input tensors."""

    @abstractmethod
    def measure(self, scores: Array, targets: NDArray[np.int64]) -> dict[str, Measurement]:
        """Metrics of `scores` (N K) against `targets` (N), each with its 95 % interval."""

    @abstractmethod
    def answer(self, outputs: Tensors, labels: Sequence[str]) -> list[dict[str, Any]]:
        """Outputs as people read them: one object a row."""

    def baseline(self, dataset: Dataset) -> dict[str, Measurement]:
        """Metrics on the test split of something simple that every model of the task must beat; empty without one.

        Its settings are chosen on the validation split.
        """
        return {}

    def wrap(self, session: Session, opened: Opened, preprocessing: Mapping[str, Any]) -> Session:
        """A `predict` session that takes and gives what the model's signature says; here the engine's own."""
        return session

    def calibration(self, x: Array, opened: Opened, preprocessing: Mapping[str, Any]) -> list[Tensors]:
        """Stored examples one by one as the graph in `opened` takes them."""
        tensors = self.encode(x, preprocessing)
        return [{name: values[row : row + 1] for name, values in tensors.items()} for row in range(len(x))]

    @abstractmethod
    def subject(self, tensors: Tensors, sessions: Callable[[str], Session], baseline: float | Array | None) -> Subject:
        """One example (input tensors of one row) as explainers see it; `sessions` opens an artifact by its role.

        `baseline` is what counts as nothing there. Raises InputError for one that does not fit.
        """


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

    @abstractmethod
    def view(self, role: str) -> View:
        """What explainers of the role work on. The session of `predict` gives probabilities (N K)."""

    def place(self, role: str, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """An explainer's values, of the shape of its view's example, at the places of `predict`'s example."""
        return values


class Session(ABC):
    """An opened artifact. Thread-safe; holds no state between calls."""

    signature: Signature

    @abstractmethod
    def run(self, tensors: Tensors, outputs: Sequence[str] | None = None) -> dict[str, Array]:
        """Compute `outputs` (all when None) from the input tensors, keyed by name."""

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
    """Stage -> a reason that users can read, for stages this family cannot do."""
    needs: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def prepare(self, job: Job) -> Dataset:
        """Read, check and split the job's data."""

    @abstractmethod
    def read(self, source: str, preprocessing: Mapping[str, Any], labels: Sequence[str]) -> Split:
        """All examples of another source, stored as `preprocessing` says, with targets counted in `labels`."""

    @abstractmethod
    def train(self, dataset: Dataset, job: Job, folder: Path, progress: Progress) -> Model:
        """Train on `train`, choose on `validation`; checkpoints and metrics go to `folder`."""

    @abstractmethod
    def export(self, model: Model, folder: Path) -> Artifact:
        """Write the fp32 `predict` artifact into `folder`."""

    @abstractmethod
    def differentiable(self, model: Model) -> Differentiable:
        """The function from explainable input to scores, for `explanation.compile` to trace."""

    def explanations(self, model: Model, folder: Path) -> tuple[Artifact, ...]:
        """Artifacts of explainers that the family writes into `folder` itself; without a `gradient` among them, the
        compiler adds that of `differentiable`."""
        return ()

    @abstractmethod
    def tiny(self, folder: Path) -> Job:
        """A job that trains in seconds on data written to `folder`; feeds the conformance suite."""


class Explainer(ABC):
    """A pure function of artifact, example, target, budget and seed."""

    name: ClassVar[str]
    role: ClassVar[str]
    """The artifact's role that `session` must have."""

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
