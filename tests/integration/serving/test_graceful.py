"""Ends, crowds and strangers: draining, TLS, idle connections, clients that send half or nothing that makes sense."""

from __future__ import annotations

import json
import signal
import socket
import ssl
import subprocess
import threading
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest
from tests.integration.serving.running import WAIT_S, Server, request, serving
from tests.patience import until

from glassworks.packaging.bundle import Bundle

BODY = request()


def test_while_draining_what_began_ends_and_what_is_new_is_sent_away(tiny_bundle: Bundle, tmp_path: Path) -> None:
    with serving(tmp_path, str(tiny_bundle.folder)) as server:
        half = server.connect()
        half.putrequest("POST", f"{server.path}/infer")
        half.putheader("content-length", str(len(BODY)))
        half.endheaders(BODY[:100])
        kept = server.connect()
        kept.request("POST", f"{server.path}/infer", BODY)
        assert kept.getresponse().read()
        server.process.send_signal(signal.SIGTERM)
        # What is refused ends its connection: only then is it certain that the signal has been heeded.
        until(lambda: server.send("POST", f"{server.path}/infer", BODY)[0] == 503)
        fresh = server.connect()
        for connection in (kept, fresh):
            connection.request("POST", f"{server.path}/infer", BODY)
            response = connection.getresponse()
            assert response.status == 503
            assert int(response.headers["retry-after"]) >= 1
            assert "stopping" in json.loads(response.read())["error"]
        half.send(BODY[100:])
        assert half.getresponse().status == 200
        assert server.process.wait(WAIT_S) == 0


def test_a_client_that_never_ends_does_not_hold_the_end_up(tiny_bundle: Bundle, tmp_path: Path) -> None:
    with serving(tmp_path, str(tiny_bundle.folder), "--drain-s", "0.5") as server:
        half = server.connect()
        half.putrequest("POST", f"{server.path}/infer")
        half.putheader("content-length", "1000")
        half.endheaders(b"x")
        assert server.post("infer", BODY)[0] == 200
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(WAIT_S) == 0
        half.close()


def test_slow_and_silent_clients_are_ended(tiny_bundle: Bundle, tmp_path: Path) -> None:
    with serving(tmp_path, str(tiny_bundle.folder), "--receive-s", "0.5", "--idle-s", "0.5") as server:
        with server.socket() as silent, server.socket() as slow:
            slow.sendall(b"POST /v2 HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nhalf")
            assert b" 408 " in slow.recv(1000)
            assert silent.recv(1000) == b""
        until(lambda: infers(server), "an answer to a client that hurries")


def infers(server: Server) -> bool:
    """Whether it answers; a machine under load may be so slow that even this client seems silent."""
    try:
        return server.post("infer", BODY)[0] == 200
    except (ConnectionError, HTTPException):
        return False


def test_a_thousand_idle_connections_cost_nothing_lasting(tiny_bundle: Bundle, tmp_path: Path) -> None:
    with serving(tmp_path, str(tiny_bundle.folder), "--no-grpc") as server:
        assert server.post("infer", BODY)[0] == 200
        for _ in range(3):
            crowd = [server.socket() for _ in range(1000)]
            assert server.post("infer", BODY)[0] == 200
            for each in crowd:
                each.close()
            settled = _settled_kb(server)
        for _ in range(3):
            crowd = [server.socket() for _ in range(1000)]
            for each in crowd:
                each.close()
        assert _settled_kb(server) <= 1.05 * settled


def _settled_kb(server: Server) -> int:
    def alone() -> bool:
        connection = server.connect()
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        connection.close()
        (line,) = [line for line in text.splitlines() if line.startswith("glassworks_connections ")]
        return float(line.split()[1]) <= 2

    until(alone, "the end of all connections")
    return server.memory_kb()


