"""Calls on a connection, and the sending of their answers as far as client, windows and transport take them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

from glassworks.serving.transports.grpc.frames import (
    END_HEADERS,
    END_STREAM,
    FIRST_WINDOW,
    SMALLEST_FRAME,
    Broken,
    Code,
    Kind,
    block,
    frame,
    head,
    trailers,
)

if TYPE_CHECKING:
    from glassworks.serving.transports.grpc.methods import Method
    from glassworks.serving.transports.grpc.patience import Patience

_BEGIN = b"\x88" + block([(b"content-type", b"application/grpc")])
_BEGIN_HEAD = head(len(_BEGIN), Kind.HEADERS, END_HEADERS, 0)[:-4]
_DATA_HEAD = head(0, Kind.DATA, 0, 0)[3:-4]
_DONE = trailers(0)
_DONE_HEAD = head(len(_DONE), Kind.HEADERS, END_HEADERS | END_STREAM, 0)[:-4]
"""Heads of frames, to which a size or a stream is added."""
_UNREAD = 200
"""Frames that answer the client's own, written while it reads nothing."""
_USEFUL_BYTES = 1024


class Incoming(Protocol):
    """The messages that arrive for the calls of a connection: see `intake.Intake`."""

    max_message_bytes: int

    def take(self, stream: Stream) -> tuple[int, bytes] | None: ...

    async def next(self, stream: Stream) -> tuple[int, bytes] | None: ...

    def hold(self, stream: Stream, size: int) -> None: ...

    def let_go(self, stream: Stream, size: int) -> None: ...

    def forget(self, stream: Stream) -> None: ...


class Stream:
    """One call: its metadata, what has arrived of its messages, and the way for answers.

    Most calls are one message that arrives in one frame, and one answer that leaves at once: what only others need
    is not made before they need it.
    """

    method: Method | None = None
    streamed = False
    """Whether its messages are taken one by one, rather than one at the end."""
    closed = begun = ended = False
    """Nothing more is to be done; the answer has begun; the client has sent all."""
    buffer: bytearray | None = None
    kept = missing = reserved = owed = 0
    """Bytes kept of the call; still to come of its next message; let come for it beyond the window; read, but not
    given back to the window yet."""
    due = -1
    """Bytes still to come by its content-length; -1 where there is none."""
    arrived: asyncio.Future[None] | None = None
    outgoing: deque[memoryview] | None = None
    last: bytes | None = None
    """The trailers, where they wait for what is before them."""
    sent: asyncio.Future[None] | None = None
    cancel: Callable[[], object] | None = None
    timer: asyncio.TimerHandle | None = None
    waits_since: float | None = None
    """Since when the client owes it something, as far as a sweep has seen it."""

    def __init__(
        self, number: int, headers: Mapping[bytes, bytes], window: int, sender: Sender, intake: Incoming
    ) -> None:
        self.id, self.headers, self.window, self._sender, self.intake = number, headers, window, sender, intake
        self.credit = FIRST_WINDOW

    def answer(self, message: bytes) -> None:
        """Send the only message of a call, and end it well."""
        self._sender.whole(self, message)

    async def send(self, message: bytes) -> None:
        """Send one message of several; returns once it has left."""
        self._sender.message(self, message)
        if (self.outgoing or self._sender.paused) and not self.closed:
            self.sent = asyncio.get_running_loop().create_future()
            await self.sent

    def end(self, status: int = 0, text: str = "", more: list[tuple[bytes, bytes]] | None = None) -> None:
        """End the call with a gRPC status, behind what was sent."""
        self._sender.end(self, trailers(status, text, more or ()))

    def give_up(self, status: int, text: str) -> None:
        """End the call with a gRPC status; what waits to be sent is dropped."""
        if self.outgoing:
            self.outgoing.clear()
        self.intake.forget(self)
        cancel, self.cancel, self.last = self.cancel, None, None
        self.end(status, text)
        if cancel is not None:
            cancel()

    def refuse(self, status: int) -> None:
        """Answer a request that is none of gRPC with a status of HTTP."""
        self._sender.end(self, block([(b":status", b"%d" % status)]), begun=True)


