"""Something that objectives are about."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

if TYPE_CHECKING:
    from glassworks.contracts.records import Candidate, Measurement, Opened, Tensors
    from glassworks.contracts.session import Session
    from glassworks.contracts.task import Task


class Load(NamedTuple):
    """How a model is asked: with `batch` rows a request, and so many requests at a time. Written `32`, or `1x8`."""

    batch: int
    concurrency: int = 1

    def __str__(self) -> str:
        return f"{self.batch}" if self.concurrency == 1 else f"{self.batch}x{self.concurrency}"


@dataclass(frozen=True, kw_only=True)
class Probe:
    """A candidate to be measured: its artifact, open as `session`, beside the `reference`, with held-out `tensors`."""

    task: Task
    preprocessing: Mapping[str, Any]
    opened: Opened
    session: Session
    reference: Session
    tensors: Tensors
    load: Load
    budget_s: float


class Quantity(ABC):
    """Something measured of a candidate that an objective can be about, beside the metrics of its task."""

    name: ClassVar[str]
    unit: ClassVar[str]
    """In which `of` gives it, for people."""
    units: ClassVar[Mapping[str, float]]
    """What may follow a number, and how much of `unit` that is; "" where none does."""
    maximize: ClassVar[bool] = False
    """Whether more is better."""
    speed: ClassVar[bool] = False
    """Whether a limit on the wrong side would forbid speed."""
    loads: ClassVar[bool] = False
    """Whether it depends on how the model is asked: `latency_p99@32`, `latency_p99@1x8`."""
    largest: ClassVar[bool] = False
    """Where no load is named, that of the largest batch that is measured, and not of the smallest."""
    exact: ClassVar[bool] = False
    """Whether it is counted, so that there is nothing uncertain about it."""

    def fits(self, task: type[Task]) -> bool:
        """Whether it is measured of this task's models; here of those that answer at once."""
        return "latency_p50" in task.timings

    def refusal(self) -> str:
        """Why this machine does not tell it; empty, as here, where it does."""
        return ""

    @abstractmethod
    def of(self, candidate: Candidate, load: Load | None) -> float | None:
        """Its value; None where it was not measured. Without a load: that of the usual batch."""

    def measure(self, probe: Probe) -> Measurement | None:
        """Measured on demand, where an objective names it; None, as here, where every candidate has it anyway."""
        return None
