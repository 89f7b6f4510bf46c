"""How much memory an engine takes."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

from glassworks.contracts import Candidate, Load, Measurement, Probe, Quantity
from glassworks.optimization.resident import peak_resident_mb


class Memory(Quantity):
    """Megabytes that a process has resident at most while it opens the model and answers, and does nothing else."""

    name: ClassVar[str] = "memory"
    unit: ClassVar[str] = "MB"
    units: ClassVar[Mapping[str, float]] = MappingProxyType({"": 1.0, "kB": 1e-3, "KB": 1e-3, "MB": 1.0, "GB": 1e3})

    def of(self, candidate: Candidate, load: Load | None) -> float | None:
        measured = candidate.measured.get(self.name)
        return None if measured is None else measured.value

    def measure(self, probe: Probe) -> Measurement | None:
        """By a process of its own, which ends with the measuring. Raises Unsupported where it does not answer."""
        peak = peak_resident_mb(probe)
        return Measurement(value=peak, interval=(peak, peak), examples=1, higher_is_better=False)
