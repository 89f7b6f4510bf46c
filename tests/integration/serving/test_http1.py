"""HTTP/1.1 over real sockets: the battery of RFC 9112, clients that send nothing more, leave, or never greet."""

from __future__ import annotations

import asyncio
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest
from tests.integration.serving.running import Server, request, serving
from tests.patience import PATIENCE_S

from glassworks.conformance import suite
from glassworks.conformance.checks.http1 import CASES
from glassworks.conformance.target import Target
from glassworks.packaging.bundle import Bundle
from glassworks.serving.transports.http.exchange import json_answer
from glassworks.serving.transports.http.limits import Limits
from glassworks.serving.transports.http.server import bind, listen
from glassworks.serving.transports.http.service import Service

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def server(tiny_bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("home")
    with serving(home, str(tiny_bundle.folder), "--no-grpc", "--receive-s", "1", "--idle-s", "1") as running:
        yield running


def test_every_rule_of_the_battery_holds(server: Server) -> None:
    target = Target(url=f"http://{server.address}", name=server.model, seconds=PATIENCE_S, patience=PATIENCE_S)
    checks = [check for check in suite.found() if check.area == "http1"]
    assert len(checks) == len(CASES) + 1
    outcomes = list(suite.run(target, checks))
    assert [(each.id, each.seen) for each in outcomes if each.result != "passed"] == []
    assert server.post("infer", request())[0] == 200


def test_the_parser_that_is_tested_is_the_oldest_that_is_allowed() -> None:
    floor = re.search(r'"httptools>=([\d.]+)"', (ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    pinned = re.search(r"^httptools==([\d.]+)$", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE)
    assert floor is not None
    assert pinned is not None
    # Those before 0.9 let smuggled requests in: the battery must run on what users may have.
    assert _numbers(floor[1]) == _numbers(pinned[1])[:2] >= (0, 9)
    assert version("httptools") == pinned[1]


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(".")))


def test_who_sends_nothing_more_gets_an_explanation(server: Server) -> None:
    with server.socket() as wire:
        content = request()
        head = (
            f"POST {server.path}/explain HTTP/1.1\r\nhost: {server.address}\r\ncontent-length: {len(content)}\r\n\r\n"
        )
        wire.sendall(head.encode() + content)
        wire.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := wire.recv(65_536):
            answer += piece
    # Interim answers may come before it: they find out who left altogether.
    statuses = re.findall(rb"^HTTP/1\.1 (\d+)", answer, re.MULTILINE)
    assert statuses[-1] == b"200"
    assert set(statuses[:-1]) <= {b"100"}


WITHOUT_OURS_S = 60.0
"""How long the event loop waits for a handshake where nothing else is said."""


def test_a_handshake_has_its_time(tiny_bundle: Bundle, tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "2"]
    subprocess.run([*command, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    options = ("--no-grpc", "--receive-s", "0.5", "--tls-certificate", str(certificate), "--tls-key", str(key))
    with serving(tmp_path / "home", str(tiny_bundle.folder), *options) as server, server.socket() as silent:
        silent.settimeout(PATIENCE_S)
        begun = time.monotonic()
        assert silent.recv(1) == b""
        assert time.monotonic() - begun < WITHOUT_OURS_S


def test_who_comes_when_there_are_too_many_is_told_so() -> None:
    async def main() -> list[bytes]:
        service = Service(lambda exchange: exchange.reply(json_answer({})), Limits())
        service.max_connections = 2
        listening, told = bind("127.0.0.1", 0), []
        server = await listen(service, listening, None)
        clients = []
        for _ in range(3):
            reader, writer = await asyncio.open_connection(*listening.getsockname())
            writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            told.append((await reader.readline())[9:12])
            clients.append(writer)
        clients[0].close()
        await clients[0].wait_closed()
        while len(service.connections) == 2:
            await asyncio.sleep(0.01)
        reader, writer = await asyncio.open_connection(*listening.getsockname())
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        told.append((await reader.readline())[9:12])
        for each in (*clients[1:], writer):
            each.close()
        server.close()
        return told

    assert asyncio.run(main()) == [b"200", b"200", b"503", b"200"]
