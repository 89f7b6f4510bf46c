"""One client's connection: requests as they arrive, answers in their order, limits and deadlines."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, cast

import httptools
import msgspec

from glassworks.serving.http.exchange import Answer, Body, Exchange, compressed, rendered_head, too_large
from glassworks.serving.http.service import Service

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_SAME_WRITE = 65_536
"""Bytes; a larger body is handed over beside its head rather than copied behind it."""
_READ = memoryview(bytearray(65_536))
"""What all connections of the loop read into, each in its turn: a large body passes through it without a copy."""
_QUEUED = 16
"""Pipelined requests that are read ahead of their turn."""


class Connection(asyncio.BufferedProtocol):
    """HTTP/1.1 with keep-alive and pipelining. Methods named `on_...` are called by the parser."""

    def __init__(self, service: Service) -> None:
        self._service, self._limits = service, service.limits
        # Released when the connection ends: the two hold each other.
        self._parser: Any = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[Exchange] = deque()
        self._current: Exchange | None = None
        self._since = self._loop.time()
        self._receiving = self._closing = self._paused = self._writing_paused = self._late = self._in_head = False
        self._writable: asyncio.Future[None] | None = None
        self._refused: Answer | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._service.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._service.connections.discard(self)
        self._closing = True
        if self._writable is not None and not self._writable.done():
            self._writable.cancel()
        for exchange in (self._current, *self._waiting):
            if exchange is not None:
                exchange.leave()
        self._current = None
        self._waiting.clear()
        self._parser = None

    def get_buffer(self, sizehint: int) -> memoryview:
        return _READ

    def buffer_updated(self, nbytes: int) -> None:
        self.receive(_READ[:nbytes])

    def receive(self, data: bytes | memoryview) -> None:
        """Go on with what arrived; nothing of it is referred to afterwards."""
        if self._closing:
            return
        try:
            self._parser.feed_data(data)
            if self._in_head:
                self._head_bytes += len(data)
                if self._head_bytes > self._limits.max_header_bytes:
                    self._refuse_head()
        except httptools.HttpParserUpgrade as upgrade:
            if self._hand_over(bytes(data[upgrade.args[0] :])):
                return
            # The parser would not read a body behind such a head: read it again as the plain request it may be.
            head = self._plain_head()
            self._parser = httptools.HttpRequestParser(self)
            self.receive(head + bytes(data[upgrade.args[0] :]))
        except httptools.HttpParserError as error:
            cause = error.__context__ if isinstance(error, httptools.HttpParserCallbackError) else None
            if self._refused is None:
                text = str(cause or error)[:200]
                self._refuse(400, f"this is not valid HTTP/1.1: {text}; send a well-formed request")

    def _hand_over(self, rest: bytes) -> bool:
        """Let another protocol go on with this connection, where one is spoken at that place."""
        asked = Exchange(self._parser.get_method().decode("ascii"), self._target, self._headers, b"")
        old = self._parser.get_http_version() == "1.0"  # knows no upgrades
        after = None if old or self._current or self._service.stopping else self._service.taken_over(asked)
        if after is None:
            return False
        self._service.connections.discard(self)
        self._closing, self._parser = True, None
        self._transport.set_protocol(after)
        after.connection_made(self._transport)
        after.data_received(rest)
        return True

    def _plain_head(self) -> bytes:
        first = b"%b %b HTTP/1.1" % (self._parser.get_method(), self._target)
        kept = (each for each in self._headers.items() if each[0] not in (b"upgrade", b"connection"))
        return b"\r\n".join([first, *(b"%b: %b" % each for each in kept)]) + b"\r\n\r\n"

    def on_message_begin(self) -> None:
        self._receiving = True
        self._since = self._loop.time()
        self._late = self._service.stopping
        self._target = b""
        self._headers: dict[bytes, bytes] = {}
        self._header_count = 0
        self._in_head = True
        self._head_bytes = 0
        self._body: Body = b""
        self._filled = 0

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.lower()] = value
        self._header_count += 1

    def on_headers_complete(self) -> None:
        headers = self._headers
        self._in_head = False
        size = len(self._target) + sum(map(len, headers.values()))
        if self._header_count > self._limits.max_headers or size > self._limits.max_header_bytes:
            self._refuse_head()
        length = headers.get(b"content-length")
        if length is not None and b"transfer-encoding" not in headers:
            size = int(length)
            if size > self._limits.max_body_bytes:
                self._refuse_body()
                return
            if size > _SAME_WRITE:
                self._body = bytearray(size)
        if headers.get(b"expect", b"").lower() == b"100-continue" and self._refused is None:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        filled = self._filled
        self._filled = filled + len(body)
        if isinstance(self._body, bytearray) and self._filled <= len(self._body):
            self._body[filled : self._filled] = body
        elif not filled:
            self._body = body
        else:
            # The length was not told: it grows with what comes.
            self._body = bytearray(self._body) if isinstance(self._body, bytes) else self._body
            self._body += body
        if self._filled > self._limits.max_body_bytes:
            self._refuse_body()

    def on_message_complete(self) -> None:
        if self._refused is not None or self._parser.should_upgrade():
            return
        self._receiving = False
        exchange = Exchange(self._parser.get_method().decode("ascii"), self._target, self._headers, self._body)
        self._body = b""
        exchange.reply = self._reply
        exchange.keep_alive = self._parser.should_keep_alive()
        exchange.max_body_bytes = self._limits.max_body_bytes
        exchange.request_id = self._service.request_id(self._headers.get(b"x-request-id", b""))
        exchange.late = self._late
        if self._current is not None:
            self._waiting.append(exchange)
            if len(self._waiting) >= _QUEUED:
                self._pause()
            return
        self._current = exchange
        self._service.answer(exchange)

    def _refuse_head(self) -> None:
        limits = self._limits
        self._refuse(
            431,
            f"the request has more than {limits.max_headers} headers or {limits.max_header_bytes} bytes of them; "
            "send fewer and shorter headers",
        )

    def _refuse_body(self) -> None:
        error = too_large(self._limits.max_body_bytes)
        self._refuse(413, f"{error.problem}; {error.mend}")

    def _refuse(self, status: int, problem: str) -> None:
        """Answer what cannot be read any further, behind the answers that are owed, and close."""
        if self._refused is not None or self._closing:
            return
        self._refused = Answer(msgspec.json.encode({"error": problem}), status)
        self._body = b""
        self._pause()
        if self._current is None:
            self._write_refusal()

    def _write_refusal(self) -> None:
        if self._refused is not None:
            self._write(self._refused, b"", False, False)
            self.close()

    def _reply(self, answer: Answer) -> None:
        exchange = self._current
        if exchange is None or self._closing:
            return
        keep_alive = exchange.keep_alive and not self._service.stopping
        # What waits for the client to leave holds the exchange: together they would wait for the garbage collector.
        exchange.on_gone = None
        accepted = exchange.headers.get(b"accept-encoding")
        if accepted is not None:
            compressed(answer, accepted)
        self._write(answer, exchange.request_id, keep_alive, exchange.method == "HEAD")
        if answer.stream is None or exchange.method == "HEAD":
            self._answered(keep_alive)
            return
        task = self._loop.create_task(self._send(answer.stream, keep_alive))
        exchange.on_gone = task.cancel

    def _write(self, answer: Answer, request_id: bytes, keep_alive: bool, head_only: bool) -> None:
        body, head = answer.body, rendered_head(answer, request_id, keep_alive)
        if head_only or not body:
            self._transport.write(head)
        elif len(body) < _SAME_WRITE:
            self._transport.write(head + body)
        else:
            self._transport.writelines([head, body])

    async def _send(self, stream: AsyncIterator[bytes], keep_alive: bool) -> None:
        """Chunks as they come, no faster than the client reads."""
        async for part in stream:
            if part:
                self._transport.write(b"%x\r\n%b\r\n" % (len(part), part))
            if self._writing_paused:
                self._writable = self._loop.create_future()
                await self._writable
        self._transport.write(b"0\r\n\r\n")
        self._answered(keep_alive)

    def _answered(self, keep_alive: bool) -> None:
        self._current = None
        if not keep_alive:
            self.close()
        elif self._waiting:
            # Not at once: the answers of many pipelined requests must not nest.
            self._loop.call_soon(self._next)
        elif self._refused is not None:
            self._write_refusal()
        if not self._receiving:
            self._since = self._loop.time()

    def _next(self) -> None:
        if self._closing or self._current is not None or not self._waiting:
            return
        self._current = self._waiting.popleft()
        if self._paused and self._refused is None and not self._writing_paused:
            self._paused = False
            self._transport.resume_reading()
        self._service.answer(self._current)

    def _pause(self) -> None:
        if not self._paused:
            self._paused = True
            self._transport.pause_reading()

    def pause_writing(self) -> None:
        """The client does not read its answers: nothing more is read from it."""
        self._writing_paused = True
        self._since = self._loop.time()
        self._pause()

    def resume_writing(self) -> None:
        self._writing_paused = False
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        if self._paused and self._refused is None and len(self._waiting) < _QUEUED:
            self._paused = False
            self._transport.resume_reading()

    def close(self) -> None:
        """End the connection; what was written is still sent."""
        self._closing = True
        self._transport.close()

    @property
    def owes(self) -> bool:
        """Whether a request that began before the service was told to stop has no answer yet."""
        in_flight = self._current is not None or bool(self._waiting) or self._receiving
        return in_flight and not self._late and not self._closing

    def expire(self, now: float) -> None:
        """Close when the client has been too slow for too long."""
        waited = now - self._since
        if self._writing_paused or (self._closing and waited > self._limits.receive_s):
            if waited > self._limits.receive_s:
                self._transport.abort()
        elif self._current is None and self._receiving and waited > self._limits.receive_s:
            self._refuse(408, f"the request did not arrive within {self._limits.receive_s:g} s; send it faster")
        elif self._current is None and not self._receiving and waited > self._limits.idle_s:
            self.close()
