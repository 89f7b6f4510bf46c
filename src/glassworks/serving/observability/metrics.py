"""Prometheus metrics, read from the statistics when somebody asks: a request pays nothing for them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from glassworks.serving.core.statistics import BATCH_ROWS, FIRST_TOKEN_S, LATENCY_S
from glassworks.serving.observability.triton import Triton, as_counters

if TYPE_CHECKING:
    from prometheus_client.core import Metric

    from glassworks.serving.core.model import LoadedModel
    from glassworks.serving.core.models import Models
    from glassworks.serving.core.statistics import Histogram, Statistics
    from glassworks.serving.supervision import Supervisor
    from glassworks.serving.transports.http.service import Service

_LABELS = ("model", "version")
_NS = 1e-9
_COUNTERS: Sequence[tuple[str, str, Callable[[Statistics], float]]] = (
    ("requests", "Requests that were answered.", lambda counted: counted.success.count),
    ("rows", "Rows that were answered.", lambda counted: counted.rows),
    ("tokens", "Tokens of streamed answers and their prompts.", lambda counted: counted.tokens),
    ("prompt_tokens", "Tokens of prompts of streamed answers.", lambda counted: counted.prompt_tokens),
    ("cached_tokens", "Those of prompts that were not computed again.", lambda counted: counted.cached_tokens),
    ("completion_tokens", "Tokens of streamed answers.", lambda counted: counted.completion_tokens),
    ("executions", "Batches that an engine computed.", lambda counted: counted.executions),
    ("dropped", "Requests whose client left before they were computed.", lambda counted: counted.dropped),
    ("explanations", "Explanations that were answered.", lambda counted: counted.explain.count),
    ("explanation_seconds", "Time spent on explanations.", lambda counted: counted.explain.ns * _NS),
    ("compute_seconds", "Time that requests spent in an engine.", lambda counted: counted.infer_ns * _NS),
    ("shadow_compared_rows", "Rows of a shadow compared with what was answered.", lambda c: c.shadow_compared),
    ("shadow_differed_rows", "Rows of a shadow that differed from what was answered.", lambda c: c.shadow_differed),
)


class Metrics:
    """Collects the metrics of an engine and of the connections to it."""

    def __init__(self, models: Models, service: Callable[[], Service | None]) -> None:
        self._models, self._service = models, service
        self._triton = Triton()

    def text(self, accepted: str = "") -> tuple[bytes, bytes]:
        """All metrics in the format that the header `accept` asks for, and its content type: Prometheus' text format
        unless OpenMetrics is."""
        from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector
        from prometheus_client.exposition import choose_encoder

        registry = CollectorRegistry()
        registry.register(self)
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        encode, content_type = choose_encoder(accepted)
        text = encode(registry)
        return as_counters(text) if content_type.startswith("text/plain") else text, content_type.encode()

    def collect(self) -> Iterable[Metric]:
        """The metrics of the moment, as the library asks for them."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        models = self._models.loaded()
        for name, text, value in _COUNTERS:
            counter = CounterMetricFamily(f"glassworks_{name}", text, labels=_LABELS)
            for model in models:
                counter.add_metric((model.name, model.version), value(model.statistics))
            yield counter
        yield from self._triton.collect(models)
        for make in (_faults, _waiting, _histograms):
            yield from make(models)
        yield from _troubles(self._models.supervisor)
        service = self._service()
        if service is not None:
            yield GaugeMetricFamily("glassworks_connections", "Open connections.", value=len(service.connections))


def _faults(models: Sequence[LoadedModel]) -> Iterable[Metric]:
    from prometheus_client.core import CounterMetricFamily

    errors = CounterMetricFamily("glassworks_errors", "Requests that failed.", labels=(*_LABELS, "error"))
    feedback = CounterMetricFamily(
        "glassworks_feedback_events", "Events of feedback: new ones, and known ones.", labels=(*_LABELS, "kind")
    )
    restarts = CounterMetricFamily(
        "glassworks_engine_restarts", "Engine processes that were started again.", labels=_LABELS
    )
    for model in models:
        labels, counted = (model.name, model.version), model.statistics
        restarts.add_metric(labels, model.engines.restarts)
        for kind, count in counted.feedback.items():
            feedback.add_metric((*labels, kind), count)
        for kind, count in counted.errors.items():
            errors.add_metric((*labels, kind), count)
    return errors, feedback, restarts


def _waiting(models: Sequence[LoadedModel]) -> Iterable[Metric]:
    from prometheus_client.core import GaugeMetricFamily

    rows = GaugeMetricFamily("glassworks_waiting_rows", "Rows that wait for an engine.", labels=_LABELS)
    streams = GaugeMetricFamily(
        "glassworks_streams", "Streamed answers that are open, and that wait for it.", labels=(*_LABELS, "state")
    )
    for model in models:
        labels = model.name, model.version
        rows.add_metric(labels, model.waiting_rows)
        streams.add_metric((*labels, "open"), model.slots.open)
        streams.add_metric((*labels, "waiting"), model.slots.waiting)
    return rows, streams


def _troubles(supervisor: Supervisor) -> Iterable[Metric]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    labels = ("part",)
    failures = CounterMetricFamily("glassworks_failures", "Failures of what runs beside requests.", labels=labels)
    lost = CounterMetricFamily("glassworks_lost", "What could not be kept: log lines, usage, spans.", labels=labels)
    suffering = GaugeMetricFamily("glassworks_suffering", "Whether a part works worse than it should.", labels=labels)
    for part, trouble in supervisor.troubles.items():
        failures.add_metric((part,), trouble.failures)
        lost.add_metric((part,), trouble.lost)
        suffering.add_metric((part,), bool(trouble.lasting))
    return failures, lost, suffering


def _histograms(models: Sequence[LoadedModel]) -> Iterable[Metric]:
    from prometheus_client.core import HistogramMetricFamily

    latency = HistogramMetricFamily(
        "glassworks_request_seconds", "From a request's arrival to its answer.", labels=_LABELS
    )
    queue = HistogramMetricFamily("glassworks_queue_seconds", "How long requests waited for an engine.", labels=_LABELS)
    batch = HistogramMetricFamily("glassworks_batch_rows", "Rows computed together.", labels=_LABELS)
    first = HistogramMetricFamily(
        "glassworks_first_token_seconds", "From a request's arrival to the first token of its answer.", labels=_LABELS
    )
    for model in models:
        labels, counted = (model.name, model.version), model.statistics
        latency.add_metric(labels, _buckets(counted.latency, LATENCY_S), counted.latency.total * _NS)
        queue.add_metric(labels, _buckets(counted.queue, LATENCY_S), counted.queue.total * _NS)
        batch.add_metric(labels, _buckets(counted.batch_rows, BATCH_ROWS), counted.batch_rows.total)
        first.add_metric(labels, _buckets(counted.first_token, FIRST_TOKEN_S), counted.first_token.total * _NS)
    return latency, queue, batch, first


def _buckets(histogram: Histogram, bounds: Sequence[float]) -> list[tuple[str, float]]:
    """Cumulative counts up to each bound."""
    buckets, total = [], 0
    for bound, count in zip((*map(str, bounds), "+Inf"), histogram.counts, strict=True):
        total += count
        buckets.append((bound, float(total)))
    return buckets
