"""The battery of HTTP/2 and gRPC is no formality: a server that lets everything pass fails nearly all of it."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest
from tests.patience import PATIENCE_S

from glassworks.conformance import suite
from glassworks.conformance.http2 import ACK, PING, PREFACE, SETTINGS, frame
from glassworks.conformance.target import Target

_AREAS = ("http2_frames", "http2_requests", "grpc_wire")


def _answer(kind: int, flags: int, payload: bytes) -> bytes:
    """It takes whatever comes, and answers pings only."""
    if kind == PING:
        return frame(PING, ACK, 0, payload)
    return frame(SETTINGS, ACK, 0) if kind == SETTINGS and not flags & ACK else b""


@contextlib.contextmanager
def serving() -> Iterator[Target]:
    """A server of few words on a thread, for one client after another."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listening:
        thread = threading.Thread(target=_serve, args=(listening,))
        thread.start()
        address = f"127.0.0.1:{listening.getsockname()[1]}"
        yield Target(url="http://127.0.0.1:1", grpc=address, seconds=0.03)
        with socket.create_connection(listening.getsockname()) as last:
            last.sendall(b"over")
            thread.join()


def _serve(listening: socket.socket) -> None:
    while True:
        client, _ = listening.accept()
        with client, contextlib.suppress(OSError):
            client.sendall(frame(SETTINGS, 0, 0))
            rest = b""
            while part := client.recv(65_536):
                rest += part
                if rest == b"over":
                    return
                rest = rest.removeprefix(PREFACE)
                while len(rest) >= 9 + int.from_bytes(rest[:3], "big") and len(rest) >= 9:
                    size = 9 + int.from_bytes(rest[:3], "big")
                    client.sendall(_answer(rest[3], rest[4], rest[9:size]))
                    rest = rest[size:]


def test_who_takes_everything_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("glassworks.conformance.http2._LATE_S", 0.01)
    right = {
        "C40.says_its_settings_and_acknowledges_ours",
        "C40.ping_is_answered",
        "C40.too_many_streams",  # it names no number
    }
    checks = [each for each in suite.found() if each.area in _AREAS]
    with serving() as target:
        assert passed(target, [each for each in checks if each.id not in right]) == set()
        assert passed(replace(target, seconds=PATIENCE_S), [each for each in checks if each.id in right]) == right


def passed(target: Target, checks: Sequence[suite.Check]) -> set[str]:
    return {each.id for each in suite.run(target, checks) if each.result != "failed"}
