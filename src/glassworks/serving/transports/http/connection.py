"""One client's connection: requests in their turn, answers in their order, deadlines, and its end."""

from __future__ import annotations

import asyncio
from typing import cast

from glassworks.serving.transports.http.exchange import Answer, Exchange, Refusal, compress
from glassworks.serving.transports.http.reader import LARGE, Reader
from glassworks.serving.transports.http.sender import Sender
from glassworks.serving.transports.http.service import Service
from glassworks.serving.transports.http.turns import Queue

_READ = memoryview(bytearray(65_536))
"""What all connections of the loop read into, each in its turn: a large body passes through it without a copy."""
_READ_HEADS, _WRONG = _READ[:16_384], 400


class Connection(asyncio.BufferedProtocol):
    """HTTP/1.1 with keep-alive and pipelining."""

    def __init__(self, service: Service) -> None:
        self._service, self._limits = service, service.limits
        self._reader = Reader(service, self._whole, self._go_on, self._hand_over)
        self._transport: asyncio.Transport
        self._sender: Sender
        self._loop = asyncio.get_running_loop()
        self._queue = Queue(service.turns)
        self._current: Exchange | None = None
        self._since = self._loop.time()
        self._closing = self._ended = self._paused = False
        self._may_begin = self._scheduled = self._streaming = self._go_on_owed = False
        self._counted_bytes = 0
        self._refused: Answer | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._sender = Sender(self._service, self._transport)
        self._service.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._service.connections.discard(self)
        self._closing = True
        self._sender.lost()
        left, self._current = self._current, None
        self._queue.clear()
        self._end_reading()
        if left is not None:
            self._service.supervisor.guard("work for a client that left", left.leave)()

    def get_buffer(self, sizehint: int) -> memoryview:
        return _READ if self._closing or (self._reader.kept_bytes and not self._service.reading.over) else _READ_HEADS

    def buffer_updated(self, nbytes: int) -> None:
        size = nbytes if self._reader.kept_bytes else self._queue.allows(nbytes)
        if size < nbytes:
            self._queue.unread += bytes(_READ[size:nbytes])
            self._pause()
        self.receive(_READ[:size])
        if self._reader.kept_bytes and self._service.reading.took(nbytes, self._resume):
            self._pause()

    def receive(self, data: bytes | memoryview) -> None:
        """Go on with what arrived; nothing of it is referred to afterwards."""
        # Others have their turn before the next request of this connection.
        self._may_begin, queue = True, self._queue
        self._feed(data)
        if queue.waiting or queue.unread or self._reader.receiving or self._counted_bytes:
            self._count()
            self._schedule()

    def _feed(self, data: bytes | memoryview) -> None:
        if self._closing or self._refused is not None:
            return
        try:
            self._reader.feed(data)
        except Refusal as refusal:
            self._refuse(refusal.answer(self._reader.target))
        except Exception as error:  # noqa: BLE001 - one connection must not end others
            self._fail("reading of requests", error)

    def _whole(self, exchange: Exchange) -> None:
        exchange.reply = self._reply
        if self._may_begin and self._current is None and not self._queue.waiting and not self._sender.paused:
            self._may_begin = False
            self._begin(exchange)
            return
        self._queue.add(exchange)
        if self._queue.full:
            self._pause()

    def _begin(self, exchange: Exchange) -> None:
        self._current = exchange
        try:
            self._service.answer(exchange)
        except Exception as error:  # noqa: BLE001 - whatever happens, the client gets an answer or the end
            self._fail("answering", error)

    def _schedule(self) -> None:
        """Begin the next of the requests that wait, when others had their turn."""
        blocked = self._scheduled or self._closing or self._current is not None or self._sender.paused
        if not blocked and (self._queue.waiting or self._queue.unread):
            self._scheduled = True
            self._service.turns.wait(self._next)

    def _next(self) -> None:
        self._scheduled = False
        if self._closing or self._current is not None or self._sender.paused:
            return
        while (part := self._queue.next_slice()) and not self._closing:
            self._feed(part)
        if self._queue.waiting and not self._closing:
            self._begin(self._queue.take())
        self._resume()
        self._count()
        self._schedule()

    def _count(self) -> None:
        """Tell the service what is kept of requests that are not whole or wait; it may call `give_up`."""
        kept = self._reader.kept_bytes + self._queue.size_bytes
        more = kept - self._counted_bytes
        if more < 0:
            self._service.receiving.released(self)
            self._counted_bytes, more = 0, kept
        if more > LARGE:
            self._counted_bytes = kept
            self._service.receiving.grown(self, more)

    def give_up(self) -> None:
        """Refuse what waits and what is being received: the service has no memory for it."""
        self._queue.clear()
        answer = Refusal(503, "too much of unfinished requests is kept; send it again later, or send less").answer()
        answer.headers.append((b"retry-after", b"1"))
        self._refuse(answer)

    def _refuse(self, answer: Answer) -> None:
        """Answer what is not read any further, behind the answers that are owed, and close."""
        if self._refused is not None or self._closing:
            return
        self._refused = answer
        self._end_reading()
        self._pause()
        if self._current is None and not self._queue.waiting:
            self._write_refusal()

    def _end_reading(self) -> bytes:
        """What was not looked at."""
        self._reader.end()
        rest, self._queue.unread = self._queue.unread, b""
        self._count()
        return rest

    def _write_refusal(self) -> None:
        if self._refused is None:
            return
        self._sender.answer(self._refused, self._service.request_id(), False)
        self._closing = True
        if self._ended:
            self._sender.close()
        else:
            self._sender.linger()
            self._transport.resume_reading()

    def _reply(self, answer: Answer) -> None:
        exchange = self._current
        if exchange is None or self._closing:
            return
        try:
            self._answer(exchange, answer)
        except Exception as error:  # noqa: BLE001 - a client that waits for ever is worse than one that is cut off
            self._fail("answering", error)

    def _answer(self, exchange: Exchange, answer: Answer) -> None:
        # Else the two hold each other, and wait for the garbage collector.
        exchange.on_gone = None
        if answer.status >= _WRONG:
            self._service.failed(exchange, answer)
        if (accepted := exchange.headers.get(b"accept-encoding")) is not None:
            compress(answer, accepted)
        keep_alive, head_only = exchange.keep_alive and not self._service.stopping, exchange.method == "HEAD"
        self._sender.answer(answer, exchange.request_id, keep_alive, head_only, exchange.plain)
        if answer.stream is None or head_only:
            self._answered(keep_alive)
            return
        self._streaming = True
        task = self._loop.create_task(self._stream(answer, keep_alive, exchange.plain))
        exchange.on_gone = task.cancel

    async def _stream(self, answer: Answer, keep_alive: bool, plain: bool) -> None:
        """Where one of the parts fails, the client sees that they are cut off."""
        try:
            await self._sender.stream(answer, plain)
            self._streaming = False
            self._answered(keep_alive and not plain)
        except Exception as error:  # noqa: BLE001 - whatever happens, the client gets an answer or the end
            self._fail("streamed answer", error)

    def _fail(self, part: str, error: Exception) -> None:
        self._service.supervisor.failed(part, error)
        self._closing = True
        self._transport.abort()

    def _answered(self, keep_alive: bool) -> None:
        self._current = None
        if keep_alive and (self._queue.waiting or self._queue.unread):
            self._schedule()
        elif self._refused is not None and keep_alive:
            self._write_refusal()
        elif self._ended or not keep_alive:
            self.close()
        self._since = self._loop.time()
        if self._reader.receiving:
            # Its time begins anew: nothing was read while answers were owed.
            self._reader.since = self._since
            self._pay_go_on()

    def _go_on(self) -> None:
        """A client waits for 100 Continue: it is sent behind the answers that are owed."""
        self._go_on_owed = True
        self._pay_go_on()

    def _pay_go_on(self) -> None:
        if self._go_on_owed and self._current is None and not self._queue.waiting:
            self._go_on_owed = False
            self._sender.go_on()

    def _hand_over(self, asked: Exchange, rest: bytes) -> bool:
        """Let another protocol go on with this connection, where one is spoken at that place."""
        if self._current is not None or self._queue.waiting or self._service.stopping:
            return False
        after = self._service.taken_over(asked)
        if after is None:
            return False
        self._service.connections.discard(self)
        self._closing = True
        rest += self._end_reading()
        self._transport.set_protocol(after)
        after.connection_made(self._transport)
        after.data_received(rest)
        if self._paused:
            self._transport.resume_reading()
        return True

    def _pause(self) -> None:
        if not self._paused:
            self._paused = True
            self._transport.pause_reading()

    def _resume(self) -> None:
        blocked = self._sender.paused or self._refused is not None or self._ended or self._closing or self._queue.full
        if self._paused and not blocked:
            self._paused = False
            self._transport.resume_reading()

    def pause_writing(self) -> None:
        """The client does not read its answers: nothing more is read from it, nor begun for it."""
        self._sender.pause()
        self._pause()

    def resume_writing(self) -> None:
        self._sender.resume()
        self._resume()
        self._schedule()

    def eof_received(self) -> bool:
        """The client sends nothing more, but may wait for what it asked for."""
        self._ended = True
        self._end_reading()
        owed = self._current is not None or bool(self._queue.waiting) or self._refused is not None
        self._sender.knock(self._may_knock)
        # With TLS there is no half of a connection.
        return owed and not self._sender.lingers and self._transport.can_write_eof()

    def _may_knock(self) -> bool:
        """Whether an answer is owed to who can read over something before it: HTTP/1.0 knows nothing like that."""
        current = self._current
        return current is not None and not self._closing and (self._streaming or not current.plain)

    def close(self) -> None:
        """End the connection; what was written is still sent."""
        self._closing = True
        self._sender.close()

    @property
    def owes(self) -> bool:
        """Whether a request that began before the service was told to stop has no answer yet, or not all of it."""
        waits = self._current is not None or self._reader.receiving or bool(self._queue.waiting or self._queue.unread)
        return self._sender.unsent or (waits and not self._reader.late and not self._closing)

    def expire(self, now: float) -> None:
        """Close when the client has been too slow for too long."""
        limits, reader, queue = self._limits, self._reader, self._queue
        idle = not (self._current or reader.receiving or queue.waiting or queue.unread)
        if self._sender.paused or self._closing:
            self._sender.expire(now)
        elif self._current is None and reader.receiving and now - reader.since > limits.receive_s:
            slow = Refusal(408, f"the request did not arrive within {limits.receive_s:g} s; send it faster")
            self._refuse(slow.answer(reader.target))
        elif idle and now - self._since > reader.idle_s:
            self.close()
