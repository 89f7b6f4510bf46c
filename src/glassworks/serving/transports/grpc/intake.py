"""The receiving side of a connection's calls: their messages, and how much the client may send of them.

Each stream has a window of 64 KiB, which is renewed as its messages are taken. The rest of a larger message may come
when it is next in turn and the connection has room for it: a client that is answered slowly, or never ends what it
began, keeps little memory, and no two messages can wait for each other.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from typing import TYPE_CHECKING

from glassworks.serving.transports.grpc.frames import FIRST_WINDOW, window_update

if TYPE_CHECKING:
    from collections.abc import Callable

    from glassworks.serving.transports.grpc.stream import Stream
    from glassworks.serving.transports.receiving import Receiver, Receiving

PREFIX = 5
"""Bytes before each message: whether it is compressed, and its length."""
_RENEW = FIRST_WINDOW // 2


class Ended(Exception):
    """A call ends with this gRPC status."""

    def __init__(self, status: int, text: str, more: list[tuple[bytes, bytes]] | None = None) -> None:
        super().__init__(text)
        self.status, self.text, self.more = status, text, more or []


class Intake:
    """What has arrived on one connection. `control` writes a frame."""

    def __init__(
        self,
        max_message_bytes: int,
        receiving: Receiving,
        receiver: Receiver,
        control: Callable[[bytes], None],
    ) -> None:
        self.max_message_bytes = max_message_bytes
        self._receiving, self._receiver, self._control = receiving, receiver, control
        self._room = max_message_bytes
        self._waiting: deque[Stream] = deque()

    def hold(self, stream: Stream, size: int) -> None:
        """So many bytes more are kept for a stream, which may have ended when this returns."""
        stream.kept += size
        self._receiving.grown(self._receiver, size)

    def let_go(self, stream: Stream, size: int) -> None:
        """So many bytes went on."""
        if stream.kept:
            stream.kept -= size
            self._receiving.shrunk(self._receiver, size)

    def arrived(self, stream: Stream, content: bytes) -> None:
        """Keep a part of a call's messages. Raises Ended."""
        if stream.buffer is None:
            stream.buffer = bytearray()
        stream.buffer += content
        self.hold(stream, len(content))
        if stream.closed:
            return
        whole = self._whole(stream)
        if not stream.streamed and whole and len(stream.buffer) > whole:
            raise Ended(12, "the method takes one message, another came")
        if whole and stream.arrived is not None and not stream.arrived.done():
            stream.arrived.set_result(None)

    def take(self, stream: Stream) -> tuple[int, bytes] | None:
        """Whether the next message is compressed, and the message; None where it is not there yet. Raises Ended."""
        size = self._whole(stream)
        if not size or stream.buffer is None:
            return None
        packed, message = stream.buffer[0], bytes(memoryview(stream.buffer)[PREFIX:size])
        del stream.buffer[:size]
        stream.waits_since = None
        self.let_go(stream, size)
        if stream.streamed:
            self.returned(stream, size - stream.reserved)
            self._free(stream)
            with contextlib.suppress(Ended):  # the message behind this one, which gets its error in its turn
                self._whole(stream)
        return packed, message

    async def next(self, stream: Stream) -> tuple[int, bytes] | None:
        """Wait for the next message; None when the client has sent all. Raises Ended."""
        # A client that sends faster than it is answered must not keep the event loop.
        await asyncio.sleep(0)
        while (found := self.take(stream)) is None:
            if stream.ended:
                if stream.buffer:
                    raise Ended(13, "the last message is cut off")
                return None
            stream.arrived = asyncio.get_running_loop().create_future()
            await stream.arrived
        return found

    def returned(self, stream: Stream, size: int) -> None:
        """Bytes that the client may send again."""
        stream.owed += size
        if stream.owed >= _RENEW:
            self._renew(stream)

    def forget(self, stream: Stream) -> None:
        """A call has ended: nothing of it is kept."""
        if stream.kept:
            self.let_go(stream, stream.kept)
        stream.buffer = None
        if stream.missing:
            stream.missing = 0
            self._grant()
        if stream.reserved:
            self._free(stream)

    def _whole(self, stream: Stream) -> int:
        """The size of the next message with its prefix, where all of it is there; else 0. Raises Ended."""
        buffer = stream.buffer
        if buffer is None or len(buffer) < PREFIX:
            return 0
        length = int.from_bytes(buffer[1:PREFIX], "big")
        if length > self.max_message_bytes:
            raise Ended(8, f"a message has {length} bytes, at most {self.max_message_bytes} are allowed")
        stream.missing = max(0, PREFIX + length - len(buffer))
        if not stream.missing:
            return PREFIX + length
        if stream.missing > stream.credit and stream.owed:
            self._renew(stream)
        if stream.missing > stream.credit and stream not in self._waiting:
            self._waiting.append(stream)
            self._grant()
        return 0

    def _renew(self, stream: Stream) -> None:
        if not stream.ended and not stream.closed:
            more, stream.owed = stream.owed, 0
            stream.credit += more
            self._control(window_update(stream.id, more))

    def _grant(self) -> None:
        """Let the large messages come, in turn, that there is room for."""
        while self._waiting:
            stream = self._waiting[0]
            more = stream.missing - stream.credit
            if not stream.closed and more > 0:
                if more > self._room:
                    return
                self._room -= more
                stream.reserved += more
                stream.credit += more
                stream.waits_since = None
                self._control(window_update(stream.id, more))
            self._waiting.popleft()

    def _free(self, stream: Stream) -> None:
        self._room += stream.reserved
        stream.reserved = 0
        self._grant()

    def stalled(self, stream: Stream) -> bool:
        """Whether it is the client's turn to send more of a message that has begun."""
        if stream.ended:
            return False
        if not stream.streamed:
            return stream not in self._waiting
        return bool(stream.buffer) and stream.missing > 0 and stream not in self._waiting


def is_one(content: bytes, limit: int) -> bool:
    """Whether the bytes are one whole message."""
    size = len(content) - PREFIX
    return 0 <= size <= limit and int.from_bytes(content[1:PREFIX], "big") == size
