"""The guide's own nginx configuration in front of a server: HTTP, WebSocket and gRPC over TLS, with keys."""

from __future__ import annotations

import contextlib
import http.client
import io
import json
import re
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.integration.serving.running import Server, request, serving
from tests.patience import PATIENCE_S, until

from glassworks.packaging.bundle import Bundle
from glassworks.serving.access.clock import Clock
from glassworks.serving.access.keys import KeyStore
from glassworks.serving.transports.grpc.messages import message

GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "behind-a-proxy.md"
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is not installed")


@dataclass(frozen=True)
class Proxy:
    """nginx in front of a server, whose key opens it."""

    server: Server
    http: int
    grpc: int
    certificate: Path
    key: str

    def ask(self, verb: str, path: str, body: Any = None, **headers: str) -> tuple[int, bytes]:
        context = ssl.create_default_context(cafile=str(self.certificate))
        connection = http.client.HTTPSConnection("127.0.0.1", self.http, context=context, timeout=PATIENCE_S)
        with contextlib.closing(connection):
            connection.request(verb, path, body, {"Host": "models.example:8443", **headers})
            answer = connection.getresponse()
            return answer.status, answer.read()

    @property
    def bearer(self) -> str:
        return f"Bearer {self.key}"


@pytest.fixture(scope="module")
def proxy(tiny_bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    folder = tmp_path_factory.mktemp("proxy")
    names = "subjectAltName=DNS:models.example,IP:127.0.0.1"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=models.example", "-days", "2"]
    command += ["-addext", names, "-keyout", str(folder / "models.key"), "-out", str(folder / "models.crt")]
    subprocess.run(command, check=True, capture_output=True)
    _, key = KeyStore(folder / "home", Clock()).create("shop")
    with serving(folder / "home", str(tiny_bundle.folder), "--keys", "on") as server:
        ports = {8080: int(server.address.rpartition(":")[2]), 8081: int(server.grpc.rpartition(":")[2])}
        ports |= {8443: _free(), 8444: _free()}
        with _nginx(folder, ports):
            yield Proxy(server, ports[8443], ports[8444], folder / "models.crt", key)


def _free() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def _nginx(folder: Path, ports: dict[int, int]) -> Iterator[None]:
    found = re.search(r"```nginx\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    block = re.sub(r"\b(80|84)\d\d\b", lambda match: str(ports[int(match[0])]), found[1])
    # Only where a test may write; all else is the guide's.
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    places = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in kinds) + "access_log off;\n"
    (folder / "nginx.conf").write_text(block.replace("http {\n", "http {\n" + places, 1), encoding="utf-8")
    more = f"daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;"
    command = [str(NGINX), "-p", str(folder), "-e", str(folder / "error.log"), "-c", "nginx.conf", "-g", more]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        until(lambda: process.poll() is not None or _listens(ports[8444]), "nginx")
        assert process.poll() is None, process.stderr.read() if process.stderr else ""
        yield
    finally:
        process.terminate()
        process.communicate()


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False


def test_keys_and_bodies_pass(proxy: Proxy) -> None:
    path, content = f"{proxy.server.path}/infer", request(2)
    assert proxy.ask("GET", "/v2/health/ready")[0] == 200
    assert proxy.ask("POST", path, content)[0] == 401
    status, plain = proxy.ask("POST", path, content, Authorization=proxy.bearer)
    assert status == 200
    pieces = iter([content[:100], content[100:]])
    assert proxy.ask("POST", path, pieces, Authorization=proxy.bearer) == (200, plain)
    assert proxy.ask("POST", path, b" " * 2_000_000 + content, Authorization=proxy.bearer) == (200, plain)


def test_without_a_key_no_large_body_is_read(proxy: Proxy) -> None:
    head = f"POST {proxy.server.path}/infer HTTP/1.1\r\nhost: x\r\ncontent-length: 2000000\r\n"
    for more, status in (("", b"401"), (f"authorization: {proxy.bearer}\r\nexpect: 100-continue\r\n", b"100")):
        with proxy.server.socket() as wire:
            wire.sendall(f"{head}{more}\r\n".encode())
            assert wire.recv(12)[9:] == status


def test_frames_pass(proxy: Proxy) -> None:
    client = pytest.importorskip("websockets.sync.client")
    buffer = io.BytesIO()
    Image.fromarray(np.zeros((16, 16), np.uint8)).save(buffer, "PNG")
    address = f"wss://127.0.0.1:{proxy.http}{proxy.server.path}/stream"
    context = ssl.create_default_context(cafile=str(proxy.certificate))
    more = {"Authorization": proxy.bearer}
    with client.connect(address, ssl=context, additional_headers=more, proxy=None, max_size=None) as stream:
        for number in range(2):
            stream.send(buffer.getvalue())
            assert json.loads(stream.recv(PATIENCE_S))["frame"] == number
            stream.recv(PATIENCE_S)


def test_grpc_passes(proxy: Proxy) -> None:
    import grpc

    credentials = grpc.ssl_channel_credentials(proxy.certificate.read_bytes())
    options = [("grpc.ssl_target_name_override", "models.example")]
    asked = message("ModelInferRequest")(model_name=proxy.server.model)
    asked.inputs.add(name="image", datatype="FP32", shape=[1, 1, 16, 16])
    asked.raw_input_contents.append(bytes(4 * 256))
    with grpc.secure_channel(f"127.0.0.1:{proxy.grpc}", credentials, options) as channel:
        call: Any = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
        with pytest.raises(grpc.RpcError, match="UNAUTHENTICATED"):
            call(asked.SerializeToString(), timeout=PATIENCE_S)
        metadata = (("authorization", proxy.bearer),)
        answer = call(asked.SerializeToString(), timeout=PATIENCE_S, metadata=metadata)
    assert message("ModelInferResponse").FromString(answer).outputs