class Sender:
    """Writes the frames of all streams of a connection. `window` is the connection's own."""

    def __init__(
        self,
        transport: asyncio.Transport,
        patience: Patience,
        finished: Callable[[Stream], None],
        broken: Callable[[Broken], None],
    ) -> None:
        """`finished` is called for each stream that was sent to its end, `broken` for a client that reads nothing."""
        self._transport, self._patience, self._finished, self._broken = transport, patience, finished, broken
        self.window, self.frame_bytes = FIRST_WINDOW, SMALLEST_FRAME
        self.paused = False
        self.waiting: dict[Stream, None] = {}
        """Streams with something to send."""
        self._unread = 0

    def control(self, content: bytes) -> None:
        """Write frames that no call waits for."""
        self._transport.write(content)
        if self.paused:
            self._unread += 1
            if self._unread == _UNREAD:
                self._broken(Broken(Code.ENHANCE_YOUR_CALM, "nothing is read of what is answered"))

    def whole(self, stream: Stream, message: bytes) -> None:
        """Begin, message and end of a call in one write where that is possible."""
        size = 5 + len(message)
        if stream.closed:
            return
        whole = size <= stream.window and size <= self.window and size <= self.frame_bytes
        if stream.begun or self.paused or not whole:
            self.message(stream, message)
            self.end(stream, _DONE)
            return
        self.window -= size
        number = stream.id.to_bytes(4, "big")
        self._transport.write(
            b"".join((
                _BEGIN_HEAD, number, _BEGIN,
                size.to_bytes(3, "big"), _DATA_HEAD, number, b"\x00", len(message).to_bytes(4, "big"), message,
                _DONE_HEAD, number, _DONE,
            ))
        )  # fmt: skip
        self._finished(stream)

    def message(self, stream: Stream, message: bytes) -> None:
        """Queue a message; it leaves as the windows allow."""
        if stream.closed or stream.last is not None:
            return
        if stream.outgoing is None:
            stream.outgoing = deque()
        content = b"\x00" + len(message).to_bytes(4, "big") + message
        stream.outgoing.append(memoryview(content))
        stream.intake.hold(stream, len(content))
        if not stream.closed:
            self.flush(stream)

    def end(self, stream: Stream, content: bytes, begun: bool = False) -> None:
        """End a call behind its messages; `content` is the block of its trailers."""
        if stream.closed or stream.last is not None:
            return
        stream.last = content if stream.begun or stream.outgoing or begun else _BEGIN + content
        self.flush(stream)

    def flush(self, stream: Stream) -> None:
        """Send what windows and transport take now."""
        outgoing, size = stream.outgoing, 1
        while outgoing and not self.paused:
            part = outgoing[0]
            size = min(len(part), stream.window, self.window, self.frame_bytes)
            if size <= 0:
                break
            begin = b""
            if not stream.begun:
                stream.begun = True
                begin = frame(Kind.HEADERS, END_HEADERS, stream.id, _BEGIN)
            if size < len(part):
                outgoing[0] = part[size:]
            else:
                outgoing.popleft()
                self._patience.renew()
            stream.window -= size
            self.window -= size
            self._transport.write(b"".join((begin, head(size, Kind.DATA, 0, stream.id), part[:size])))
            self._sent(stream, size)
        if outgoing or self.paused:
            self.waiting[stream] = None
            return
        self.waiting.pop(stream, None)
        if stream.last is not None:
            self._transport.write(frame(Kind.HEADERS, END_HEADERS | END_STREAM, stream.id, stream.last))
            self._finished(stream)
        elif stream.sent is not None and not stream.sent.done():
            stream.sent.set_result(None)

    def _sent(self, stream: Stream, size: int) -> None:
        stream.waits_since = None
        stream.intake.let_go(stream, size)
        if size >= _USEFUL_BYTES:
            self._patience.renew()

    def flush_all(self) -> None:
        """The same for all streams that have something to send."""
        for stream in list(self.waiting):
            if self.paused:
                return
            self.flush(stream)

    def pause(self) -> None:
        """The client does not read: nothing more is sent to it."""
        self.paused = True

    def resume(self) -> None:
        """The client reads again."""
        self.paused, self._unread = False, 0
        self.flush_all()

    def close(self) -> None:
        """Let go of everything."""
        self.waiting.clear()
        self._finished = self._broken = _nothing


def _nothing(_: object) -> None:
    """Called for what does not matter any more."""
