"""A stream of frames, whatever its client does: bounded work, bounded memory, and an end that is told."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Awaitable, Callable

import pytest
from tests.patience import PATIENCE_S

from glassworks.serving.core.statistics import Statistics
from glassworks.serving.transports.http.exchange import Exchange
from glassworks.serving.transports.http.limits import Limits
from glassworks.serving.transports.http.service import Service
from glassworks.serving.transports.http.websocket import FrameStream

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
HANDSHAKE = {
    b"host": b"x",
    b"connection": b"Upgrade",
    b"upgrade": b"websocket",
    b"sec-websocket-key": b"dGhlIHNhbXBsZSBub25jZQ==",
    b"sec-websocket-version": b"13",
}
HIGH = 65_536


def frame(opcode: int, content: bytes = b"", fin: bool = True) -> bytes:
    """A client's frame; a mask of zeros leaves what it holds as it is."""
    size = len(content)
    length = bytes([0x80 | size]) if size < 126 else b"\xfe" + struct.pack(">H", size)
    return bytes([opcode | (0x80 if fin else 0)]) + length + bytes(4) + content


class Socket:
    """A transport whose client reads only when it is told to."""

    def __init__(self) -> None:
        self.stream: FrameStream
        self.written, self.unread = bytearray(), 0
        self.reads = self.eager = True
        self.closing = self.aborted = self.eof = False

    def write(self, data: bytes) -> None:
        assert not self.eof
        self.written += data
        self.unread += 0 if self.eager else len(data)
        if self.unread > HIGH:
            self.stream.pause_writing()

    def read_all(self) -> None:
        self.unread = 0
        self.stream.resume_writing()

    def write_eof(self) -> None:
        self.eof = True

    def can_write_eof(self) -> bool:
        return True

    def close(self) -> None:
        self.closing = True

    def abort(self) -> None:
        self.closing = self.aborted = True

    def is_closing(self) -> bool:
        return self.closing

    def pause_reading(self) -> None:
        self.reads = False

    def resume_reading(self) -> None:
        self.reads = True

    def frames(self) -> list[tuple[int, bytes]]:
        """What was sent behind the handshake: opcodes and contents."""
        found, rest = [], bytes(self.written).partition(b"\r\n\r\n")[2]
        while rest:
            size, start = rest[1], 2
            if size == 126:
                size, start = struct.unpack(">H", rest[2:4])[0], 4
            found.append((rest[0] & 15, rest[start : start + size]))
            rest = rest[start + size :]
        return found

    def code(self) -> int | None:
        """Of the close frame that was sent last, if one was."""
        opcode, content = (self.frames() or [(0, b"")])[-1]
        return struct.unpack(">H", content[:2])[0] if opcode == CLOSE else None


class Answers:
    """Says how long a file is."""

    def __init__(self, words: Callable[[bytes], object] = len) -> None:
        self.words = words

    async def look(self, file: bytes) -> tuple[dict[str, object], bytes | None]:
        return {"bytes": self.words(file)}, None


LIMITS = Limits(max_body_bytes=10_000, max_receiving_bytes=15_000, receive_s=30, idle_s=75)


def opened(
    service: Service | None = None, answers: Answers | None = None, headers: dict[bytes, bytes] | None = None
) -> tuple[FrameStream, Socket]:
    service = service or Service(lambda exchange: None, LIMITS)
    opening = Exchange("GET", b"/v2/models/m/stream", headers if headers is not None else HANDSHAKE, b"")
    stream = FrameStream(service, (answers or Answers()).look, Statistics().drop, opening)
    socket = Socket()
    socket.stream = stream
    stream.connection_made(socket)  # type: ignore[arg-type]
    return stream, socket


def run(main: Callable[[], Awaitable[None]]) -> None:
    async def whole() -> None:
        await asyncio.wait_for(main(), PATIENCE_S)

    asyncio.run(whole())


async def turns(count: int = 1000) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def now() -> float:
    return asyncio.get_running_loop().time()


def test_pings_of_a_client_that_does_not_read_end_its_connection_alone() -> None:
    async def main() -> None:
        stream, socket = opened()
        socket.eager = False
        sent = 0
        while socket.reads:
            stream.data_received(frame(PING, b"x" * 125) * 500)
            await turns(1)
            sent += 1
            assert sent < 100
        stream.data_received(frame(PING, b"x" * 125) * 500)  # one more may have been on its way
        await turns()
        assert len(socket.written) < 3 * HIGH
        stream.expire(now() + 20)
        assert not socket.closing
        stream.expire(now() + 31)
        stream.expire(now() + 76)
        assert socket.aborted

    run(main)


def test_a_client_that_reads_again_gets_all_its_pongs() -> None:
    async def main() -> None:
        stream, socket = opened()
        socket.eager = False
        while socket.reads:
            stream.data_received(frame(PING, b"x" * 125) * 100)
            await turns(1)
        socket.eager = True
        socket.read_all()
        await turns()
        assert [socket.reads, len(socket.frames()) % 100] == [True, 0]

    run(main)


def test_many_tiny_frames_are_worked_off_in_turns() -> None:
    async def main() -> None:
        stream, socket = opened()
        stream.data_received(frame(PING) * 20_000)
        assert 0 < len(socket.frames()) < 1000
        assert not socket.reads
        await turns()
        assert socket.frames() == [(PONG, b"")] * 20_000
        assert socket.reads

    run(main)


