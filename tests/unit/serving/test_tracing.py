"""Traces: what a collector is sent for a request."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import numpy as np
import pytest
from tests.patience import PATIENCE_S

from glassworks.packaging.bundle import Bundle
from glassworks.serving.core.models import Models
from glassworks.serving.core.work import Work
from glassworks.serving.requests import Call
from glassworks.serving.supervision import Supervisor

TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture
def collector() -> Iterator[tuple[str, list[bytes]]]:
    """A collector's address, and the bodies that it was sent."""
    bodies: list[bytes] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    server = HTTPServer(("127.0.0.1", 0), Collector)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1/traces", bodies
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_request_is_a_span_with_its_parts(collector: tuple[str, list[bytes]], tiny_bundle: Bundle) -> None:
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http")
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    from glassworks.serving.observability.tracing import Tracing

    url, bodies = collector
    models = Models()
    model = models.load(tiny_bundle, "bars", "7")
    tracing = Tracing(url)
    call = Call("bars", trace={"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"})
    work = Work({"image": np.zeros((3, 1, 16, 16), np.float32)}, lambda work: None)
    work.started_ns, work.computed_ns = work.queued_ns + 1_000_000, work.queued_ns + 3_000_000
    tracing(call, model, work)
    asyncio.run(tracing.stop(1))
    models.close()
    spans = [
        span
        for body in bodies
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]
    named: dict[str, Any] = {span.name: span for span in spans}
    assert set(named) == {"infer", "queue", "compute"}
    assert {span.trace_id.hex() for span in spans} == {TRACE}
    assert named["infer"].parent_span_id.hex() == "b7ad6b7169203331"
    assert named["queue"].parent_span_id == named["compute"].parent_span_id == named["infer"].span_id
    length = named["compute"].end_time_unix_nano - named["compute"].start_time_unix_nano
    assert length == 2_000_000
    told = {each.key: each.value for each in named["infer"].attributes}
    assert (told["model"].string_value, told["version"].string_value, told["rows"].int_value) == ("bars", "7", 3)


def test_a_collector_that_never_answers_keeps_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http")
    from glassworks.serving.observability.tracing import Tracing

    tracing, forever, begun = Tracing("http://127.0.0.1:1/v1/traces"), threading.Event(), threading.Event()
    shutdown = tracing._provider.shutdown

    def hangs() -> None:
        begun.set()
        forever.wait()
        shutdown()

    monkeypatch.setattr(tracing._provider, "shutdown", hangs)
    asyncio.run(asyncio.wait_for(tracing.stop(0.05), PATIENCE_S))
    assert begun.is_set()
    assert not forever.is_set()
    forever.set()


def test_spans_that_no_collector_takes_are_counted() -> None:
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http")
    from opentelemetry.sdk.trace.export import SpanExportResult

    from glassworks.serving.observability import tracing as module

    results = [SpanExportResult.FAILURE, SpanExportResult.SUCCESS]

    class Exporter:
        def export(self, spans: Sequence[Any]) -> Any:
            return results.pop(0)

    async def run() -> None:
        await tracing.start()
        exporter = module._reporting(Exporter, tracing._sent)()
        for expected in ("the collector does not take the spans", ""):
            await asyncio.to_thread(exporter.export, [1, 2, 3])
            await asyncio.sleep(0)
            assert supervisor.troubles["tracing"].lasting == expected
        await tracing.stop(1)

    supervisor = Supervisor()
    tracing = module.Tracing("http://127.0.0.1:1/v1/traces", supervisor)
    asyncio.run(run())
    assert supervisor.troubles["tracing"].lost == 3
