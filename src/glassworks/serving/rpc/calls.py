"""The calls of gRPC: which method a stream asks for, its deadline, and how failures are told."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from google.protobuf.message import DecodeError

from glassworks.errors import (
    DeadlineExceeded,
    Forbidden,
    GlassworksError,
    InputError,
    LimitExceeded,
    NotFound,
    Overloaded,
    Unauthenticated,
    Unsupported,
)
from glassworks.serving.app import text_of, unexpected

if TYPE_CHECKING:
    from glassworks.serving.rpc.connection import Connection
    from glassworks.serving.rpc.stream import Stream

Sent = Mapping[bytes, bytes]
Unary = Callable[[Any, Sent], Awaitable[Any]]
Streamed = Callable[[AsyncIterator[Any], Sent], AsyncIterator[Any]]
Direct = Callable[[Any, Sent, Callable[[Any], None], Callable[[Exception], None]], Callable[[], object] | None]
"""Takes message, metadata, and where to bring the answer or the error; gives what cancels the work."""

_CANCELLED, _INVALID, _DEADLINE, _UNIMPLEMENTED, _INTERNAL = 1, 3, 4, 12, 13
_CODES: tuple[tuple[type[GlassworksError], int], ...] = (
    (NotFound, 5), (Unauthenticated, 16), (Forbidden, 7), (Unsupported, _INVALID), (InputError, _INVALID),
    (LimitExceeded, 8), (Overloaded, 14), (DeadlineExceeded, _DEADLINE),
)  # fmt: skip
_UNITS_S = {"H": 3600.0, "M": 60.0, "S": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}


@dataclass(frozen=True, kw_only=True)
class Method:
    """A method: one of its three kinds of handler, and how its messages are read and written."""

    read: Callable[[bytes], Any]
    write: Callable[[Any], bytes]
    unary: Unary | None = None
    streamed: Streamed | None = None
    direct: Direct | None = None


class Calls:
    """Begins the call of each stream. Methods are found by their path, `/package.Service/Method`."""

    def __init__(self, methods: Mapping[bytes, Method], max_message_bytes: int) -> None:
        self._methods, self.max_message_bytes = methods, max_message_bytes
        self.connections: set[Connection] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, stream: Stream) -> None:
        """Take a call whose metadata have arrived."""
        headers = stream.headers
        method = self._methods.get(headers.get(b":path", b""))
        if not headers.get(b"content-type", b"").startswith(b"application/grpc"):
            stream.end(_UNIMPLEMENTED, "this port speaks gRPC only")
        elif method is None:
            stream.end(_UNIMPLEMENTED, f"there is no method {headers.get(b':path', b'')[:200].decode('latin-1')}")
        elif method.streamed is not None:
            self._stream(stream, method, method.streamed)
        else:
            _one(stream, functools.partial(self._answer, stream, method))
        timeout = headers.get(b"grpc-timeout")
        if timeout is not None and not stream.closed:
            _expire(stream, timeout.decode("latin-1"))

    def _answer(self, stream: Stream, method: Method, message: bytes) -> None:
        sent = stream.headers
        try:
            request = method.read(message)
        except DecodeError:
            stream.end(_INTERNAL, "the message cannot be decoded; send the protocol's own")
            return
        if method.direct is not None:

            def answer(response: Any) -> None:
                stream.answer(method.write(response))

            try:
                stream.cancel = method.direct(request, sent, answer, functools.partial(fail, stream))
            except Exception as error:  # noqa: BLE001 - whatever happens, the client gets a status and a text
                fail(stream, error)
        elif method.unary is not None:
            self._run(stream, _unary(stream, method.unary, method.write, request, sent))

    def _stream(self, stream: Stream, method: Method, streamed: Streamed) -> None:
        arrived: asyncio.Queue[bytes | None] = asyncio.Queue()
        stream.on_message = arrived.put_nowait
        stream.on_end = functools.partial(arrived.put_nowait, None)

        async def requests() -> AsyncIterator[Any]:
            while (message := await arrived.get()) is not None:
                yield method.read(message)

        async def run() -> None:
            try:
                async for response in streamed(requests(), stream.headers):
                    stream.send(method.write(response))
                stream.end()
            except DecodeError:
                stream.end(_INTERNAL, "a message cannot be decoded; send the protocol's own")
            except Exception as error:  # noqa: BLE001 - whatever happens, the client gets a status and a text
                fail(stream, error)

        self._run(stream, run())

    def _run(self, stream: Stream, work: Any) -> None:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work)
        stream.cancel = task.cancel
        # The loop itself holds tasks only weakly.
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _unary(stream: Stream, call: Unary, write: Callable[[Any], bytes], request: Any, sent: Sent) -> None:
    try:
        response = await call(request, sent)
    except Exception as error:  # noqa: BLE001 - whatever happens, the client gets a status and a text
        fail(stream, error)
    else:
        stream.answer(write(response))


def _one(stream: Stream, answer: Callable[[bytes], None]) -> None:
    """A call of exactly one message, which is answered when the client has ended its side."""
    messages: list[bytes] = []
    stream.on_message = messages.append

    def end() -> None:
        if len(messages) == 1:
            answer(messages[0])
        else:
            stream.end(_UNIMPLEMENTED, f"the method takes one message, {len(messages)} came")

    stream.on_end = end


def _expire(stream: Stream, text: str) -> None:
    """End the call when the deadline of its client is over. The client does the same: this frees what works for it."""
    unit = _UNITS_S.get(text[-1:])
    if unit is None or not text[:-1].isdigit() or len(text) > 9:
        stream.end(_INVALID, f"grpc-timeout is {text[:40]!r}; send a number of at most eight digits and its unit")
        return

    def over() -> None:
        if not stream.closed:
            cancel, stream.cancel = stream.cancel, None
            stream.end(_DEADLINE, "the deadline is over; send the call again, or give it more time")
            if cancel is not None:
                cancel()

    asyncio.get_running_loop().call_later(int(text[:-1]) * unit, over)


def fail(stream: Stream, error: Exception) -> None:
    """End a call with what went wrong: our own errors say it, others only get a number to look up."""
    if not isinstance(error, GlassworksError):
        stream.end(_INTERNAL, unexpected(error))
        return
    code = next((code for kind, code in _CODES if isinstance(error, kind)), _INTERNAL)
    more = [(b"retry-after", b"%d" % error.retry_after_s)] if isinstance(error, Overloaded) else []
    stream.end(code, text_of(error), more)
