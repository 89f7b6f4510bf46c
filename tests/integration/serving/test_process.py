"""The server as a process of its own: real sockets, real signals, an unmodified client."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.integration.serving.running import WAIT_S, Server, request, rows, serving

from glassworks.packaging.bundle import Bundle


@pytest.fixture(scope="module")
def server(tiny_bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("home"), str(tiny_bundle.folder)) as running:
        yield running


def test_an_unmodified_client_is_served(server: Server) -> None:
    client = pytest.importorskip("tritonclient.http")
    asked = client.InferenceServerClient(server.address)
    assert asked.is_server_live()
    assert asked.is_server_ready()
    assert asked.is_model_ready(server.model)
    assert "binary_tensor_data" in asked.get_server_metadata()["extensions"]
    assert asked.get_model_metadata(server.model)["inputs"][0]["shape"] == [-1, 1, 16, 16]
    given = client.InferInput("image", [2, 1, 16, 16], "FP32")
    given.set_data_from_numpy(rows(2))
    answer = asked.infer(server.model, [given], request_id="r1").as_numpy("probabilities")
    given.set_data_from_numpy(rows(2), binary_data=False)
    zipped = asked.infer(server.model, [given], request_compression_algorithm="gzip").as_numpy("probabilities")
    asked.close()
    assert answer.shape == (2, 3)
    assert np.array_equal(answer, zipped)


def test_a_chunked_body_is_read(server: Server) -> None:
    connection = server.connect()
    content = request()
    connection.request("POST", f"{server.path}/infer", iter([content[:9], content[9:]]), encode_chunked=True)
    assert connection.getresponse().status == 200
    connection.close()


def test_clients_that_leave_do_not_hurt_the_next(server: Server) -> None:
    host, port = server.address.split(":")
    content = request()
    head = f"POST {server.path}/explain HTTP/1.1\r\nhost: x\r\ncontent-length: {len(content)}\r\n\r\n".encode()
    for sent in (b"", b"POST /v2", head[:-9], head, head + content[:50], head + content):
        with socket.create_connection((host, int(port))) as half:
            half.sendall(sent)
        assert server.post("infer", content)[0] == 200
    status, _ = server.post("explain", content)
    assert status == 200


def test_no_training_library_is_loaded_even_to_explain(server: Server) -> None:
    status, answer = server.post("explain", request())
    assert status == 200
    assert answer["parameters"]["converged"]
    proc = Path("/proc") / str(server.process.pid)
    if not proc.exists():
        pytest.skip("only Linux tells what a process has loaded")
    assert "onnxruntime" in (proc / "maps").read_text()
    assert "libtorch" not in (proc / "maps").read_text()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_what_is_in_flight_ends_before_the_process(number: int, tiny_bundle: Bundle, tmp_path: Path) -> None:
    with serving(tmp_path, str(tiny_bundle.folder)) as server:
        content = request()
        half, *explaining = (server.connect() for _ in range(4))
        half.putrequest("POST", f"{server.path}/infer")
        half.putheader("content-length", str(len(content)))
        half.endheaders(content[:100])
        for connection in explaining:
            connection.request("POST", f"{server.path}/explain", request(4))
        # It is answered, so those that came before it have been accepted.
        assert server.post("infer", content)[0] == 200
        server.process.send_signal(number)
        half.send(content[100:])
        for connection in (half, *explaining):
            assert connection.getresponse().status == 200
            connection.close()
        assert server.process.wait(WAIT_S) == 0
        assert server.process.stderr is not None
        assert server.process.stderr.read() == ""


def test_a_port_in_use_names_one_that_is_free(server: Server, tiny_bundle: Bundle) -> None:
    taken = int(server.address.split(":")[1])
    command = [sys.executable, "-m", "glassworks", "serve", str(tiny_bundle.folder), "--port", str(taken)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_S, check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    problem, mend = done.stderr.splitlines()
    assert problem == f"error: cannot listen on 127.0.0.1:{taken}: the port is in use"
    free = int(re.findall(r"--port (\d+)$", mend)[0])
    socket.create_server(("127.0.0.1", free)).close()


def test_the_page_is_served_under_its_policy(server: Server) -> None:
    with urllib.request.urlopen(f"http://{server.address}/docs", timeout=WAIT_S) as page:
        assert "default-src 'none'" in page.headers["content-security-policy"]
        assert server.model in page.read().decode()
