"""gRPC over HTTP/2 on one connection: bytes become frames, a bounded number in a turn, within the times allowed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from glassworks.serving.transports.grpc.frames import HEAD_BYTES, PREFACE, Broken, Code, Kind, frame, parse_head
from glassworks.serving.transports.grpc.intake import Intake
from glassworks.serving.transports.grpc.patience import Patience
from glassworks.serving.transports.grpc.session import FRAME_BYTES, GREETING, Session
from glassworks.serving.transports.grpc.stream import Sender
from glassworks.serving.transports.grpc.streams import Streams

if TYPE_CHECKING:
    from glassworks.serving.transports.grpc.calls import Calls
    from glassworks.serving.transports.grpc.stream import Stream

_TURN = 64
"""Frames that are handled before others have their turn; headers count by their size, too."""
_HEADERS_UNIT = 8
"""Bits of the bytes of headers that count as much as a frame."""
_LARGE = 16_384
"""Bytes that came at once and are counted: parts of large messages."""
_SWEEPS_RENEW = 10
_DATA = int(Kind.DATA)


class Connection(asyncio.Protocol):
    """One client. `calls` gets each call that begins."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._transport: asyncio.Transport
        self._rest = bytearray()
        self._greeted = self._closing = self._busy = False
        self._waits_since: float | None = None
        """Since when nothing is open, or nothing is read by the client, as far as a sweep has seen it."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._patience = Patience()
        self._sender = Sender(self._transport, self._patience, self._finished, self._break)
        self._intake = Intake(self._calls.max_message_bytes, self._calls.receiving, self, self._sender.control)
        self._streams = Streams(self._sender, self._intake, self._patience)
        self._session = Session(self._calls, self._streams, self._sender, self._intake, self._patience)
        self._calls.connections.add(self)
        self._transport.write(GREETING)

    def connection_lost(self, exc: Exception | None) -> None:
        self._closing = True
        self._calls.connections.discard(self)
        for stream in list(self._streams.live.values()):
            self._streams.forget(stream)
        self._calls.receiving.released(self)
        self._sender.close()
        self._rest = bytearray()

    def data_received(self, data: bytes) -> None:
        if self._rest:
            self._rest += data
            if not self._busy:
                self._work(self._rest)
        else:
            self._work(data)
        if len(data) >= _LARGE and self._calls.reading.took(len(data), self._read_on):
            self._transport.pause_reading()

    def _read_on(self) -> None:
        if not self._busy and not self._closing:
            self._transport.resume_reading()

    def _work(self, content: bytes | bytearray) -> None:
        """Handle whole frames, as many as one turn may have; others go on before the rest."""
        if self._closing:
            return
        try:
            used, more = self._read(content)
        except Broken as broken:
            self._break(broken)
            return
        if content is self._rest:
            del self._rest[:used]
        elif used < len(content):
            self._rest = bytearray(content[used:])
        if more and not self._closing:
            if not self._busy:
                self._busy = True
                self._transport.pause_reading()
            asyncio.get_running_loop().call_soon(self._go_on)
        elif self._busy:
            self._busy = False
            self._transport.resume_reading()

    def _go_on(self) -> None:
        if not self._closing:
            self._work(self._rest)

    def _read(self, content: bytes | bytearray) -> tuple[int, bool]:
        """Handle frames; how many bytes they were, and whether whole ones may be left."""
        position = 0
        if not self._greeted:
            if not PREFACE.startswith(bytes(content[: len(PREFACE)])):
                raise Broken(Code.PROTOCOL_ERROR, "this port speaks gRPC over HTTP/2 only")
            if len(content) < len(PREFACE):
                return 0, False
            self._greeted, position = True, len(PREFACE)
        size, left, handle = len(content), _TURN, self._session.handle
        while size - position >= HEAD_BYTES:
            length, kind, flags, stream = parse_head(content, position)
            if length > FRAME_BYTES:
                raise Broken(Code.FRAME_SIZE_ERROR, f"a frame has {length} bytes, at most {FRAME_BYTES} are allowed")
            end = position + HEAD_BYTES + length
            if end > size:
                break
            if left <= 0:
                return position, True
            left -= 1 if kind == _DATA else 1 + (length >> _HEADERS_UNIT)
            try:
                handle(kind, flags, stream, bytes(content[position + HEAD_BYTES : end]))
            except Broken:
                raise
            except Exception as error:  # noqa: BLE001 - what fails for one call must not end the others
                self._failed(stream, error)
            if self._closing:
                break
            position = end
        return position, False

    def _failed(self, stream: int, error: Exception) -> None:
        self._calls.supervisor.failed("gRPC connection", error)
        call = self._streams.live.get(stream)
        if call is None:
            raise Broken(Code.INTERNAL_ERROR, "internal error") from None
        call.give_up(13, "internal error; the server's log tells more")

    def pause_writing(self) -> None:
        self._waits_since = None
        self._sender.pause()

    def resume_writing(self) -> None:
        self._waits_since = None
        self._sender.resume()

    def give_up(self) -> None:
        """End the calls of which something is kept: this connection holds most of what the service may keep."""
        for stream in list(self._streams.live.values()):
            if stream.kept:
                stream.give_up(14, "the service keeps too much that has not arrived whole; send it again later")

    def expire(self, now: float) -> None:
        """For a sweep once a second: end what a client has left undone for too long."""
        self._patience.renew(_SWEEPS_RENEW)
        limits = self._calls.limits
        for stream in list(self._streams.live.values()):
            self._expire_call(stream, now, limits.receive_s)
        if self._waits_since is None or (self._streams.live and not self._sender.paused and not self._closing):
            self._waits_since = now
            return
        waited = now - self._waits_since
        if self._closing or self._sender.paused:
            if waited > limits.receive_s:
                self._transport.abort()
        elif self._session.stopping:
            self.close()
        elif not self._greeted:
            if waited > limits.receive_s:
                self._break(Broken(Code.NO_ERROR, "nothing came"))
        elif waited > limits.idle_s:
            # A call that is on its way meets a connection that refuses it, and is sent again on another.
            self._leave("nothing was asked for long")

    def _expire_call(self, stream: Stream, now: float, receive_s: float) -> None:
        unread = bool(stream.outgoing)
        if not unread and (stream.last is not None or not self._intake.stalled(stream)):
            stream.waits_since = None
        elif stream.waits_since is None:
            stream.waits_since = now
        elif now - stream.waits_since > receive_s:
            if unread:
                self._streams.expel(stream)
            else:
                stream.give_up(4, f"the request did not arrive within {receive_s:g} s; send it faster")

    def _finished(self, stream: Stream) -> None:
        self._streams.finished(stream)
        if not self._streams.live:
            self._waits_since = None
            if self._session.stopping:
                self.close()

    def _break(self, broken: Broken) -> None:
        if not self._closing:
            self._away(broken.code, broken.reason)
            self.close()
            for stream in list(self._streams.live.values()):
                self._streams.forget(stream)

    def _away(self, code: Code, reason: str = "") -> None:
        payload = self._streams.last.to_bytes(4, "big") + code.to_bytes(4, "big") + reason.encode()
        self._transport.write(frame(Kind.GOAWAY, 0, 0, payload))

    def _leave(self, reason: str) -> None:
        self._session.stopping = True
        self._away(Code.NO_ERROR, reason)

    def drain(self) -> None:
        """Take no further calls; close when those in flight have ended."""
        self._leave("the service is stopping")
        if not self._streams.live:
            self.close()

    def close(self) -> None:
        """End the connection; what was written is still sent."""
        self._closing, self._waits_since = True, None
        self._transport.close()
