"""Where a server under attack is, and plain sockets to it."""

from __future__ import annotations

import contextlib
import json
import math
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

HOST = "127.0.0.1"
_CONNECT_S = 10.0


@dataclass(frozen=True, kw_only=True)
class Place:
    """A server of this machine that serves one model of pictures of `shape`, without the first dimension."""

    http: int
    grpc: int
    pid: int
    model: str
    shape: Sequence[int]
    """Of one row."""
    source: str = "image"
    """The model's input."""

    @property
    def path(self) -> str:
        return f"/v2/models/{self.model}"

    def connect(self, port: int | None = None, receive_bytes: int | None = None) -> socket.socket:
        """A connection; with `receive_bytes` its receive buffer is so small, for a client that does not read."""
        made = socket.socket()
        if receive_bytes is not None:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        made.settimeout(_CONNECT_S)
        made.connect((HOST, self.http if port is None else port))
        return made

    def post(self, verb: str, body: bytes, *headers: str) -> bytes:
        """A whole request to the model."""
        lines = [f"POST {self.path}/{verb} HTTP/1.1", f"host: {HOST}:{self.http}", f"content-length: {len(body)}"]
        return "\r\n".join([*lines, *headers, "", ""]).encode() + body

    def head(self, verb: str, *headers: str) -> bytes:
        """The head of a request to the model whose body follows as the headers say."""
        lines = [f"POST {self.path}/{verb} HTTP/1.1", f"host: {HOST}:{self.http}", *headers]
        return "\r\n".join([*lines, "", ""]).encode()

    def get(self, path: str) -> bytes:
        """A whole request for a page."""
        return f"GET {path} HTTP/1.1\r\nhost: {HOST}:{self.http}\r\n\r\n".encode()

    def infer_body(self, rows: int = 1, value: float = 0.0) -> bytes:
        """An inference request in JSON, all of one value."""
        data = [value] * (rows * math.prod(self.shape))
        tensor = {"name": self.source, "datatype": "FP32", "shape": [rows, *self.shape], "data": data}
        return json.dumps({"inputs": [tensor]}).encode()

    def memory_mb(self) -> float:
        """What the server's process holds in memory now."""
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024


def pour(connection: socket.socket, chunk: bytes, seconds: float) -> int:
    """Send the same again and again; how many bytes went out until the time was over or the server had enough."""
    end, sent = time.monotonic() + seconds, 0
    connection.settimeout(1.0)
    with contextlib.suppress(OSError):
        while time.monotonic() < end:
            sent += connection.send(chunk)
    return sent


def answer(connection: socket.socket, data: bytes, seconds: float) -> bytes:
    """Send a request and read until the server closes, pauses for half a second after something, or time is over."""
    end, received = time.monotonic() + seconds, b""
    with contextlib.suppress(OSError):
        connection.settimeout(seconds)
        connection.sendall(data)
        while time.monotonic() < end:
            connection.settimeout(0.5 if received else max(0.1, end - time.monotonic()))
            part = connection.recv(65_536)
            if not part:
                break
            received += part
    return received


@contextlib.contextmanager
def connections(place: Place, count: int, port: int | None = None) -> Iterator[list[socket.socket]]:
    """Many open connections; those that the server refuses are left out."""
    opened: list[socket.socket] = []
    try:
        for _ in range(count):
            with contextlib.suppress(OSError):
                opened.append(place.connect(port))
        yield opened
    finally:
        for each in opened:
            each.close()


def hold(opened: Sequence[socket.socket], data: bytes, seconds: float) -> None:
    """Send the same over each connection, then say nothing for a while."""
    for each in opened:
        with contextlib.suppress(OSError):
            each.settimeout(0.5)
            each.sendall(data)
    time.sleep(seconds)
