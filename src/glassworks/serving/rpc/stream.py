"""Calls on a connection, and the sending of their answers as far as the windows of HTTP/2 allow."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from glassworks.serving.rpc.frames import END_HEADERS, END_STREAM, Kind, block, frame, head, trailers

if TYPE_CHECKING:
    import asyncio

_BEGIN = block([(b"content-type", b"application/grpc")])
_DONE = trailers(0)


def ignore(message: bytes) -> None:
    """What comes behind the end of a call."""


def nothing() -> None:
    """The end behind the end of a call."""


class Stream:
    """One call: its metadata, what has arrived of its messages, and the way for answers."""

    __slots__ = (
        "_sender",
        "begun",
        "buffer",
        "cancel",
        "closed",
        "headers",
        "id",
        "on_end",
        "on_message",
        "outgoing",
        "window",
    )  # fmt: skip

    def __init__(self, number: int, headers: Mapping[bytes, bytes], window: int, sender: Sender) -> None:
        self.id, self.headers, self.window, self._sender = number, headers, window, sender
        self.buffer = bytearray()
        self.begun = self.closed = False
        self.on_message: Callable[[bytes], None] = ignore
        self.on_end: Callable[[], None] = nothing
        self.cancel: Callable[[], object] | None = None
        self.outgoing: deque[bytes] = deque()

    def answer(self, message: bytes) -> None:
        """Send the only message of a call, and end it well."""
        self._sender.whole(self, message)

    def send(self, message: bytes) -> None:
        """Send one message of several."""
        self._sender.message(self, message)

    def end(self, status: int = 0, text: str = "", more: list[tuple[bytes, bytes]] | None = None) -> None:
        """End the call with a gRPC status."""
        self._sender.end(self, trailers(status, text, more or ()))


class Sender:
    """Writes the frames of all streams of a connection. `window` is the connection's own."""

    def __init__(
        self, transport: asyncio.Transport, window: int, frame_bytes: int, finished: Callable[[Stream], None]
    ) -> None:
        """`finished` is told of each stream that everything was sent of."""
        self._transport, self.window, self.frame_bytes, self._finished = transport, window, frame_bytes, finished

    def whole(self, stream: Stream, message: bytes) -> None:
        """Begin, message and end of a call in one write where the windows allow it."""
        size = 5 + len(message)
        if stream.closed:
            return
        if stream.begun or stream.outgoing or size > min(stream.window, self.window, self.frame_bytes):
            self.message(stream, message)
            self.end(stream, _DONE)
            return
        self.window -= size
        number_ = stream.id
        self._transport.write(
            b"".join((
                head(len(_BEGIN), Kind.HEADERS, END_HEADERS, number_), _BEGIN,
                head(size, Kind.DATA, 0, number_), b"\x00", len(message).to_bytes(4, "big"), message,
                head(len(_DONE), Kind.HEADERS, END_HEADERS | END_STREAM, number_), _DONE,
            ))
        )  # fmt: skip
        self._finished(stream)

    def message(self, stream: Stream, message: bytes) -> None:
        """Queue a message; it leaves as the windows allow."""
        if stream.closed:
            return
        if not stream.begun:
            stream.begun = True
            self._transport.write(frame(Kind.HEADERS, END_HEADERS, stream.id, _BEGIN))
        stream.outgoing.append(b"\x00" + len(message).to_bytes(4, "big") + message)
        self.flush(stream)

    def end(self, stream: Stream, content: bytes) -> None:
        """End a call behind its messages; `content` is the block of its trailers."""
        if stream.closed:
            return
        if not stream.begun:
            content = _BEGIN + content
        if stream.outgoing:
            # Empty parts are no messages: this one says that the trailers follow.
            stream.outgoing.append(b"")
            stream.outgoing.append(content)
            return
        self._transport.write(frame(Kind.HEADERS, END_HEADERS | END_STREAM, stream.id, content))
        self._finished(stream)

    def flush(self, stream: Stream) -> None:
        """Send what the windows allow."""
        while stream.outgoing:
            part = stream.outgoing[0]
            if not part:
                content = stream.outgoing[1]
                self._transport.write(frame(Kind.HEADERS, END_HEADERS | END_STREAM, stream.id, content))
                self._finished(stream)
                return
            size = min(len(part), stream.window, self.window, self.frame_bytes)
            if size <= 0:
                return
            stream.window -= size
            self.window -= size
            self._transport.write(frame(Kind.DATA, 0, stream.id, part[:size]))
            if size < len(part):
                stream.outgoing[0] = part[size:]
            else:
                stream.outgoing.popleft()