def told(sent: bytes, answers: Answers | None = None, service: Service | None = None) -> int | None:
    """The code with which a stream is closed that gets these bytes."""
    codes: list[int | None] = []

    async def main() -> None:
        stream, socket = opened(service, answers)
        stream.data_received(sent)
        await turns()
        codes.append(socket.code())
        if socket.code() is not None:
            assert socket.eof
            stream.data_received(frame(BINARY, b"x") * 10_000)  # thrown away until the client closes too
            assert socket.code() is not None
            stream.expire(now() + 31)
            assert socket.aborted

    run(main)
    return codes[0]


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (frame(TEXT, b"hello"), 1003),
        (frame(TEXT, b"\xff", fin=False), 1003),
        (frame(BINARY, b"a", fin=False) + frame(0, b"", fin=False) * 64 + frame(0, b"b"), None),
        (frame(BINARY, b"a", fin=False) + frame(0, b"", fin=False) * 65, 1008),
        (frame(BINARY, b"x" * 10_001), 1009),
        (frame(BINARY, b"x" * 9_000, fin=False) + frame(0, b"x" * 1_001), 1009),
        (frame(BINARY, b"x" * 9_000, fin=False) + frame(0, b"x" * 1_000), None),
        (frame(3), 1002),
        (frame(BINARY)[:1] + b"\0", 1002),
    ],
    ids=["text", "text part", "few empty", "empty", "large", "large parts", "whole parts", "opcode", "no mask"],
)
def test_what_is_no_frame_is_told(sent: bytes, code: int | None) -> None:
    assert told(sent) == code


def test_a_failure_is_counted_and_closes_the_connection() -> None:
    service = Service(lambda exchange: None, LIMITS)
    assert told(frame(BINARY, b"x"), Answers(lambda file: object()), service) == 1011
    assert service.supervisor.troubles["frame stream"].failures == 1


@pytest.mark.parametrize("state", ["refused", "open", "closed by it", "closed by the client", "half open", "gone"])
def test_an_end_in_any_state_raises_nothing(state: str) -> None:
    async def main() -> None:
        headers = {key: value for key, value in HANDSHAKE.items() if state != "refused" or b"key" not in key}
        stream, socket = opened(headers=headers)
        assert socket.written.startswith(b"HTTP/1.1 400" if state == "refused" else b"HTTP/1.1 101")
        if state == "closed by it":
            stream.close()
            assert socket.code() == 1001
        if state == "closed by the client":
            stream.data_received(frame(CLOSE, b"\x03\xe8"))
            assert socket.closing
        if state == "half open":
            stream.eof_received()
        if state == "gone":
            stream.connection_lost(None)
            socket.close()
        for _ in range(2):
            stream.expire(now() + 100)
            stream.close()
            stream.give_up()
            stream.data_received(frame(PING))
            stream.eof_received()
        assert socket.closing

    run(main)


def test_a_frame_that_arrives_too_slowly_is_told() -> None:
    async def main() -> None:
        stream, socket = opened()
        stream.data_received(frame(PING) * 3)
        stream.expire(now() + 31)
        assert socket.code() is None
        stream.data_received(frame(BINARY, b"x" * 100)[:-2])
        stream.data_received(b"x")
        stream.expire(now() + 31)
        assert socket.code() == 1008

    run(main)


def test_what_is_being_received_is_bounded_over_all_streams() -> None:
    async def main() -> None:
        service = Service(lambda exchange: None, LIMITS)
        (one, first), (two, second), (three, third) = (opened(service) for _ in range(3))
        one.data_received(frame(BINARY, b"x" * 6_000, fin=False))
        two.data_received(frame(BINARY, b"x" * 8_000)[:-1])
        three.data_received(frame(BINARY, b"x" * 4_000)[:-1])
        await turns()
        assert [each.code() for each in (first, second, third)] == [None, 1013, None]
        one.data_received(frame(0, b"x"))
        three.connection_lost(None)
        await turns()
        assert first.frames()[0][0] == TEXT
        assert service.receiving.total_bytes == 0

    run(main)


def test_a_client_that_leaves_takes_its_frame_with_it() -> None:
    async def main() -> None:
        stream, socket = opened()
        socket.eager = False
        stream.pause_writing()
        stream.resume_writing()
        stream.data_received(frame(BINARY, b"x"))
        stream.pause_writing()
        await turns(5)
        owed = [stream.owes]
        stream.connection_lost(None)
        await turns(5)
        assert [*owed, stream.owes] == [True, False]
        assert socket.frames() == []

    run(main)


def test_what_many_streams_send_at_once_is_not_read_in_one_turn() -> None:
    """Each has a message of which as much is sent as the connection takes."""
    part, streams = frame(BINARY, bytes(60_000), fin=False), 100
    more = frame(0, bytes(60_000), fin=False)

    async def main() -> None:
        service = Service(lambda exchange: None, Limits())
        sockets = [opened(service)[1] for _ in range(streams)]
        left = [[part, more, more] for _ in sockets]
        read: list[int] = []
        while any(left) and len(read) < 10_000:
            before = sum(map(len, left))
            for socket, parts in zip(sockets, left, strict=True):
                while parts and socket.reads:
                    socket.stream.data_received(parts.pop(0))
            read.append(before - sum(map(len, left)))
            await asyncio.sleep(0)
        assert not any(left)
        assert max(read) <= streams + 2**20 // 60_000 + 1
        assert max(read[2:]) <= 2**20 // 60_000 + 8

    run(main)
