"""Traces of a running service: each request is a span under its caller's, whatever protocol it came by."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.integration.serving.running import request, rows, serving
from tests.patience import until

from glassworks.packaging.bundle import Bundle
from glassworks.registry import Registry

PARENT = "b7ad6b7169203331"


@pytest.fixture
def collector() -> Iterator[tuple[str, dict[str, tuple[str, str]]]]:
    """A collector's address, and the spans it was sent: by trace the name and the parent of the first one."""
    trace = pytest.importorskip("opentelemetry.proto.collector.trace.v1.trace_service_pb2")
    found: dict[str, tuple[str, str]] = {}

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            sent = trace.ExportTraceServiceRequest.FromString(self.rfile.read(int(self.headers["content-length"])))
            for resource in sent.resource_spans:
                for span in (span for scope in resource.scope_spans for span in scope.spans):
                    if span.parent_span_id.hex() == PARENT:
                        found[span.trace_id.hex()] = span.name, span.parent_span_id.hex()
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1/traces", found
    server.shutdown()
    thread.join()
    server.server_close()


def parent(number: int) -> dict[str, str]:
    return {"traceparent": f"00-{number:032x}-{PARENT}-01"}


def test_spans_have_their_callers_and_the_names_of_what_was_asked(
    collector: tuple[str, dict[str, tuple[str, str]]], tiny_bundle: Bundle, tmp_path: Path
) -> None:
    client = pytest.importorskip("tritonclient.grpc")
    Registry.open({"GLASSWORKS_HOME": str(tmp_path)}).publish(tiny_bundle)
    url, found = collector
    buffer = io.BytesIO()
    Image.fromarray(np.zeros((16, 16), np.uint8)).save(buffer, "PNG")
    with serving(tmp_path, "--traces", url) as server:
        server.send("POST", f"{server.path}/infer", request(), parent(1))
        server.send("POST", f"{server.path}/explain", request(), parent(2))
        json = {"accept": "application/json"}
        server.send("POST", f"{server.path}/picture", buffer.getvalue(), {**parent(3), **json})
        tensor = client.InferInput("image", [1, 1, 16, 16], "FP32")
        tensor.set_data_from_numpy(rows())
        with client.InferenceServerClient(server.grpc) as asked:
            for number in (4, 5):
                asked.infer(server.model, [tensor], headers=parent(number))
            asked.start_stream(lambda result, error: None, headers=parent(6))
            asked.async_stream_infer(server.model, [tensor])
            asked.stop_stream()
        server.process.terminate()
        until(lambda: len(found) == 6, "all spans")
    assert [found[f"{number:032x}"][0] for number in range(1, 7)] == [
        "infer", "explain", "picture", "infer", "infer", "infer"
    ]  # fmt: skip
