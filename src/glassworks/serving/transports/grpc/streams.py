"""The streams of one connection: which are open, how the others ended, and what may still come for them."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from glassworks.serving.transports.grpc.frames import END_STREAM, Broken, Code, reset

if TYPE_CHECKING:
    from glassworks.serving.transports.grpc.intake import Intake
    from glassworks.serving.transports.grpc.patience import Patience
    from glassworks.serving.transports.grpc.stream import Sender, Stream

_REMEMBERED = 1000
"""Streams that ended here before their client had sent all: what it still sends for them is no fault."""
_GAPS = 100


class Streams:
    """`live` are those whose call goes on, by number; `last` is the highest number that has begun."""

    def __init__(self, sender: Sender, intake: Intake, patience: Patience) -> None:
        self._sender, self._intake, self._patience = sender, intake, patience
        self.live: dict[int, Stream] = {}
        self.last = 0
        self._left: dict[int, None] = {}
        self._skipped: deque[range] = deque(maxlen=_GAPS)

    def begins(self, number: int) -> None:
        """A stream begins; those between it and the last one never will."""
        if number > self.last + 2:
            self._skipped.append(range(self.last + 2, number, 2))
        self.last = number

    def known(self, number: int, what: str) -> None:
        """Only streams that have begun have frames."""
        if number == 0 or number > self.last or number % 2 == 0:
            raise Broken(Code.PROTOCOL_ERROR, f"{what} of a stream that did not begin")

    def stray(self, number: int, flags: int, what: str) -> None:
        """Data or headers of a stream that is none any more."""
        self.known(number, what)
        if number not in self._left:
            if any(number in gap for gap in self._skipped):
                raise Broken(Code.PROTOCOL_ERROR, f"{what} of a stream that cannot begin any more")
            raise Broken(Code.STREAM_CLOSED, f"{what} of stream {number}, which has ended")
        self._patience.spend("frames of streams that have ended")
        if flags & END_STREAM:
            del self._left[number]

    def leave(self, number: int) -> None:
        """A stream has ended here, while its client may still send."""
        self._left[number] = None
        if len(self._left) > _REMEMBERED:
            del self._left[next(iter(self._left))]

    def reset(self, number: int, code: Code) -> None:
        """End a stream that broke the protocol."""
        self._patience.spend("streams that break the protocol")
        stream = self.live.get(number)
        if stream is not None:
            self.forget(stream)
        if stream is None or not stream.ended:
            self.leave(number)
        self._sender.control(reset(number, code))

    def gone(self, number: int) -> None:
        """The client has reset a stream."""
        self._left.pop(number, None)
        stream = self.live.get(number)
        if stream is not None:
            self.forget(stream)

    def expel(self, stream: Stream) -> None:
        """End a stream whose client does not go on."""
        self.forget(stream)
        self.leave(stream.id)
        self._sender.control(reset(stream.id, Code.CANCEL))

    def finished(self, stream: Stream) -> None:
        """Everything of a stream was sent."""
        stream.cancel = None
        self.forget(stream)
        self._patience.renew()
        if not stream.ended:
            self.leave(stream.id)
            self._sender.control(reset(stream.id, Code.NO_ERROR))

    def forget(self, stream: Stream) -> None:
        """Nothing more is done for a stream."""
        if stream.closed:
            return
        stream.closed = True
        self.live.pop(stream.id, None)
        if stream.timer is not None:
            stream.timer.cancel()
            stream.timer = None
        if stream.outgoing is not None:
            stream.outgoing.clear()
            self._sender.waiting.pop(stream, None)
        if stream.buffer is not None or stream.kept:
            self._intake.forget(stream)
        cancel, stream.cancel = stream.cancel, None
        if cancel is not None:
            cancel()
