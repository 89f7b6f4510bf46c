"""What the quantities of time share: units, and calls that several callers make at the same time."""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

from glassworks.contracts import Candidate, Load, Measurement, Probe, Quantity, Task
from glassworks.optimization.measure import batches

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MILLISECONDS: Mapping[str, float] = MappingProxyType({"": 1.0, "us": 1e-3, "ms": 1.0, "s": 1e3})
_CALLS = 300
_WARM_UP = 5


class Latency(Quantity):
    """A percentile of the time of a call."""

    unit: ClassVar[str] = "ms"
    units: ClassVar[Mapping[str, float]] = MILLISECONDS
    speed: ClassVar[bool] = True
    loads: ClassVar[bool] = True
    share: ClassVar[float]
    """The percentile, as a share of the calls."""

    def fits(self, task: type[Task]) -> bool:
        """Those of the models that answer at once."""
        return self.name in task.timings

    def of(self, candidate: Candidate, load: Load | None) -> float | None:
        """In milliseconds; without a load, of the smallest batch."""
        latencies = candidate.latency_p50_ms if self.share == 0.5 else candidate.latency_p99_ms
        return at_load(candidate, latencies, self.name, load or Load(min(latencies, default=1)))

    def measure(self, probe: Probe) -> Measurement | None:
        """Of several callers at a time; those of one alone are measured of every candidate."""
        if probe.load.concurrency == 1:
            return None
        from glassworks.optimization.certificate.quantiles import quantile

        found = quantile(ask_at_once(probe).seconds, self.share)
        interval = (1e3 * found.low, 1e3 * found.high)
        return Measurement(
            value=1e3 * found.value, interval=interval, examples=found.samples, higher_is_better=self.maximize
        )


def at_load(candidate: Candidate, alone: Mapping[int, float], name: str, load: Load) -> float | None:
    """The value of one caller by batch, and of several what was measured on demand."""
    if load.concurrency == 1:
        return alone.get(load.batch)
    measured = candidate.measured.get(f"{name}@{load}")
    return None if measured is None else measured.value


@dataclass(frozen=True)
class Asked:
    """Calls that took `seconds` each (N), and all together `wall_s`, with `rows` rows in all."""

    seconds: NDArray[np.float64]
    wall_s: float
    rows: int


def ask_at_once(probe: Probe) -> Asked:
    """Calls of as many callers at a time as the load says, each beginning its next one when one has ended."""
    import numpy as np

    chunks = batches(probe.tensors, probe.load.batch)
    for index in range(_WARM_UP):
        probe.session.run(chunks[index % len(chunks)])
    start = time.perf_counter()
    share = -(-_CALLS // probe.load.concurrency)

    def caller(own: int) -> list[float]:
        taken: list[float] = []
        while len(taken) < share and (not taken or time.perf_counter() - start < probe.budget_s):
            begin = time.perf_counter()
            probe.session.run(chunks[(own * share + len(taken)) % len(chunks)])
            taken.append(time.perf_counter() - begin)
        return taken

    with ThreadPoolExecutor(probe.load.concurrency) as pool:
        found = [each for taken in pool.map(caller, range(probe.load.concurrency)) for each in taken]
    return Asked(np.asarray(found), time.perf_counter() - start, len(found) * probe.load.batch)
