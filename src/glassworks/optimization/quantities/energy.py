"""What an answer costs in energy."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

from glassworks.contracts import Candidate, Load, Measurement, Probe, Quantity
from glassworks.optimization.power import Counters
from glassworks.optimization.quantities._latency import ask_at_once


class Energy(Quantity):
    """Millijoules for each row, by the counters of the processor (RAPL): of all that it does meanwhile."""

    name: ClassVar[str] = "energy"
    unit: ClassVar[str] = "mJ"
    units: ClassVar[Mapping[str, float]] = MappingProxyType({"": 1.0, "uJ": 1e-3, "mJ": 1.0, "J": 1e3})
    loads: ClassVar[bool] = True

    def refusal(self) -> str:
        return Counters().refusal()

    def of(self, candidate: Candidate, load: Load | None) -> float | None:
        measured = candidate.measured.get(self.name if load is None else f"{self.name}@{load}")
        return None if measured is None else measured.value

    def measure(self, probe: Probe) -> Measurement | None:
        counters = Counters()
        before = counters.read()
        asked = ask_at_once(probe)
        spent = 1e3 * counters.joules_since(before) / asked.rows
        return Measurement(value=spent, interval=(spent, spent), examples=len(asked.seconds), higher_is_better=False)
