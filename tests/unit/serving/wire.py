"""Asks a service in this process over a connection whose socket is a list."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from tests.patience import PATIENCE_S

from glassworks.serving.app import Application
from glassworks.serving.core.dispatcher import Dispatcher
from glassworks.serving.core.models import Models
from glassworks.serving.endpoints import Context
from glassworks.serving.routes import routes
from glassworks.serving.transports.http.connection import Connection
from glassworks.serving.transports.http.limits import Limits
from glassworks.serving.transports.http.service import Service

LIMIT = 100_000


@dataclass(frozen=True)
class Reply:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body[: int(self.headers.get("inference-header-content-length", len(self.body)))])

    @property
    def error(self) -> str:
        """The text of an error, whose body holds nothing else."""
        assert self.status >= 400
        assert list(self.json) == ["error"]
        return str(self.json["error"])

    def tensor(self, name: str) -> NDArray[np.float32]:
        """An FP32 output, from JSON or from the bytes behind it."""
        place = int(self.headers.get("inference-header-content-length", 0))
        for output in self.json["outputs"]:
            size = output.get("parameters", {}).get("binary_data_size")
            if output["name"] == name:
                data = np.asarray(output["data"], "<f4") if size is None else self._raw(place, size)
                return data.reshape(output["shape"])
            place += size or 0
        raise KeyError(name)

    def _raw(self, place: int, size: int) -> NDArray[np.float32]:
        return np.frombuffer(self.body[place : place + size], "<f4")


class Wire:
    """The transport of a connection: keeps what is written."""

    def __init__(self) -> None:
        self.written = bytearray()
        self.closed = self.paused = self.aborted = self.ended = False
        self.unsent = 0
        self.changed = asyncio.Event()

    def write(self, data: bytes) -> None:
        self.written += data
        self.changed.set()

    def writelines(self, parts: Iterable[bytes]) -> None:
        for part in parts:
            self.write(part)

    def close(self) -> None:
        self.closed = True
        self.changed.set()

    def abort(self) -> None:
        self.aborted = True
        self.close()

    @property
    def over(self) -> bool:
        """Whether nothing more will be written."""
        return self.closed or self.ended

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        """The way there ends, and the client closes."""
        self.ended = True
        self.changed.set()

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False

    def replies(self, heads: bool = False) -> list[Reply]:
        """The whole answers that were written until now; `heads` come without bodies."""
        found, rest = [], bytes(self.written)
        while b"\r\n\r\n" in rest:
            head, _, rest = rest.partition(b"\r\n\r\n")
            line, *lines = head.decode("latin-1").split("\r\n")
            headers = dict(each.split(": ", 1) for each in lines)
            if "transfer-encoding" in headers:
                if not rest.endswith(b"0\r\n\r\n"):
                    break
                body, rest = rest, b""
            else:
                size = 0 if heads else int(headers.get("content-length", 0))
                if len(rest) < size:
                    break
                body, rest = rest[:size], rest[size:]
            found.append(Reply(int(line.split()[1]), headers, body))
        return found


def service(models: Models, limit: int = LIMIT, **more: Any) -> Service:
    """All routes over an models."""
    return Service(Application(routes(Context(Dispatcher(models), **more))), Limits(max_body_bytes=limit))


def request_bytes(verb: str, path: str, body: bytes, headers: Mapping[str, str]) -> bytes:
    """A request as it goes over the wire."""
    lines = [f"{verb} {path} HTTP/1.1", "host: here", f"content-length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def connected(served: Service) -> tuple[Connection, Wire]:
    """A client's connection."""
    connection, wire = Connection(served), Wire()
    connection.connection_made(cast(asyncio.Transport, wire))
    return connection, wire


async def ask(
    served: Service,
    verb: str,
    path: str,
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
    *,
    leave: bool = False,
) -> Reply | None:
    """One request, sent in two parts; with `leave` the client goes away after it. None: no answer was sent."""
    connection, wire = connected(served)
    content = request_bytes(verb, path, body, headers or {})
    half = len(content) - len(body) // 2
    connection.receive(content[:half])
    if half < len(content):
        connection.receive(content[half:])
    if leave:
        connection.connection_lost(None)
        await asyncio.sleep(0.01)
    else:
        while not wire.replies(verb == "HEAD") and not wire.over:
            wire.changed.clear()
            await asyncio.wait_for(wire.changed.wait(), PATIENCE_S)
    replies = wire.replies(verb == "HEAD")
    return replies[0] if replies else None
