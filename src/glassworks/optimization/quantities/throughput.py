"""How much is answered in a second."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

from glassworks.contracts import Candidate, Load, Measurement, Probe, Quantity
from glassworks.optimization.quantities._latency import ask_at_once, at_load


class Throughput(Quantity):
    """Rows answered in a second at a load: `throughput@32`, `throughput@1x8`; without one, at the largest batch."""

    name: ClassVar[str] = "throughput"
    unit: ClassVar[str] = "rows/s"
    units: ClassVar[Mapping[str, float]] = MappingProxyType({"": 1.0, "/s": 1.0, "rows/s": 1.0})
    maximize: ClassVar[bool] = True
    speed: ClassVar[bool] = True
    loads: ClassVar[bool] = True
    largest: ClassVar[bool] = True

    def of(self, candidate: Candidate, load: Load | None) -> float | None:
        """Of one caller the rows of a call by its usual time."""
        rates = {batch: 1e3 * batch / ms for batch, ms in candidate.latency_p50_ms.items() if ms > 0}
        return at_load(candidate, rates, self.name, load or Load(max(rates, default=1)))

    def measure(self, probe: Probe) -> Measurement | None:
        """Of several callers at a time; the interval is not known from one stretch of time."""
        if probe.load.concurrency == 1:
            return None
        asked = ask_at_once(probe)
        rate = asked.rows / asked.wall_s
        return Measurement(value=rate, interval=(rate, rate), examples=len(asked.seconds))
