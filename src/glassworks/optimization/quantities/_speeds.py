"""What the speeds of models that write text share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from glassworks.contracts import Candidate, Load, Quantity, Task
from glassworks.optimization.quantities._latency import MILLISECONDS


class Speed(Quantity):
    """One of `Candidate.speeds`."""

    unit: ClassVar[str] = "ms"
    units: ClassVar[Mapping[str, float]] = MILLISECONDS
    speed: ClassVar[bool] = True

    def fits(self, task: type[Task]) -> bool:
        """Those that the task measures."""
        return self.name in task.timings

    def of(self, candidate: Candidate, load: Load | None) -> float | None:
        return candidate.speeds.get(self.name)
