"""The records that pass between the abstractions.

Shape letters: N examples, C channels, H height, W width, K classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from glassworks.contracts.step import EXACT, Precision as Precision, Step
from glassworks.record import Record

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.generic]
    Tensors = Mapping[str, Array]

Datatype = Literal[
    "BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64",
    "FP16", "FP32", "FP64", "BF16", "BYTES",
]  # fmt: skip
DECISION = "decision"
"""The output of models with costs, probabilities weighed by them (N K): the largest one is the class of the answer.
What a bundle's preprocessing says of the costs has the same name."""
Device = Literal["cpu", "cuda"]


class TensorSpec(Record):
    """One tensor of a signature, in the Open Inference Protocol's terms; -1 is a variable dimension."""

    name: str
    datatype: Datatype
    shape: tuple[int, ...]


class Signature(Record):
    """What goes in and what comes out."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]

    def also(self, name: str) -> Signature:
        """With one more output, which is like the first one."""
        return self.model_copy(update={"outputs": (*self.outputs, self.outputs[0].model_copy(update={"name": name}))})


class Measurement(Record):
    """A metric with its interval: `interval` is the 95 % one, from `examples` examples.

    `classes` is there where some classes have no example: (those that it is over, all that the model knows).
    """

    value: float
    interval: tuple[float, float]
    examples: int
    higher_is_better: bool = True
    classes: tuple[int, int] | None = None


class ClassMeasurement(Record):
    """How one class fares: its `examples`, and how many were `predicted` as it.

    `recall` is the share of its examples that are found, None without any; `precision` the share of what is predicted
    as it that is right, None where nothing is. `mistaken` says for what else its examples are taken, and how many, the
    most frequent first, at most ten; empty where an example may have several labels.
    """

    label: str
    examples: int
    predicted: int
    recall: Measurement | None
    precision: Measurement | None
    mistaken: dict[str, int] = {}


class Artifact(Record):
    """One executable file of a model, and what a runtime must know to open it.

    `file` is relative to the folder that holds the artifact (a bundle or a run), and so are the files `beside` it
    that its task needs, such as a tokenizer. `role` says what the graph computes: `predict` (inputs -> outputs),
    `gradient` (input, target -> scores, gradient), `cam` (input, target -> scores, map) or `embed`
    (tokens -> what `gradient` takes). `computes_fp32` names the layers of a less precise artifact that compute in
    fp32 all the same. `settings` tell its runtime more: `{"kv_cache": "u8"}` keeps keys and values in 8 bits;
    and passes: `{"few_bits": "Q4_1"}` says how most weights were stored before they were brought. `passes` is the chain
    of passes that made it, in order, with all their parameters; `made_by` names it for people.
    """

    role: str
    format: str
    file: str
    beside: tuple[str, ...] = ()
    precision: Precision = EXACT
    runtime: str = ""
    threads: int = 1
    made_by: str = ""
    passes: tuple[Step, ...] = ()
    computes_fp32: tuple[str, ...] = ()
    settings: dict[str, str] = {}


class Candidate(Record):
    """A row of the optimization table: one artifact in one runtime, measured.

    Latencies are of one call, in milliseconds, keyed by batch size; models that write text have `speeds` instead:
    `tokens_per_second` of one answer, and `first_token_p50` and `first_token_p99` in milliseconds. `excluded` says why
    a candidate was not measured or may not be chosen; it is empty otherwise. `size_bytes` is that of all files that
    it is served from, `computes_fp32` that of its artifact. `computes` is the share of the layers of products that the
    engine computes in each precision, as its own optimized graph says: `{"int8": 0.9, "fp32": 0.1}`; empty where it
    does not tell. `measured` are further quantities that the objective names, by their names with the load: `memory`,
    `latency_p99@1x8`.
    """

    name: str
    engine: str
    precision: Precision
    latency_p50_ms: dict[int, float] = {}
    latency_p99_ms: dict[int, float] = {}
    speeds: dict[str, float] = {}
    size_bytes: int = 0
    metrics: dict[str, Measurement] = {}
    measured: dict[str, Measurement] = {}
    computes_fp32: tuple[str, ...] = ()
    computes: dict[str, float] = {}
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
    """An artifact with the folder it lies in; `searched` says that it is opened to be measured, beside others."""

    artifact: Artifact
    folder: Path
    searched: bool = False

    @property
    def path(self) -> Path:
        return self.folder / self.artifact.file


@dataclass(frozen=True, kw_only=True)
class Split:
    """One part of a data set. `x` is as the task stores it: pictures uint8 N H W C, texts an object array of str.

    `y` is int64 N, or 0 and 1 in int64 N K where an example has several labels; where nothing is learned, what the
    reference engine answers. `soft` are a teacher's probabilities
    (N K) to learn from.
    """

    x: Array
    y: NDArray[Any]
    soft: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.y)


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """Prepared data: no example, exact or near, stands in two splits.

    `splits` has the keys `train`, `validation` and `test`; `findings` are sentences for people;
    `preprocessing` is what a model of them must do with files as was done here, beside what the family knows.
    """

    name: str
    fingerprint: str
    classes: tuple[str, ...]
    splits: Mapping[str, Split]
    findings: tuple[str, ...] = ()
    preprocessing: Mapping[str, Any] = field(default_factory=dict)

    @property
    def examples(self) -> int:
        return sum(len(split) for split in self.splits.values())


@dataclass(frozen=True, kw_only=True)
class Model:
    """A trained model in memory. `network` belongs to its family; nobody else looks inside.

    `comparison` has the metrics on the test split of the model and of simpler ones by their names, where they are of
    interest beside the task's baseline.
    """

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
    comparison: Mapping[str, Mapping[str, Measurement]] = field(default_factory=dict)


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
    max_rows: int | None = None
    """Variants of the example that may be scored."""


@dataclass(frozen=True, kw_only=True)
class Attribution:
    """What a method found, before it is graded.

    `values` has the input's shape. `gap` is |sum(values) - (score - baseline_score)| over
    |score - baseline_score| (Sundararajan et al. 2017, completeness); None where the method
    makes no such promise. Counts are rows, not calls. `errors` are standard errors of the values where those are
    sampled.
    """

    values: NDArray[np.float32]
    score: float
    baseline_score: float | None = None
    gap: float | None = None
    forward: int = 0
    backward: int = 0
    converged: bool = True
    errors: NDArray[np.float32] | None = None


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """An attribution with its grade and what it belongs to.

    `spans` are (start, end) characters of the text that the values belong to, one a value; together they are the text.
    `sections` are (name, start, end) of the parts of a text, see `by_section` for their values.
    `names` (one a value, objects of JSON's types) name the things that the values belong to, such as items of a
    history.
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
    baseline_to_try: float | None = None
    """Set where the example is the baseline itself: then nothing is explained or graded, and another one may."""
    spans: tuple[tuple[int, int], ...] = ()
    sections: tuple[tuple[str, int, int], ...] = ()
    names: tuple[Mapping[str, Any], ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)
    """What else a subject tells, of JSON's types."""

    def by_section(self) -> list[dict[str, Any]]:
        """Of each part of the text its name, its characters, and the sum of the values that begin in it."""
        values = self.attribution.values.ravel().tolist()
        pairs = list(zip(self.spans, values, strict=True)) if self.sections else []
        return [
            {"name": name, "start": start, "end": end, "value": sum(v for (at, _), v in pairs if start <= at < end)}
            for name, start, end in self.sections
        ]
