"""Frames over a WebSocket: the newest one is answered next, those that waited too long are dropped and counted.

A client sends picture files, one a binary message. For each that is answered it gets a text message, JSON with `frame`
(its number, from 0), `dropped` (all so far), `milliseconds` and `answer` or `error`; behind an answer a binary message
with the picture to look at, unless it asked for none. One frame is computed at a time and at most one waits, so no
answer is older than two frames take.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, cast

import msgspec

from glassworks.catalog import require
from glassworks.serving.failures import text_of

if TYPE_CHECKING:
    from websockets.frames import Frame
    from websockets.http11 import Request

    from glassworks.serving.transports.http.exchange import Exchange
    from glassworks.serving.transports.http.service import Service

    Look = Callable[[bytes], Awaitable[tuple[dict[str, Any], bytes | None]]]
    """The answer for a picture file in words, and as a picture."""

_GOING_AWAY, _UNSUPPORTED, _POLICY, _INTERNAL, _TRY_LATER = 1001, 1003, 1008, 1011, 1013
_SLICE = 4096
"""Bytes that are read between two looks at how much came of them."""
_FRAMES_A_TURN = 64
"""Frames of one client that are worked off before all others have their turn: 4 KiB may hold 680 of them."""
_EMPTY_PARTS = 64
"""Fragments of a message that hold nothing; more of them are no way to send a picture."""
_PART = "frame stream"


class FrameStream(asyncio.Protocol):
    """One connection from the moment at which it became a WebSocket.

    While its client does not read, nothing is read from it: answers to its pings and frames never pile up. What has
    arrived and has not begun to be computed counts as received (`Receiving`), of all streams together.
    """

    def __init__(self, service: Service, look: Look, drop: Callable[[], object], opening: Exchange) -> None:
        """`look` answers a frame, and `drop` counts one that waited too long; `opening` is the request that asked for
        the stream."""
        require(("websockets",), "streaming frames", extra="video")
        from websockets.server import ServerProtocol

        self._service, self._look, self._drop_one = service, look, drop
        self._loop, self._limits = asyncio.get_running_loop(), service.limits
        self._socket = ServerProtocol(max_size=service.limits.max_body_bytes)
        self._opening = opening
        self._transport: Any = None
        self._unread, self._message = bytearray(), bytearray()
        self._fragmented, self._empty_parts, self._partial_bytes, self._kept_bytes = False, 0, 0, 0
        self._waiting: tuple[int, bytes] | None = None
        self._task: asyncio.Task[None] | None = None
        self._count = self.dropped = 0
        self._writable = asyncio.Event()
        self._writable.set()
        self._ended = self._ending = self._reading_paused = self._scheduled = self._turn_over = False
        self._since = self._loop.time()
        self._begun: float | None = None
        """Since when a message has been arriving."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The request that opened it is answered."""
        self._transport = transport
        self._service.connections.add(self)
        head = [b"GET %b HTTP/1.1" % self._opening.target]
        head += [b"%b: %b" % each for each in self._opening.headers.items()]
        self._socket.receive_data(b"\r\n".join(head) + b"\r\n\r\n")
        for request in self._socket.events_received():
            self._socket.send_response(self._socket.accept(cast("Request", request)))
        self._flush()

    def data_received(self, data: bytes) -> None:
        """Go on with what arrived."""
        if not self._ending:
            self._since = self._loop.time()
            self._unread += data
            self._read()
            if self._service.reading.took(len(data), self._read):
                self._turn_over = True
                self._read_on()

    def eof_received(self) -> None:
        """Nobody is there any longer who would read an answer: the transport closes."""
        if not self._ended:
            self._socket.receive_eof()
            self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended = True
        self._service.connections.discard(self)
        self._drop()
        if self._task is not None:
            self._task.cancel()

    def pause_writing(self) -> None:
        """The client does not read: nothing more is computed for it, and nothing read from it."""
        self._writable.clear()
        self._since = self._loop.time()
        self._read_on()

    def resume_writing(self) -> None:
        self._writable.set()
        self._since = self._loop.time()
        self._read_later()

    @property
    def owes(self) -> bool:
        """A frame that began is answered before the service ends."""
        return self._task is not None and not self._ending

    def close(self) -> None:
        """Say that the service ends."""
        self._fail(_GOING_AWAY, "the service is stopping")
        if not self._ended:
            self._transport.close()

    def expire(self, now: float) -> None:
        """Close where nothing was sent for long; end what does not read, does not close, or sends too slowly."""
        slow_s = self._limits.receive_s
        if self._ending or not self._writable.is_set():
            if now - self._since > slow_s:
                self._transport.abort()
        elif self._begun is not None and now - self._begun > slow_s:
            self._fail(_POLICY, f"a frame did not arrive within {slow_s:g} s")
        elif self._task is None and now - self._since > self._limits.idle_s:
            self._fail(_GOING_AWAY, "nothing was sent for long")

    def give_up(self) -> None:
        """Refuse what is being received: others' requests together need the memory."""
        self._fail(_TRY_LATER, "too much is being received; try again later")

    def _read(self) -> None:
        """Work off some of what arrived, and the rest in a later turn of the loop."""
        frames, self._scheduled, self._turn_over = 0, False, False
        try:
            while self._unread and frames < _FRAMES_A_TURN and self._writable.is_set():
                data = bytes(self._unread[:_SLICE])
                del self._unread[:_SLICE]
                frames += self._receive(data)
                self._flush()
        except Exception as error:  # noqa: BLE001 - whatever fails here costs this connection alone, and is reported
            self._service.supervisor.failed(_PART, error)
            self._fail(_INTERNAL, "the frame could not be read")
        if self._unread and self._writable.is_set():
            self._read_later()
        self._read_on()

    def _read_later(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._read)

    def _receive(self, data: bytes) -> int:
        """Read on; how many frames that completed."""
        self._socket.receive_data(data)
        self._partial_bytes += len(data)
        frames = cast("list[Frame]", self._socket.events_received())
        for frame in frames:
            self._partial_bytes -= _size(frame)
            self._took(frame)
        unfinished = self._fragmented or self._partial_bytes > 0
        self._begun = (self._begun or self._loop.time()) if unfinished and not self._ending else None
        self._hold()
        return len(frames)

    def _took(self, frame: Frame) -> None:
        from websockets.frames import Opcode

        if self._ending or frame.opcode not in (Opcode.BINARY, Opcode.TEXT, Opcode.CONT):
            return
        if frame.opcode is Opcode.TEXT:
            self._fail(_UNSUPPORTED, "frames are picture files, in binary messages")
            return
        self._empty_parts += not frame.data and not frame.fin
        if self._empty_parts > _EMPTY_PARTS:
            self._fail(_POLICY, "too many empty fragments")
            return
        self._message += frame.data
        self._fragmented = not frame.fin
        if frame.fin:
            file, self._message, self._empty_parts, self._begun = bytes(self._message), bytearray(), 0, None
            self._arrived(file)

    def _read_on(self) -> None:
        """Read from the socket or not, as things are."""
        pause = self._turn_over or bool(self._unread) or not self._writable.is_set()
        if pause == self._reading_paused or self._ended or self._transport.is_closing():
            return
        self._reading_paused = pause
        if pause:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def _hold(self) -> None:
        """Tell how much is kept of what has arrived."""
        kept = len(self._message) + max(self._partial_bytes, 0) + (len(self._waiting[1]) if self._waiting else 0)
        if kept < self._kept_bytes or self._ending:
            self._service.receiving.released(self)
            self._kept_bytes = 0
        if kept > self._kept_bytes and not self._ending:
            grown, self._kept_bytes = kept - self._kept_bytes, kept
            self._service.receiving.grown(self, grown)

    def _drop(self) -> None:
        """Nothing that arrived is needed any longer."""
        self._ending, self._waiting, self._begun = True, None, None
        self._unread, self._message, self._kept_bytes = bytearray(), bytearray(), 0
        self._service.receiving.released(self)

    def _fail(self, code: int, reason: str) -> None:
        """Say why, and end the connection once what was written is sent; in any state, and as often as it is called."""
        from websockets.protocol import State

        if self._ended or self._ending:
            return
        self._drop()
        self._since = self._loop.time()
        if self._socket.state is State.OPEN:
            self._socket.fail(code, reason)
        self._flush()

    def _arrived(self, file: bytes) -> None:
        if self._waiting is not None:
            self.dropped += 1
            self._drop_one()
        self._waiting = (self._count, file)
        self._count += 1
        if self._task is None:
            self._task = self._loop.create_task(self._work())

    async def _work(self) -> None:
        try:
            while self._waiting is not None:
                await self._writable.wait()
                await self._next()
        except Exception as error:  # noqa: BLE001 - whatever fails, the client gets the error and nobody else notices
            self._service.supervisor.failed(_PART, error)
            self._fail(_INTERNAL, "the frame could not be answered")
        finally:
            self._task = None

    async def _next(self) -> None:
        if self._waiting is not None:  # while it waited, the connection may have ended
            (number, file), self._waiting = self._waiting, None
            self._hold()
            await self._answer(number, file)

    async def _answer(self, number: int, file: bytes) -> None:
        start, shown = time.perf_counter(), None
        message: dict[str, Any] = {"frame": number}
        try:
            message["answer"], shown = await self._look(file)
        except Exception as error:  # noqa: BLE001 - a frame that cannot be answered costs only itself
            message["error"] = text_of(error)
        if self._ending:
            return
        message |= {"dropped": self.dropped, "milliseconds": round(1e3 * (time.perf_counter() - start), 3)}
        self._socket.send_text(msgspec.json.encode(message))
        if shown is not None:
            self._socket.send_binary(shown)
        self._flush()

    def _flush(self) -> None:
        """Write what is to be sent. Behind a failure the client closes: what it still sends is thrown away until then,
        so that it gets to know why."""
        parts = self._socket.data_to_send()
        if self._ended or self._transport.is_closing():
            return
        if data := b"".join(parts):
            self._transport.write(data)
        if self._socket.close_expected():
            if not self._ending:
                self._since = self._loop.time()
                self._drop()
            if self._socket.close_rcvd is not None or not self._transport.can_write_eof():
                self._transport.close()
            elif b"" in parts:
                self._transport.write_eof()


def _size(frame: Frame) -> int:
    """Bytes of a client's frame: its head, its mask, and what it holds."""
    length = len(frame.data)
    return 6 + length + (0 if length < 126 else 2 if length < 65_536 else 8)
