"""The way back to one client: answers, streams no faster than it reads, and whether it reads at all."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from glassworks.serving.transports.http.exchange import Answer, rendered_head

if TYPE_CHECKING:
    from collections.abc import Callable

    from glassworks.serving.transports.http.service import Service

_SAME_WRITE = 65_536
"""Bytes; a larger body is handed over beside its head rather than copied behind it."""
_LINGER_S = 2.0
_KNOCK_S, _SELDOM_S = 0.03, 1.0
"""Before the first look at whether the client is there, and at most between two."""
_GO_ON = b"HTTP/1.1 100 Continue\r\n\r\n"
_PROGRESS = 65_536
"""Bytes that a client must take of its answers within `receive_s`."""


class Sender:
    """Writes to a transport; `paused` while the client does not take what was written."""

    def __init__(self, service: Service, transport: asyncio.Transport) -> None:
        self._service, self._transport = service, transport
        self._loop = asyncio.get_running_loop()
        self.paused = self.lingers = False
        self._since = 0.0
        self._unsent_bytes = 0
        self._writable: asyncio.Future[None] | None = None
        self._filler = _GO_ON

    @property
    def unsent(self) -> bool:
        """Whether the client has not taken all that was written."""
        return self._transport.get_write_buffer_size() > 0

    def answer(
        self, answer: Answer, request_id: bytes, keep_alive: bool, head_only: bool = False, plain: bool = False
    ) -> None:
        """Head and body; only the head of a stream."""
        body, head = answer.body, rendered_head(answer, request_id, self._service.date, keep_alive, plain)
        if head_only or not body:
            self._transport.write(head)
        elif len(body) < _SAME_WRITE:
            self._transport.write(head + body)
        else:
            self._transport.writelines([head, body])

    def go_on(self) -> None:
        """An interim answer: send on."""
        self._transport.write(_GO_ON)

    def knock(self, owes: Callable[[], bool], after_s: float = _KNOCK_S) -> None:
        """See again and again whether a client that ended its side is there, as long as an answer is owed.

        Who left altogether looks like who sends nothing more, until something is sent, and that twice: the first is
        answered by a reset, the second one fails. Clients read over what is sent.
        """
        self._loop.call_later(after_s, self._knock, owes, min(2 * after_s, _SELDOM_S))

    def _knock(self, owes: Callable[[], bool], after_s: float) -> None:
        if owes():
            if self._filler and not self.paused:
                self._transport.write(self._filler)
            self.knock(owes, after_s)

    async def stream(self, answer: Answer, plain: bool) -> None:
        """Send its parts as they come, as chunks unless `plain`; they are closed at the end, whatever it is."""
        filler, parts = answer.filler, answer.stream
        if parts is None:
            return
        self._filler = filler if plain or not filler else b"%x\r\n%b\r\n" % (len(filler), filler)
        async with contextlib.aclosing(parts):
            async for part in parts:
                if part:
                    self._transport.write(part if plain else b"%x\r\n%b\r\n" % (len(part), part))
                if self.paused:
                    self._writable = self._loop.create_future()
                    await self._writable
        if not plain:
            self._transport.write(b"0\r\n\r\n")
        self._filler = _GO_ON

    def pause(self) -> None:
        self.paused = True
        self._mark(self._loop.time())

    def resume(self) -> None:
        self.paused = False
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)

    def lost(self) -> None:
        """Nobody waits for the rest of a stream."""
        if self._writable is not None and not self._writable.done():
            self._writable.cancel()

    def close(self) -> None:
        """What was written is still sent."""
        self._mark(self._loop.time())
        self._transport.close()

    def linger(self) -> None:
        """Say that nothing more comes, and wait a little for the client to end its side.

        It may still be sending: closing now would reset the connection, and the client would not see the answer.
        """
        if not self._transport.can_write_eof():
            self.close()
            return
        self._mark(self._loop.time())
        self.lingers = True
        self._transport.write_eof()

    def expire(self, now: float) -> None:
        """Cut off a client that was sent the end, or took too little of what waits for it for too long."""
        unsent, waited = self._transport.get_write_buffer_size(), now - self._since
        if self._unsent_bytes - unsent >= _PROGRESS:
            self._mark(now)
        elif waited > (_LINGER_S if self.lingers and not unsent else self._service.limits.receive_s):
            self._transport.abort()

    def _mark(self, now: float) -> None:
        self._since, self._unsent_bytes = now, self._transport.get_write_buffer_size()
