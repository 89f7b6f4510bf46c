"""OpenTelemetry traces, where a collector is named: a span a request, with its time in the queue and in the engine."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from glassworks.errors import MissingLibrary

if TYPE_CHECKING:
    from glassworks.serving.batching import Work
    from glassworks.serving.desk import Call
    from glassworks.serving.model import LoadedModel


class Tracing:
    """Sends spans to a collector in the background (OTLP over HTTP). Raises MissingLibrary."""

    def __init__(self, url: str) -> None:
        try:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
            from opentelemetry.sdk.resources import Resource
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.export import BatchSpanProcessor
        except ModuleNotFoundError as error:
            raise MissingLibrary(
                f"traces need the library '{error.name}'", "pip install 'glassworks[telemetry]'"
            ) from error
        self._provider = TracerProvider(resource=Resource.create({"service.name": "glassworks"}))
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=url)))
        self._tracer = self._provider.get_tracer("glassworks")
        # Requests are timed by a clock that does not jump; spans want the time of day.
        self._offset_ns = time.time_ns() - time.perf_counter_ns()

    def __call__(self, call: Call, model: LoadedModel, work: Work | None) -> None:
        """Make the span of an answered request; explanations come without `work`."""
        from opentelemetry.trace import SpanKind
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        context = TraceContextTextMapPropagator().extract(dict(call.trace))
        span = self._tracer.start_span(
            "explain" if work is None else "infer",
            context,
            SpanKind.SERVER,
            attributes={"model": model.name, "version": model.version},
            start_time=call.arrived_ns + self._offset_ns,
        )
        if work is not None:
            span.set_attribute("rows", work.rows)
            self._part(span, "queue", work.queued_ns, work.started_ns)
            self._part(span, "compute", work.started_ns, work.computed_ns)
        span.end(time.perf_counter_ns() + self._offset_ns)

    async def start(self) -> None:
        """Nothing to do: the exporter has a thread of its own."""

    async def stop(self, grace_s: float) -> None:
        """Send what is left."""
        self._provider.shutdown()

    def _part(self, parent: Any, name: str, start_ns: int, end_ns: int) -> None:
        from opentelemetry.trace import set_span_in_context

        context = set_span_in_context(parent)
        part = self._tracer.start_span(name, context, start_time=start_ns + self._offset_ns)
        part.end(end_ns + self._offset_ns)
