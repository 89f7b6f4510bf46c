"""A job: everything one run needs, as typed, frozen records."""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, SerializeAsAny, ValidationError

from glassworks.durations import Seconds
from glassworks.errors import ConfigError
from glassworks.locations import Location
from glassworks.record import Record
from glassworks.wrong_keys import config_error

_R = TypeVar("_R", bound=BaseModel)
_ORIGIN = re.compile(r"\*|https?://[^/?#\s]+/?")


def _origin(text: str) -> str:
    if _ORIGIN.fullmatch(text):
        return text
    raise ValueError("an origin is https://NAME, http://NAME:PORT or * for all, without a path")


def _as_tuple(value: object) -> object:
    """One may stand for itself."""
    return (value,) if isinstance(value, str) else value


def _encoding(name: str) -> str:
    """An encoding that Python knows, or nothing. Raises ValueError."""
    try:
        known = not name or isinstance(codecs.decode(b"", name), str)
    except LookupError:
        known = False
    if not known:
        raise ValueError("it should be an encoding such as UTF-8, GB18030, Big5, Shift_JIS, EUC-KR or Windows-1252")
    return name


class DataConfig(Record):
    """Where the examples come from and how they are split; each modality adds keys of its own."""

    kind: ClassVar[str] = ""
    """The kind of data that these keys are about, as readers name it; empty for any."""
    before: ClassVar[Mapping[str, object]] = {}
    """What keys stood for before they were there: for jobs in bundles that lack them."""
    source: Annotated[str, Location()] = Field(pattern=r"^[a-z][a-z0-9_-]*:.+")
    """Where the examples are, as `SCHEME:WHAT`; a path counts from the job file."""
    encoding: Annotated[str, AfterValidator(_encoding)] = ""
    """In which encoding files of text are, such as `Big5` or `Windows-1252`; left out, it is recognized."""
    validation: float = Field(default=0.15, gt=0, lt=0.5)
    """Share of the examples that choose the epoch, the engine and the precision."""
    test: float = Field(default=0.15, gt=0, lt=0.5)
    """Share of the examples that only measure the result."""
    per_class: int | None = Field(default=None, ge=1)
    """At most so many of each class to learn from, and as many to choose with; the test split stays whole."""
    seed: int = Field(default=0, ge=0)
    """Seed of the split; another seed is another split."""
    delimiter: str = ""
    """Tables: what separates cells, such as `;` or `::`; left out, it is found among comma, tab, semicolon and `|`."""
    quote: str | None = None
    """Tables: the sign around cells that hold a separator; an empty one reads every sign as it stands."""
    header: tuple[str, ...] = ()
    """Tables: the names of the columns, in their order, of a file that has no line of names."""
    na: tuple[str, ...] | None = None
    """Tables: what a cell holds where nothing is known; left out, in labels the words that pandas takes for it, such
    as `NaN`, `N/A`, `null` and `None`. An empty list takes all words as they are; an empty cell is always missing."""
    time_format: str = ""
    """Tables: how times are written, such as `%d.%m.%Y %H:%M`; left out, it is found."""

    @classmethod
    def completed(cls, table: Mapping[str, Any]) -> Mapping[str, Any]:
        """With the keys that follow from others. Raises ValueError for keys that contradict each other."""
        return table

    @classmethod
    def of(cls, job: Job) -> Self:
        """The job's data as this record, completed where they are the common keys alone.

        Raises ConfigError for those of another modality.
        """
        if isinstance(job.data, cls):
            return job.data
        if type(job.data) is DataConfig:
            return cls.model_validate(job.data.model_dump())
        raise ConfigError(
            f"job '{job.name}': the family '{job.family}' learns from {cls.kind}, and 'data' are {job.data.kind}",
            f"give it data of the record {cls.__name__}",
        )


