"""The calls of gRPC: which method a stream asks for, its deadline, and how failures are reported."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import re
from collections.abc import AsyncGenerator, Coroutine, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from google.protobuf.message import DecodeError

from glassworks.errors import Overloaded
from glassworks.serving.failures import status, text_of
from glassworks.serving.supervision import Supervisor
from glassworks.serving.transports.grpc.intake import Ended
from glassworks.serving.transports.grpc.methods import Method, Streamed, Unary
from glassworks.serving.transports.grpc.packing import unpacked
from glassworks.serving.transports.http.limits import Limits
from glassworks.serving.transports.http.turns import Reading
from glassworks.serving.transports.receiving import Receiving

if TYPE_CHECKING:
    from glassworks.serving.transports.grpc.stream import Stream

_INVALID, _DEADLINE, _UNIMPLEMENTED, _INTERNAL = 3, 4, 12, 13
_UNITS_S = {b"H": 3600.0, b"M": 60.0, b"S": 1.0, b"m": 1e-3, b"u": 1e-6, b"n": 1e-9}
_TIMEOUT_BYTES = 9
_CONTENT_TYPE = re.compile(rb"application/grpc([+;]|\Z)")


class Client(Protocol):
    """A connection, as the server ends it: see `connection.Connection`."""

    def drain(self) -> None: ...

    def close(self) -> None: ...

    def expire(self, now: float) -> None: ...


class Calls:
    """Begins the call of each stream. Methods are found by their path, `/package.Service/Method`."""

    def __init__(
        self,
        methods: Mapping[bytes, Method],
        limits: Limits,
        receiving: Receiving | None = None,
        supervisor: Supervisor | None = None,
        reading: Reading | None = None,
    ) -> None:
        """`receiving` bounds what all connections keep, and `reading` their turns, over other transports too."""
        self._methods, self.limits = methods, limits
        self.receiving = receiving or Receiving(limits.max_receiving_bytes)
        self.supervisor = supervisor or Supervisor()
        self.reading = reading or Reading(self.supervisor)
        self.connections: set[Client] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def max_message_bytes(self) -> int:
        """Of one message, compressed or not."""
        return self.limits.max_body_bytes

    def begin(self, stream: Stream) -> None:
        """Take a call whose metadata have arrived. Raises Ended."""
        headers = stream.headers
        path = headers.get(b":path", b"")
        method = self._methods.get(path)
        if headers.get(b":method") != b"POST":
            stream.refuse(405)
            return
        sent = headers.get(b"content-type", b"")
        if sent != b"application/grpc" and _CONTENT_TYPE.match(sent) is None:
            stream.refuse(415)
            return
        if method is None:
            raise Ended(_UNIMPLEMENTED, f"there is no method {path[:200].decode('latin-1')}")
        timeout = headers.get(b"grpc-timeout")
        timeout_s = None if timeout is None else _seconds(timeout)
        if method.permit is not None:
            try:
                method.permit(headers)
            except Exception as error:  # noqa: BLE001 - whatever happens, the client gets a status and a text
                fail(stream, error)
                return
        stream.method = method
        if timeout_s is not None:
            stream.timer = asyncio.get_running_loop().call_later(timeout_s, _over, stream)
        if method.streamed is not None:
            stream.streamed = True
            self._run(stream, _stream(stream, method, method.streamed))

    def answer(self, stream: Stream, packed: int, message: bytes) -> None:
        """Answer the only message of a call."""
        method = stream.method
        if method is None:
            return
        try:
            if packed:
                self._run(stream, self._unpacked(stream, packed, message))
            elif method.direct is not None:
                answer = functools.partial(_answer, stream, method)
                request = _read(method, message)
                stream.cancel = method.direct(request, stream.headers, answer, functools.partial(fail, stream))
            elif method.unary is not None:
                self._run(stream, _unary(stream, method, method.unary, _read(method, message)))
        except Exception as error:  # noqa: BLE001 - whatever happens, the client gets a status and a text
            fail(stream, error)

    async def _unpacked(self, stream: Stream, packed: int, message: bytes) -> None:
        try:
            plain = await unpacked(packed, message, stream.headers, self.max_message_bytes)
            stream.cancel = None
            self.answer(stream, 0, plain)
        except Exception as error:  # noqa: BLE001 - whatever happens, the client gets a status and a text
            fail(stream, error)

    def _run(self, stream: Stream, work: Coroutine[Any, Any, None]) -> None:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work)
        stream.cancel = task.cancel
        # The loop itself holds tasks only weakly.
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _answer(stream: Stream, method: Method, response: Any) -> None:
    stream.answer(method.write(response))


async def _stream(stream: Stream, method: Method, streamed: Streamed) -> None:
    intake = stream.intake

    async def requests() -> AsyncGenerator[Any, None]:
        while (found := await intake.next(stream)) is not None:
            packed, message = found
            if packed:
                message = await unpacked(packed, message, stream.headers, intake.max_message_bytes)
            yield _read(method, message)

    try:
        async with contextlib.aclosing(requests()) as sent, contextlib.aclosing(streamed(sent, stream.headers)) as made:
            async for response in made:
                await stream.send(method.write(response))
        stream.end()
    except Exception as error:  # noqa: BLE001 - whatever happens, the client gets a status and a text
        fail(stream, error)


async def _unary(stream: Stream, method: Method, call: Unary, request: Any) -> None:
    try:
        stream.answer(method.write(await call(request, stream.headers)))
    except Exception as error:  # noqa: BLE001 - whatever happens, the client gets a status and a text
        fail(stream, error)


def _read(method: Method, message: bytes) -> Any:
    try:
        return method.read(message)
    except DecodeError:
        raise Ended(_INTERNAL, "the message cannot be decoded; send the protocol's own") from None


def _seconds(timeout: bytes) -> float:
    """What grpc-timeout says. Raises Ended."""
    unit = _UNITS_S.get(timeout[-1:])
    # Of bytes, `isdigit` knows the ASCII digits only.
    if unit is None or not timeout[:-1].isdigit() or len(timeout) > _TIMEOUT_BYTES:
        shown = timeout[:40].decode("latin-1")
        raise Ended(_INVALID, f"grpc-timeout is {shown!r}; send a number of at most eight digits and its unit")
    return int(timeout[:-1]) * unit


def _over(stream: Stream) -> None:
    """End the call when the deadline of its client is over. The client does the same: this frees what works for it."""
    if not stream.closed:
        stream.give_up(_DEADLINE, "the deadline is over; send the call again, or give it more time")


def fail(stream: Stream, error: Exception) -> None:
    """End a call with what went wrong: our own errors say it, others only get a number to look up."""
    if isinstance(error, Ended):
        stream.end(error.status, error.text, error.more)
        return
    more = [(b"retry-after", b"%d" % error.retry_after_s)] if isinstance(error, Overloaded) else []
    stream.end(status(error).grpc, text_of(error), more)
