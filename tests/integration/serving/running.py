"""Starts `glassworks serve` as a process of its own, for tests that need real sockets and signals."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import numpy as np
from tests.patience import PATIENCE_S

WAIT_S = PATIENCE_S


@dataclass(frozen=True)
class Server:
    """A running `glassworks serve`."""

    process: subprocess.Popen[str]
    address: str
    grpc: str
    model: str

    @property
    def path(self) -> str:
        return f"/v2/models/{self.model}"

    def connect(self) -> HTTPConnection:
        return HTTPConnection(self.address, timeout=WAIT_S)

    def socket(self) -> socket.socket:
        host, port = self.address.split(":")
        return socket.create_connection((host, int(port)), timeout=WAIT_S)

    def send(
        self, verb: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> tuple[int, Any]:
        """Status and JSON of one request."""
        connection = self.connect()
        with contextlib.closing(connection):
            connection.request(verb, path, body, dict(headers or {}))
            response = connection.getresponse()
            return response.status, json.loads(response.read() or b"null")

    def post(self, verb: str, body: bytes) -> tuple[int, Any]:
        return self.send("POST", f"{self.path}/{verb}", body)

    def get(self, path: str) -> Any:
        status, value = self.send("GET", path)
        assert status == 200
        return value

    def memory_kb(self) -> int:
        """What the process holds in memory now."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])


@contextlib.contextmanager
def serving(home: Path, *arguments: str, port: str = "0") -> Iterator[Server]:
    """A server with these arguments, at any free port unless it is given; killed at the end unless it has ended."""
    command = [
        sys.executable,
        "-m",
        "glassworks",
        "serve",
        "--drain-s",
        str(WAIT_S),
        "--workers",
        "0",
        *arguments,
        "--port",
        port,
        "--json",
    ]
    environ = {**os.environ, "GLASSWORKS_HOME": str(home)}
    process = subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line, process.stderr.read() if process.stderr else ""
            up = json.loads(line)
            names = up["models"] or [""]
            yield Server(process, up["url"].partition("://")[2], up["grpc"] or "", names[0])
        finally:
            process.kill()


def rows(count: int = 1, seed: int = 0) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Random pictures, as the tiny model takes them."""
    return np.random.default_rng(seed).random((count, 1, 16, 16), np.float32)


def request(count: int = 1, **more: Any) -> bytes:
    """A request in JSON."""
    tensor = {"name": "image", "shape": [count, 1, 16, 16], "datatype": "FP32", "data": rows(count).ravel().tolist()}
    return json.dumps({"inputs": [tensor], **more}).encode()
