"""A server of language models for `language.py`, and a client that knows when each part came."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any

WAIT_S = 600.0
_TICKS = os.sysconf("SC_CLK_TCK")


class Served:
    """`glassworks serve` of a registry in processes of its own; ends with the block."""

    def __init__(self, home: Path, *models: str) -> None:
        command = [sys.executable, "-m", "glassworks", "serve", *models]
        command += ["--port", "0", "--no-grpc", "--json", "--keys", "off", "--end-with-stdin"]
        environment = {**os.environ, "GLASSWORKS_HOME": str(home)}
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        line = self.process.stdout.readline() if self.process.stdout else ""
        self.address = json.loads(line)["url"].removeprefix("http://")

    def __enter__(self) -> Served:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(60)

    def engines(self) -> Sequence[int]:
        """Processes of the engines, in the order in which they were started."""
        found = [pid for pid in _children(self.process.pid) if b"engines.child" in _command(pid)]
        return sorted(found)

    def cpu_s(self) -> float:
        """Of the server and its engines so far."""
        return sum(cpu_s(pid) for pid in (self.process.pid, *self.engines()))

    def connect(self) -> HTTPConnection:
        return HTTPConnection(self.address, timeout=WAIT_S)

    def post(self, path: str, body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> tuple[int, Any]:
        """Status and content of an answer that is no stream."""
        response = self._send(self.connect(), path, body, headers)
        return response.status, json.loads(response.read())

    def stream(self, path: str, body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Iterator[Event]:
        """The events of an answer; closing the iterator hangs up."""
        connection = self.connect()
        begun = time.perf_counter()
        try:
            response = self._send(connection, path, {**body, "stream": True}, headers)
            if response.status != 200:
                raise SystemExit(f"{path}: {response.status} {response.read()!r}")
            for line in response:
                if line.startswith(b"data: ") and line.strip() != b"data: [DONE]":
                    yield Event(time.perf_counter() - begun, json.loads(line[6:]))
        finally:
            with suppress(OSError):
                if connection.sock:
                    connection.sock.shutdown(socket.SHUT_RDWR)
            connection.close()

    def text(self, body: Mapping[str, Any], path: str = "/v1/completions") -> str:
        """A whole answer's text."""
        status, found = self.post(path, body)
        if status != 200:
            raise SystemExit(f"{path}: {status} {found}")
        return said(found["choices"][0])

    def streamed(self, body: Mapping[str, Any], path: str = "/v1/completions") -> str:
        """The same of one that comes in parts."""
        choices = [event.content["choices"] for event in self.stream(path, body)]
        return "".join(said(each[0]) for each in choices if each)

    def _send(
        self, connection: HTTPConnection, path: str, body: Mapping[str, Any], headers: Mapping[str, str] | None
    ) -> HTTPResponse:
        content = json.dumps(body, ensure_ascii=False).encode()
        connection.request("POST", path, content, {"Content-Type": "application/json", **(headers or {})})
        return connection.getresponse()


@dataclass(frozen=True)
class Event:
    """What came, and so many seconds after the request was sent."""

    after_s: float
    content: Any


def said(choice: Mapping[str, Any]) -> str:
    """The text of a choice, of a chat or a plain completion, whole or a part."""
    found = choice.get("message") or choice.get("delta") or choice
    return found.get("content") or found.get("text") or ""


def cpu_s(pid: int) -> float:
    """Seconds that a process computed, with all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _children(pid: int) -> Iterator[int]:
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            parent = (folder / "stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()[1]
            if int(parent) == pid:
                yield int(folder.name)
                yield from _children(int(folder.name))


def _command(pid: int) -> bytes:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""
