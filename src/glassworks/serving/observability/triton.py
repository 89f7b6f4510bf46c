"""The names and labels under which Triton counts the same things, so that dashboards and autoscalers made for it work.

They are those of its guide to metrics (docs/user_guide/metrics.md of triton-inference-server/server, 2.73): counters
without the ending `_total`, and a `reason` for each failure. OpenMetrics allows no counter without that ending: there
they are of an unknown type, and have the same names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from glassworks import errors
from glassworks.errors import DeadlineExceeded, GlassworksError, InputError, Overloaded
from glassworks.machine import available_bytes, total_bytes

if TYPE_CHECKING:
    from prometheus_client.core import Metric

    from glassworks.serving.core.model import LoadedModel
    from glassworks.serving.core.statistics import Statistics

_LABELS = ("model", "version")
_COUNTERS: Sequence[tuple[str, str, Callable[[Statistics], float]]] = (
    ("nv_inference_request_success", "Requests that succeeded.", lambda counted: counted.success.count),
    ("nv_inference_count", "Rows that were answered.", lambda counted: counted.rows),
    ("nv_inference_exec_count", "Batches that an engine computed.", lambda counted: counted.executions),
    ("nv_inference_request_duration_us", "Time of requests.", lambda counted: counted.success.ns // 1000),
    ("nv_inference_queue_duration_us", "Time in the queue.", lambda counted: counted.queue.total // 1000),
    ("nv_inference_compute_input_duration_us", "Time of reading inputs.", lambda counted: counted.input_ns // 1000),
    ("nv_inference_compute_infer_duration_us", "Time in an engine.", lambda counted: counted.infer_ns // 1000),
    ("nv_inference_compute_output_duration_us", "Time of writing outputs.", lambda counted: counted.output_ns // 1000),
)
_FAILURE, _PENDING = "nv_inference_request_failure", "nv_inference_pending_request_count"
_REASONS: Mapping[type[Exception], str] = MappingProxyType(
    {Exception: "BACKEND", InputError: "OTHER", Overloaded: "REJECTED", DeadlineExceeded: "REJECTED"}
)
"""By class; one that is not here has the reason of its parent. A client that left is `CANCELED`."""
_CANCELED = "CANCELED"
_UNTYPED = re.compile(rb"^(# TYPE nv_\w+) untyped$", re.MULTILINE)
_STAT = Path("/proc/stat")


def as_counters(text: bytes) -> bytes:
    """Prometheus' own text format, in which a counter may have any name, with Triton's counters as counters."""
    return _UNTYPED.sub(rb"\1 counter", text)


class Triton:
    """Reads what is counted as Triton names it. The use of the processors is since the last look, by whomever."""

    def __init__(self, stat: Path = _STAT) -> None:
        self._stat, self._last = stat, (0, 0)

    def collect(self, models: Sequence[LoadedModel]) -> Iterable[Metric]:
        """The metrics of the moment."""
        for name, text, value in _COUNTERS:
            yield _counter(name, text, ((_of(model), value(model.statistics)) for model in models))
        yield _counter(_FAILURE, "Requests that failed.", _failures(models))
        yield from self._gauges(models)

    def _gauges(self, models: Sequence[LoadedModel]) -> Iterator[Metric]:
        from prometheus_client.core import GaugeMetricFamily

        pending = GaugeMetricFamily(_PENDING, "Requests that wait for an engine.", labels=_LABELS)
        for model in models:
            pending.add_metric((model.name, model.version), model.waiting_requests)
        yield pending
        total, free, used = total_bytes(), available_bytes(), self._utilization()
        if used is not None:
            yield GaugeMetricFamily("nv_cpu_utilization", "Of all processors since the last look, 0 to 1.", used)
        if total is not None and free is not None:
            yield GaugeMetricFamily("nv_cpu_memory_total_bytes", "Memory of the machine.", total)
            yield GaugeMetricFamily("nv_cpu_memory_used_bytes", "Of it, what is taken.", max(0, total - free))

    def _utilization(self) -> float | None:
        """None where the system does not say. The fourth and fifth number of the first line are of idle time."""
        try:
            times = [int(each) for each in self._stat.read_text(encoding="ascii").split("\n", 1)[0].split()[1:9]]
        except (OSError, ValueError):
            return None
        now, before = (sum(times), sum(times[3:5])), self._last
        self._last = now
        spent = now[0] - before[0]
        return min(1.0, max(0.0, 1 - (now[1] - before[1]) / spent)) if spent > 0 else 0.0


def _counter(name: str, text: str, samples: Iterable[tuple[Mapping[str, str], float]]) -> Metric:
    from prometheus_client.core import Metric

    counter = Metric(name, text, "unknown")
    for labels, value in samples:
        counter.add_sample(name, dict(labels), value)
    return counter


def _of(model: LoadedModel) -> dict[str, str]:
    return {"model": model.name, "version": model.version}


def _failures(models: Sequence[LoadedModel]) -> Iterator[tuple[Mapping[str, str], float]]:
    """All reasons are there from the beginning: a rate needs a number before the first failure."""
    for model in models:
        counts = dict.fromkeys((*_REASONS.values(), _CANCELED), 0)
        counts[_CANCELED] = model.statistics.dropped
        for kind, count in model.statistics.errors.items():
            counts[_reason(kind)] += count
        for reason, count in counts.items():
            yield {**_of(model), "reason": reason}, count


def _reason(kind: str) -> str:
    """Of an error by the name of its class; those of other modules are of what was sent, or of nobody we know."""
    found = getattr(errors, kind, None) or next((each for each in _all(InputError) if each.__name__ == kind), Exception)
    return next(_REASONS[each] for each in found.__mro__ if each in _REASONS)


def _all(kind: type[GlassworksError]) -> Iterator[type[GlassworksError]]:
    for each in kind.__subclasses__():
        yield each
        yield from _all(each)
