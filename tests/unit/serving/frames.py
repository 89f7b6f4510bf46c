"""A client of the gRPC connection that works without a network, frame by frame."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import hpack

from glassworks.serving.transports.grpc.calls import Calls
from glassworks.serving.transports.grpc.connection import Connection
from glassworks.serving.transports.grpc.frames import (
    END_HEADERS,
    END_STREAM,
    PREFACE,
    Kind,
    Setting,
    frame,
    parse_head,
    settings,
)
from glassworks.serving.transports.grpc.methods import Method
from glassworks.serving.transports.http.limits import Limits

_T = TypeVar("_T")
PATH, LIMIT = b"/test/Echo", 100_000


class Wire:
    """The transport of a connection: keeps what is written."""

    def __init__(self) -> None:
        self.written = bytearray()
        self.closed = self.paused = self.aborted = False

    def write(self, data: bytes) -> None:
        self.written += data

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = self.aborted = True

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False

    def frames(self) -> list[tuple[int, int, int, bytes]]:
        """Kind, flags, stream and payload of each frame."""
        found, place = [], 0
        while place < len(self.written):
            length, kind, flags, stream = parse_head(self.written, place)
            found.append((kind, flags, stream, bytes(self.written[place + 9 : place + 9 + length])))
            place += 9 + length
        return found


class Client:
    """A client of one connection, with its side of the header tables."""

    def __init__(self, methods: dict[bytes, Method] | None = None, limits: Limits | None = None) -> None:
        self.calls = Calls(
            methods or {PATH: Method(read=bytes, write=bytes, unary=echo)}, limits or Limits(max_body_bytes=LIMIT)
        )
        self.wire, self.encoder, self.stream = Wire(), hpack.Encoder(), -1
        self.connection = Connection(self.calls)
        self.connection.connection_made(self.wire)  # type: ignore[arg-type]

    def greet(self, *values: tuple[Setting, int]) -> Client:
        self.connection.data_received(PREFACE + settings(values))
        self.wire.written.clear()
        return self

    def headers(self, path: bytes = PATH, flags: int = END_HEADERS, **more: str) -> bytes:
        self.stream += 2
        given = [
            (b":method", b"POST"), (b":scheme", b"http"), (b":path", path), (b":authority", b"here"),
            (b"content-type", b"application/grpc"), (b"te", b"trailers"),
            *((name.replace("_", "-").encode(), value.encode()) for name, value in more.items()),
        ]  # fmt: skip
        return frame(Kind.HEADERS, flags, self.stream, self.encoder.encode(given))

    def data(self, content: bytes, flags: int = END_STREAM, stream: int | None = None) -> bytes:
        return frame(Kind.DATA, flags, self.stream if stream is None else stream, content)

    async def send(self, *parts: bytes) -> Client:
        self.connection.data_received(b"".join(parts))
        for _ in range(20):
            await asyncio.sleep(0)
        return self

    def answers(self) -> dict[int, tuple[bytes, dict[str, str]]]:
        """Data and trailers of each stream that has ended."""
        decoder, data, ended = hpack.Decoder(), dict[int, bytes](), dict[int, tuple[bytes, dict[str, str]]]()
        for kind, flags, stream, payload in self.wire.frames():
            if kind == Kind.DATA:
                data[stream] = data.get(stream, b"") + payload
            elif kind == Kind.HEADERS:
                found = {str(name): str(value) for name, value in decoder.decode(payload)}
                if flags & END_STREAM:
                    ended[stream] = data.get(stream, b""), found
        return ended

    def status(self, stream: int = 1) -> tuple[int, str]:
        _, trailers = self.answers()[stream]
        return int(trailers["grpc-status"]), trailers.get("grpc-message", "")


async def echo(request: bytes, sent: Any) -> bytes:
    return b"<" + request + b">"


def framed(content: bytes, packed: int = 0) -> bytes:
    return bytes([packed]) + len(content).to_bytes(4, "big") + content


def run(main: Callable[[], Awaitable[_T]]) -> _T:
    async def whole() -> _T:
        return await main()

    return asyncio.run(whole())


def resets(client: Client) -> list[tuple[int, int]]:
    return [(stream, payload[3]) for kind, _, stream, payload in client.wire.frames() if kind == Kind.RST_STREAM]


def goodbye(client: Client) -> tuple[int, str]:
    """The code and the words of a GOAWAY."""
    (payload,) = [payload for kind, _, _, payload in client.wire.frames() if kind == Kind.GOAWAY]
    return int.from_bytes(payload[4:8], "big"), payload[8:].decode()
