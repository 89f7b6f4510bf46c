"""The battery for RFC 6455: a library's server passes it, a careless one does not."""

from __future__ import annotations

import base64
import hashlib
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from websockets.sync.server import ServerConnection, serve

from glassworks.conformance import suite
from glassworks.conformance.suite import Outcome
from glassworks.conformance.target import Target


def outcomes(port: int) -> dict[str, Outcome]:
    target = Target(url=f"http://127.0.0.1:{port}", name="m", websocket="/stream", seconds=20)
    checks = [each for each in suite.found() if each.area == "websocket"]
    assert len(checks) > 80
    return {each.id: each for each in suite.run(target, checks)}


def wrong(port: int) -> dict[str, str]:
    return {name: each.seen for name, each in outcomes(port).items() if each.result != "passed"}


@contextmanager
def in_thread(work: Callable[[], object]) -> Iterator[None]:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    yield
    thread.join()


def test_a_library_passes() -> None:
    def listen(connection: ServerConnection) -> None:
        for _ in connection:
            pass

    with serve(listen, "127.0.0.1", 0) as server, in_thread(server.serve_forever):
        assert wrong(server.socket.getsockname()[1]) == {}
        server.shutdown()


def careless(listening: socket.socket) -> None:
    """Opens for everybody, and takes whatever comes for a close."""
    while True:
        connection = listening.accept()[0]
        with connection:
            head = connection.recv(65_536)
            if b"end of the test" in head:
                return
            key = head.lower().partition(b"sec-websocket-key: ")[2] and head.split(b"ey: ")[-1].split(b"\r\n")[0]
            accepted = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
            connection.sendall(b"HTTP/1.1 101 Switching\r\nsec-websocket-accept: " + accepted + b"\r\n\r\n")
            connection.recv(65_536)
            connection.sendall(b"\x88\x02\x03\xe8")


def test_a_careless_server_is_found_out() -> None:
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    with listening, in_thread(lambda: careless(listening)):
        found = wrong(port)
        with socket.create_connection(("127.0.0.1", port)) as last:
            last.sendall(b"end of the test")
    for name in ("C50.without_a_mask", "C50.reserved_bit_4", "C50.full_ping", "C50.close_1005", "C51.without_a_key"):
        assert name in found
    assert "C50.opens" not in found
