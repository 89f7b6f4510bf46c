"""OpenTelemetry traces, where a collector is named: a span a request, with its time in the queue and in the engine."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from glassworks.errors import MissingLibrary
from glassworks.serving.supervision import Supervisor

if TYPE_CHECKING:
    from glassworks.serving.core.model import LoadedModel
    from glassworks.serving.core.work import Work
    from glassworks.serving.requests import Call

_PART = "tracing"
_LAST_S, _LOOK_S = 2.0, 0.02


class Tracing:
    """Sends spans to a collector in the background (OTLP over HTTP). Raises MissingLibrary."""

    def __init__(self, url: str, supervisor: Supervisor | None = None) -> None:
        try:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
            from opentelemetry.sdk.resources import Resource
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.export import BatchSpanProcessor
        except ModuleNotFoundError as error:
            raise MissingLibrary(
                f"traces need the library '{error.name}'", "pip install 'glassworks[telemetry]'"
            ) from error
        self._supervisor = supervisor or Supervisor()
        self._loop: asyncio.AbstractEventLoop | None = None
        resource = Resource.create({"service.name": "glassworks"})
        # Not when the interpreter ends: by then `stop` has done it, or has given up.
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        exporter = _reporting(OTLPSpanExporter, self._sent)(endpoint=url)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("glassworks")
        # Requests are timed by a clock that does not jump; spans want the time of day.
        self._offset_ns = time.time_ns() - time.perf_counter_ns()

    def __call__(self, call: Call, model: LoadedModel, work: Work | None) -> None:
        """Make the span of an answered request; what was not batched comes without `work`."""
        from opentelemetry.trace import SpanKind
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        context = TraceContextTextMapPropagator().extract(dict(call.trace))
        span = self._tracer.start_span(
            call.verb,
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
        """The exporter has a thread of its own; what becomes of its spans is reported on the event loop."""
        self._loop = asyncio.get_running_loop()

    async def stop(self, grace_s: float) -> None:
        """Send what is left, as far as the collector takes it in a moment."""
        # The library waits for half a minute, and a collector that is away is tried again and again.
        ending = threading.Thread(target=self._provider.shutdown, name="end of tracing", daemon=True)
        ending.start()
        end = time.monotonic() + min(grace_s, _LAST_S)
        while ending.is_alive() and time.monotonic() < end:
            await asyncio.sleep(_LOOK_S)

    def _sent(self, spans: int, ok: bool) -> None:
        """So many spans were taken by the collector, or are lost. Called on the exporter's thread."""
        if self._loop is None:
            return
        with contextlib.suppress(RuntimeError):  # the loop has ended: nobody is there to get it
            self._loop.call_soon_threadsafe(self._report, spans, ok)

    def _report(self, spans: int, ok: bool) -> None:
        if ok:
            self._supervisor.recovered(_PART)
        else:
            self._supervisor.lost(_PART, spans)
            self._supervisor.suffers(_PART, "the collector does not take the spans")

    def _part(self, parent: Any, name: str, start_ns: int, end_ns: int) -> None:
        from opentelemetry.trace import set_span_in_context

        context = set_span_in_context(parent)
        part = self._tracer.start_span(name, context, start_time=start_ns + self._offset_ns)
        part.end(end_ns + self._offset_ns)


def _reporting(exporter: type[Any], sent: Callable[[int, bool], None]) -> type[Any]:
    """The library's exporter, which also tells what became of its spans."""
    from opentelemetry.sdk.trace.export import SpanExportResult

    class Reporting(exporter):  # type: ignore[misc]
        def export(self, spans: Sequence[Any]) -> Any:
            result = super().export(spans)
            sent(len(spans), result is SpanExportResult.SUCCESS)
            return result

    return Reporting