class TrainingConfig(Record):
    """How long and how to train; what is left out, the family's recipe decides."""

    recipe: str = "default"
    """The family's recipe by name."""
    epochs: int | None = Field(default=None, ge=1, le=100_000)
    """Passes over the training examples."""
    batch_size: int | None = Field(default=None, ge=1, le=65_536)
    """Examples in one step."""
    learning_rate: float | None = Field(default=None, gt=0)
    """The peak of the schedule."""
    budget: Seconds | None = None
    """Wall-clock limit of the whole stage, kept within 3 %: the schedule is fitted to it."""
    patience: int | None = Field(default=None, ge=1)
    """Stop after this many epochs without a better validation metric."""
    seed: int = Field(default=0, ge=0)
    """Seed of the weights and of the order of examples."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to train; `auto` takes a GPU when there is one."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """Arithmetic of the forward pass; `auto` takes what the device is quick at."""
    threads: int | None = Field(default=None, ge=1)
    """Cores to compute with; all of them when left out."""
    class_weights: Literal["none", "balanced"] = "none"
    """`balanced` weighs each class by the inverse of its share."""
    teacher: str = ""
    """A model of the registry, `NAME` or `NAME@VERSION`, whose probabilities are learned beside the labels; of texts it
    may be a language model. Those teach language models by the answers that they write."""
    teacher_texts: Literal["train", "all"] = "train"
    """On which texts the teacher is asked; `all`: on those of data.unlabeled too, which then are learned from."""
    checkpoint_every: Seconds = 5.0
    """Time between two checkpoints, from which `--resume` goes on; longer where writing is over a twentieth of it."""


class OptimizationConfig(Record):
    """The objective: what to minimize, within which constraints."""

    minimize: str | None = None
    """What to make small among the candidates that keep `within`: `latency_p50`, `latency_p99`, `size`, `memory`,
    `energy` or a metric's drop; `latency_p99@32` with 32 rows a call, `latency_p99@1x8` with 8 callers of one row each.
    Left out, `latency_p99`, and of language models `size`."""
    maximize: str | None = None
    """What to make large instead: `throughput@32`, `explanation_agreement` or a metric such as `accuracy`."""
    within: tuple[str, ...] | None = None
    """Limits that every chosen candidate keeps, on validation data: `latency_p99 <= 5ms`, `memory <= 300MB`, and as a
    share of what the fp32 model has `size <= 30%`. Left out, the task's metric may fall by half a point, such as
    `accuracy_drop <= 0.5%`; with balanced classes it is balanced accuracy, and of language models
    `perplexity_rise <= 1%`."""
    budget: Seconds = 60.0
    """Wall-clock limit of the whole stage."""
    batch_sizes: tuple[int, ...] = Field(default=(1, 32), min_length=1)
    """Rows a call to measure with."""
    threads: int = Field(default=1, ge=1)
    """Cores that one call may use."""
    certify: bool | None = None
    """Whether what is chosen is measured once more by a real server, beside the fp32 model, and gets a certificate; a
    third of the budget is kept for it. Left out, `glassworks optimize` does so where the budget is at least 3 s, for at
    most a minute, and `up` where it is at least 30 s, for at most 20 s."""
    enabled: bool = True
    """Without it the trained model is served as it is."""


class DecisionConfig(Record):
    """What mistakes cost: answers are then chosen so that they cost least, not so that they are most often right."""

    costs: dict[str, Annotated[float, Field(gt=0, le=1e6)]] = {}
    """The cost of missing an example of a class, such as `{ fraud = 20 }`; 1 for classes that are not named. How much
    each class then weighs is chosen on validation data."""


class ExplanationConfig(Record):
    """What is compiled into the bundle, and what `up` shows."""

    method: str | None = None
    """The explainer by its name in the catalog; left out, the family's first."""
    tolerance: float = Field(default=0.01, gt=0, lt=1)
    """Largest completeness gap at which integration stops."""