def test_strangers_do_not_hurt(tiny_bundle: Bundle, tmp_path: Path) -> None:
    with serving(tmp_path, str(tiny_bundle.folder)) as server:
        host, port = server.grpc.split(":")
        hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500)
        for sent in (hello, b"\0" * 70_000, b"GET / HTTP/1.1\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(99)):
            for address in ((host, int(port)), tuple(server.address.split(":"))):
                with socket.create_connection((address[0], int(address[1])), timeout=WAIT_S) as stranger:
                    stranger.sendall(sent)
        assert server.post("infer", BODY)[0] == 200
        server.process.terminate()
        assert server.process.wait(WAIT_S) == 0
        assert server.process.stderr is not None
        assert "Traceback" not in server.process.stderr.read()


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate of this machine's loopback, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "2",
    ]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    try:
        subprocess.run(
            [*command, *names, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True
        )
    except FileNotFoundError:
        pytest.skip("needs openssl to make a certificate")
    return certificate, key


def test_tls_covers_both_protocols(tiny_bundle: Bundle, tmp_path: Path, pair: tuple[Path, Path]) -> None:
    import http.client

    import grpc

    from glassworks.serving.transports.grpc.messages import message

    certificate, key = pair
    options = ("--tls-certificate", str(certificate), "--tls-key", str(key))
    with serving(tmp_path, str(tiny_bundle.folder), *options) as server:
        host, port = server.address.split(":")
        context = ssl.create_default_context(cafile=str(certificate))
        secure = http.client.HTTPSConnection(host, int(port), context=context, timeout=WAIT_S)
        secure.request("POST", f"{server.path}/infer", BODY)
        assert secure.getresponse().status == 200
        secure.close()
        with pytest.raises((ConnectionError, http.client.HTTPException)):
            server.post("infer", BODY)
        credentials = grpc.ssl_channel_credentials(certificate.read_bytes())
        with grpc.secure_channel(server.grpc, credentials) as channel:
            call: Any = channel.unary_unary("/inference.GRPCInferenceService/ServerLive")
            answer = call(message("ServerLiveRequest")().SerializeToString(), timeout=WAIT_S)
            assert message("ServerLiveResponse").FromString(answer).live


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (("--tls-certificate", "nowhere.pem", "--tls-key", "nowhere.pem"), "the certificate nowhere.pem"),
        (("--tls-certificate", "alone.pem"), "TLS needs a certificate and its key"),
        (("--keys", "maybe"), "'keys' is 'maybe'"),
        (("--traffic", "champion=50"), "add up to 50"),
        (("--traffic", "nonsense"), "'nonsense' is not a share"),
        (("--traffic", "nobody=100"), "has no version 'nobody'"),
        (("--idle-s", "0"), "'idle_s' is 0"),
    ],
)
def test_wrong_options_are_told_in_two_lines(
    options: tuple[str, ...], problem: str, tiny_bundle: Bundle, tmp_path: Path
) -> None:
    import os
    import sys

    command = [sys.executable, "-m", "glassworks", "serve", str(tiny_bundle.folder), "--port", "0", *options]
    environ = {**os.environ, "GLASSWORKS_HOME": str(tmp_path)}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=WAIT_S, check=False)
    assert done.returncode == 2
    first, second = done.stderr.splitlines()
    assert problem in first
    assert second.startswith("mend: ")


def test_clients_that_come_and_go_in_the_middle_leave_no_work_behind(tiny_bundle: Bundle, tmp_path: Path) -> None:
    with serving(tmp_path, str(tiny_bundle.folder), "--no-grpc") as server:

        def come_and_go() -> None:
            for _ in range(30):
                with server.socket() as client:
                    head = f"POST {server.path}/explain HTTP/1.1\r\nhost: x\r\ncontent-length: {len(BODY)}\r\n\r\n"
                    client.sendall(head.encode() + BODY)

        crowd = [threading.Thread(target=come_and_go) for _ in range(4)]
        for each in crowd:
            each.start()
        for each in crowd:
            each.join()
        status, _ = server.post("explain", BODY)
        assert status in (200, 503)
        assert server.post("infer", BODY)[0] == 200
        assert _settled_kb(server) > 0
