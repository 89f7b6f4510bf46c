"""What measuring a model is asked, and what it gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from glassworks.contracts.records import ClassMeasurement, Measurement
from glassworks.record import Record

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from glassworks.contracts.session import Session


@dataclass(frozen=True, kw_only=True, eq=False)
class ExampleScores:
    """A metric, example by example: it is the mean of `values` (N), by their `weights` (N) where there are some, or e
    to that mean (`exponential`). Values that are not numbers are of examples that it does not apply to.
    """

    values: NDArray[Any]
    weights: NDArray[Any] | None = None
    exponential: bool = False
    higher_is_better: bool = True

    def __eq__(self, other: object) -> bool:
        """The same numbers; those that are none are alike."""
        return isinstance(other, ExampleScores) and self._compared() == other._compared()

    __hash__ = None  # type: ignore[assignment]

    def _compared(self) -> tuple[object, ...]:
        weights = None if self.weights is None else self.weights.tobytes()
        return self.values.tobytes(), weights, self.exponential, self.higher_is_better


class Difference(Record):
    """By how much a metric is larger than another version's, with its 95 % interval.

    `paired`: both were measured on the same `examples`, of which `better` and `worse` are those where this one did
    better and worse; `p_value` is that of the sign test over these, which for shares is McNemar's exact test (`exact`).
    Otherwise the interval is made of both metrics' own.
    """

    value: float
    interval: tuple[float, float]
    other: float
    examples: int
    higher_is_better: bool = True
    paired: bool = False
    better: int | None = None
    worse: int | None = None
    p_value: float | None = None
    exact: bool = False

    @property
    def rise(self) -> tuple[float, float, float]:
        """By how much it is better, at least, as measured and at most."""
        low, high = self.interval
        return (low, self.value, high) if self.higher_is_better else (-high, -self.value, -low)


class Evaluation(NamedTuple):
    """A model on some examples, and how each of its classes fares there; with `scores` by metric where these are known
    example by example, and `against` another version. `about` is what people should know: how the data were understood,
    how fast answers were written."""

    examples: int
    metrics: Mapping[str, Measurement]
    classes: tuple[ClassMeasurement, ...] = ()
    scores: Mapping[str, ExampleScores] = {}
    fingerprint: str = ""
    """Of the examples: metrics of two evaluations with the same one are about the same."""
    against: Mapping[str, Difference] = {}
    about: Mapping[str, Any] = {}


@dataclass(frozen=True, kw_only=True)
class Understood:
    """How the rows of a source are understood: what is `measured`, which column has which role, and some rows."""

    measured: str
    columns: Mapping[str, str]
    rows: Sequence[Mapping[str, str]]
    examples: int
    notes: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Questions:
    """What a language model is to be measured on: rows of a `source`, whose `columns` are given by their roles.

    `template` makes the prompt of a row, with names of its columns in braces; `plain` does without the chat template.
    At most `limit` examples are chosen, all for 0; answers have at most `max_tokens`, 0 for what is enough. Results of
    each example are kept in `output`. A `judge` is a registered model, or the address of a server that speaks OpenAI's
    protocol. `understood` is told before anything is measured.
    """

    source: str
    columns: Mapping[str, str] = field(default_factory=dict)
    template: str = ""
    plain: bool = False
    limit: int = 0
    max_tokens: int = 0
    output: Path | None = None
    judge: str = ""
    rubric: str = ""
    normalize: tuple[str, ...] | None = None
    understood: Callable[[Understood], None] = lambda _: None


@dataclass(frozen=True, kw_only=True)
class Opening:
    """A language model that was opened: its session, what its bundle says, and what stands for its very weights."""

    name: str
    session: Session
    preprocessing: Mapping[str, Any]
    sha256: str