class ServingConfig(Record):
    """Where the service listens, who may use it, and its limits."""

    host: str = "127.0.0.1"
    """Address to listen on; `0.0.0.0` is every network."""
    port: int = Field(default=8080, ge=0, le=65_535)
    """HTTP port; 0 takes a free one."""
    grpc_port: int | None = Field(default=None, ge=0, le=65_535)
    """gRPC port; 0 takes a free one. Without it the port after the HTTP port."""
    grpc: bool = True
    """Whether to serve gRPC at all."""
    keys: Literal["auto", "on", "off"] = "auto"
    """Whether callers need access keys; `auto`: unless the address is this machine's loopback."""
    allowed_hosts: tuple[str, ...] = ()
    """Names under which browsers may ask a service without keys, beside the address, as behind a proxy."""
    allow_origin: Annotated[tuple[Annotated[str, AfterValidator(_origin)], ...], BeforeValidator(_as_tuple)] = ()
    """Origins such as `https://app.example.com` whose pages may ask and read answers (CORS); `*` for all pages."""
    tls_certificate: str = ""
    """Certificate chain, a PEM file; with it and its key HTTPS is spoken."""
    tls_key: str = ""
    """The certificate's key, a PEM file."""
    watch: bool = False
    """Follow the registry: new versions and moved aliases are served without a restart."""
    traffic: tuple[str, ...] = ()
    """Splits such as `digits:champion=90,candidate=10,shadow=candidate`."""
    access_log: str = ""
    """File for one JSON line a request; `-` is the standard error output."""
    traces: str = ""
    """URL of an OpenTelemetry collector (OTLP over HTTP)."""
    engine: Literal["process", "thread"] = "thread"
    """Where each model computes: on a thread of the server, or in a process of its own, which may die alone."""
    explain_in: Literal["process", "thread"] = "thread"
    """Where explanations are computed: on a thread of the engine, or in a process of their own, for a server at full
    load."""
    max_batch: int = Field(default=32, ge=1)
    """Rows computed together at most."""
    max_queue: int = Field(default=1024, ge=1)
    """Rows that may wait; beyond it a request is refused with 503."""
    max_body_bytes: int = Field(default=64 * 2**20, ge=1024)
    """Largest request."""
    max_elements: int = Field(default=2**28, ge=1)
    """Elements of one tensor."""
    max_dimensions: int = Field(default=32, ge=1, le=64)
    """Dimensions of one tensor, and so how deep its JSON may be nested."""
    max_headers: int = Field(default=100, ge=1)
    """Headers of one request."""
    receive_s: float = Field(default=30.0, gt=0)
    """Seconds in which a request must have arrived."""
    unread_s: float = Field(default=30.0, gt=0)
    """Seconds after which a streamed answer that its client does not read is ended, so that others have its place."""
    idle_s: float = Field(default=75.0, gt=0)
    """Seconds after which a connection without requests is closed."""
    drain_s: float = Field(default=10.0, ge=0)
    """Seconds that what is in flight may take when the service stops."""
    workers: int = Field(default=1, ge=0, le=64)
    """Processes beside the service that take runs, at a lower priority, one run at a time each."""


class Job(Record):
    """Everything one run needs; the same job gives the same model."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")
    """The model's name in the registry and in URLs."""
    family: str
    """The kind of model by its name in the catalog."""
    license: str = "unspecified"
    """Terms under which the model is published; written into its card."""
    data: SerializeAsAny[DataConfig]
    model: dict[str, Any] = {}
    """The family's own table; validated by its `config` record."""
    training: TrainingConfig = TrainingConfig()
    optimization: OptimizationConfig = OptimizationConfig()
    decision: DecisionConfig = DecisionConfig()
    explanation: ExplanationConfig = ExplanationConfig()
    serving: ServingConfig = ServingConfig()


def validate(record: type[_R], table: Mapping[str, Any], *, where: str, prefix: str = "") -> _R:
    """`table` as `record`; the error names the first fault with its key path, what was given and what is allowed."""
    try:
        return record.model_validate(table)
    except ValidationError as error:
        faults = error.errors()
        # A key that is not known may be the one that is missing, written wrongly.
        first = next((fault for fault in faults if fault["type"] == "extra_forbidden"), faults[0])
        raise config_error(record, first, where, prefix) from None
