"""What the control API refuses by its size is refused by the head: nothing of the body has to be sent."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from tests.integration.serving.running import Server, serving
from tests.patience import PATIENCE_S

from glassworks.control.endpoint import MOST_BYTES
from glassworks.data.uploads.receiving import PART_BYTES


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("heads"), "--no-grpc", "--workers", "0") as running:
        yield running


def answered(server: Server, line: str, length: int) -> bytes:
    """The beginning of the answer to a head alone."""
    host, _, port = server.address.rpartition(":")
    with socket.create_connection((host, int(port)), PATIENCE_S) as connection:
        head = f"{line} HTTP/1.1\r\nHost: {server.address}\r\nContent-Length: {length}\r\n\r\n"
        connection.sendall(head.encode())
        connection.settimeout(PATIENCE_S)
        return connection.recv(65_536)


@pytest.mark.parametrize(
    ("line", "most", "said"),
    [
        ("POST /api/v1/jobs/check", MOST_BYTES, b"files are sent as uploads"),
        ("PUT /api/v1/uploads/0123?offset=0", PART_BYTES, b"send parts of at most"),
    ],
)
def test_a_body_that_is_too_large_is_refused_before_it_comes(server: Server, line: str, most: int, said: bytes) -> None:
    refused = answered(server, line, most + 1)
    assert refused.startswith(b"HTTP/1.1 413 ")
    assert b"application/problem+json" in refused
    assert said in refused
