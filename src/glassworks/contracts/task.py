"""What goes in and what comes out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from glassworks.contracts.presentation import Presentation
from glassworks.errors import InputError, Unsupported

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from glassworks.contracts.evaluation import ExampleScores
    from glassworks.contracts.progress import Progress
    from glassworks.contracts.records import Array, ClassMeasurement, Dataset, Measurement, Opened, Tensors
    from glassworks.contracts.session import Session
    from glassworks.contracts.subject import Subject

_PLAIN: Mapping[str, Any] = MappingProxyType({})


class Task(ABC):
    """What goes in, what comes out, how people send it and how it is scored.

    What only some tasks do is a capability beside it: `Pictures`, `Tables`, `Feedback`.
    """

    name: ClassVar[str]
    metric: ClassVar[str]
    """The metric that validation, early stopping and the objective look at."""
    compared_by: ClassVar[str] = ""
    """The metric in which models stand beside simpler ones; empty where that is `metric`, or the one to guard."""
    subject_kind: ClassVar[str]
    """The kind of its subjects, which explainers name in `Explainer.subjects`: see `Subject.kind`."""
    constants: ClassVar[tuple[str, ...]] = ()
    """Names, in a bundle's `comparison`, of the best answers that ignore the input: a model must beat them."""
    explained: ClassVar[int] = 16
    """Validation examples whose explanations by the served graph and by the float one are compared."""
    literal: ClassVar[bool] = False
    """Whether people may give an input itself where a file is meant: a text."""
    parts: ClassVar[Literal["", "spans", "names"]] = ""
    """What values of an explanation belong to where that is not the input's own shape: see `Explanation`."""
    labelled: ClassVar[bool] = True
    """Whether its examples come with what is to be learned of them: labels, or interactions."""
    minimize: ClassVar[str] = "latency_p99"
    """What a search makes small where the job says nothing."""
    timings: ClassVar[tuple[str, ...]] = ("latency_p50", "latency_p99")
    """What objectives may say of its models' time; `speeds` measures what stands here instead."""

    brief: ClassVar[Mapping[str, Any]] = {}
    """Parameters with which `Session.stream` answers at once, to warm up with; empty where `Session.run` does."""

    @abstractmethod
    def decode(self, value: bytes, preprocessing: Mapping[str, Any]) -> Array:
        """What a person sent (a picture file, a text) as one stored example, as in `Split.x`."""

    def inputs(self, source: str, preprocessing: Mapping[str, Any]) -> Iterator[tuple[str, Callable[[], Array]]]:
        """All examples of a data source in their order, labelled or not: a name, and what reads the stored example.

        Reading one raises InputError or OSError where it cannot be read. Raises DataError, NotFound, MissingLibrary.
        """
        raise Unsupported(f"a model for {self.name} reads no data source", "give it one input after the other")

    @abstractmethod
    def encode(self, x: Array, preprocessing: Mapping[str, Any]) -> dict[str, Array]:
        """Stored examples (`Split.x`, N ...) as the model's input tensors."""

    @abstractmethod
    def measure(self, scores: Array, targets: NDArray[np.int64]) -> dict[str, Measurement]:
        """Metrics of `scores` (N K) against `targets` (N), each with its 95 % interval."""

    def evaluate(
        self, ask: Callable[[str], Array], targets: NDArray[np.int64], preprocessing: Mapping[str, Any] = _PLAIN
    ) -> dict[str, Measurement]:
        """Metrics of a session; `ask` computes one of its outputs for all examples, by name ("" is the first).

        Here those of `measure`, as the first output is all that is scored.
        """
        return self.measure(ask(""), targets)

    def decisive(
        self,
        ask: Callable[[str], Array],
        targets: NDArray[np.int64],
        preprocessing: Mapping[str, Any],
        wanted: Collection[str],
    ) -> dict[str, Measurement]:
        """Of the metrics of `evaluate` those that are `wanted` and that of the task, where others would cost more; all
        of them, as here, where they would not.
        """
        return self.evaluate(ask, targets, preprocessing)

    def each(
        self, ask: Callable[[str], Array], targets: NDArray[np.int64], preprocessing: Mapping[str, Any] = _PLAIN
    ) -> Mapping[str, ExampleScores]:
        """Of metrics that are means over examples, what each example adds; nothing, as here, where none is."""
        return {}

    def by_class(
        self,
        ask: Callable[[str], Array],
        targets: NDArray[np.int64],
        labels: Sequence[str],
        preprocessing: Mapping[str, Any] = _PLAIN,
    ) -> tuple[ClassMeasurement, ...]:
        """How each class fares, in the order of `labels`; nothing, as here, where there are no classes."""
        return ()

    def decide(
        self, probabilities: Array, targets: NDArray[np.int64], costs: Mapping[str, float], labels: Sequence[str]
    ) -> dict[str, Any]:
        """What `preprocessing` holds of a decision by costs, chosen on validation examples; the model then puts out
        `DECISION` too. Raises ConfigError for classes that are not there, Unsupported, as here, where nothing is
        decided.
        """
        raise Unsupported(f"a model for {self.name} decides between no classes", "leave [decision] out of the job")

    def guard(self, targets: NDArray[np.int64]) -> str:
        """The metric that a search must not worsen and early stopping looks at, for targets of that shape."""
        return self.metric

    def within(self, guard: str) -> tuple[str, ...]:
        """The constraints of a search where the job says nothing; `guard` is the metric that must not get worse."""
        return (f"{guard}_drop <= 0.5%",)

    def speeds(
        self, sessions: Mapping[str, Session], tensors: Tensors, budget_s: float, progress: Progress
    ) -> Mapping[str, Mapping[str, float]] | None:
        """`Candidate.speeds` of each session by its name, measured side by side on validation examples. None, as here:
        their latencies by batch are measured. Raises Cancelled.
        """
        return None

    @abstractmethod
    def answer(self, outputs: Tensors, labels: Sequence[str]) -> list[dict[str, Any]]:
        """Outputs in JSON's types: one object a row."""

    def present(self, answer: Mapping[str, Any]) -> Presentation:
        """One object of `answer` as people see it."""
        return Presentation(headline=", ".join(map(str, answer.values())), row=answer)

    def baseline(self, dataset: Dataset) -> dict[str, Measurement]:
        """Metrics on the test split of something simple, chosen on the validation split, that every model must beat."""
        return {}

    def constant(self, dataset: Dataset) -> dict[str, dict[str, Measurement]]:
        """Metrics on the test split of `constants`, except of those that training adds to `Model.comparison` itself."""
        return {}

    def wrap(self, session: Session, opened: Opened, preprocessing: Mapping[str, Any]) -> Session:
        """A `predict` session that takes and gives what the model's signature says; here the engine's own."""
        return session

    def aliases(self, preprocessing: Mapping[str, Any]) -> tuple[str, ...]:
        """Names that may be sent, all of them, instead of the input's own: those of the parts of a text."""
        return ()

    def gathered(self, tensors: Tensors, preprocessing: Mapping[str, Any]) -> Tensors:
        """What was sent under other names than the model's inputs as these, such as the parts of a text."""
        return tensors

    def unlimited(self, preprocessing: Mapping[str, Any]) -> Mapping[str, Any]:
        """The preprocessing without the limits on a request: measuring takes examples of any length."""
        return preprocessing

    def usual(self, session: Session, preprocessing: Mapping[str, Any]) -> Tensors:
        """A typical row, to warm up with and to time; empty where zeros will do."""
        return {}

    def compared(self, x: Array) -> Array:
        """Those of the stored examples on which answers of two graphs are compared; fewer where an answer is long."""
        return x

    def target(self, asked: int | str | None, labels: Sequence[str]) -> int | str | None:
        """The target of an explanation as people name it, checked: here a class by its label or number. None leaves
        the choice to the answer. Raises InputError.
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
        """Stored examples cut down to fit into a sample request; here unchanged."""
        return x

    def calibration(self, x: Array, opened: Opened, preprocessing: Mapping[str, Any]) -> list[Tensors]:
        """Stored examples one by one as the graph in `opened` takes them."""
        tensors = self.encode(x, preprocessing)
        return [{name: values[row : row + 1] for name, values in tensors.items()} for row in range(len(x))]

    @abstractmethod
    def subject(self, tensors: Tensors, sessions: Callable[[str], Session], baseline: float | Array | None) -> Subject:
        """One example (input tensors of one row) as explainers see it; `sessions` opens an artifact by its role.

        `baseline` stands for an absent input. Raises InputError for one that does not fit.
        """
