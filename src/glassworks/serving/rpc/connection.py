"""gRPC over HTTP/2 on one connection: streams, flow control, and the calls that they carry."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from glassworks.serving.rpc.frames import (
    ACK,
    END_HEADERS,
    END_STREAM,
    HEAD_BYTES,
    PREFACE,
    PRIORITY,
    Broken,
    Code,
    HeaderReader,
    Kind,
    Setting,
    frame,
    inflated,
    number,
    parse_head,
    parse_settings,
    settings,
    unpadded,
)
from glassworks.serving.rpc.stream import Sender, Stream, ignore, nothing

if TYPE_CHECKING:
    from glassworks.serving.rpc.calls import Calls

_WINDOW = 2**31 - 1
_FIRST_WINDOW = 65_535
_FRAME = 2**20
_SMALL_FRAME = 16_384
_STREAMS = 1000
_HEADER_BYTES = 64 * 2**10
_RESETS = 2000


class Connection(asyncio.Protocol):
    """One client. `calls` is told of each call that begins."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._transport: asyncio.Transport
        self._buffer = bytearray(b"")
        self._greeted = False
        self._headers = HeaderReader(_HEADER_BYTES)
        self._streams: dict[int, Stream] = {}
        self._last = 0
        self._gathering: tuple[int, int, bytearray] | None = None
        self._stream_window = _FIRST_WINDOW
        self._sender: Sender
        self._received = self._held = self._resets = 0
        self._stopping = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._sender = Sender(self._transport, _FIRST_WINDOW, _SMALL_FRAME, self._finish)
        self._calls.connections.add(self)
        ours = (
            (Setting.MAX_CONCURRENT_STREAMS, _STREAMS),
            (Setting.INITIAL_WINDOW_SIZE, _WINDOW),
            (Setting.MAX_FRAME_SIZE, _FRAME),
            (Setting.MAX_HEADER_LIST_SIZE, _HEADER_BYTES),
        )
        grown = frame(Kind.WINDOW_UPDATE, 0, 0, (_WINDOW - _FIRST_WINDOW).to_bytes(4, "big"))
        self._transport.write(settings(ours) + grown)

    def connection_lost(self, exc: Exception | None) -> None:
        self._calls.connections.discard(self)
        for stream in list(self._streams.values()):
            self._forget(stream)

    def data_received(self, data: bytes) -> None:
        if self._buffer:
            self._buffer += data
            content: bytes | bytearray = self._buffer
        else:
            content = data
        try:
            used = self._read(content)
        except Broken as broken:
            self._break(broken)
            return
        rest = content[used:]
        self._buffer = bytearray(rest) if rest else bytearray()

    def _read(self, content: bytes | bytearray) -> int:
        """Handle the whole frames; how many bytes they were."""
        place = 0
        if not self._greeted:
            if not PREFACE.startswith(bytes(content[: len(PREFACE)])):
                raise Broken(Code.PROTOCOL_ERROR, "this port speaks gRPC over HTTP/2 only")
            if len(content) < len(PREFACE):
                return 0
            self._greeted, place = True, len(PREFACE)
        size = len(content)
        while size - place >= HEAD_BYTES:
            length, kind, flags, stream = parse_head(content, place)
            if length > _FRAME:
                raise Broken(Code.FRAME_SIZE_ERROR, f"a frame has {length} bytes, at most {_FRAME} are allowed")
            end = place + HEAD_BYTES + length
            if end > size:
                break
            self._handle(kind, flags, stream, bytes(content[place + HEAD_BYTES : end]))
            place = end
        return place

    def _handle(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if self._gathering is not None and kind != Kind.CONTINUATION:
            raise Broken(Code.PROTOCOL_ERROR, "headers are interrupted")
        if kind == Kind.DATA:
            self._on_data(stream, flags, payload)
        elif kind == Kind.HEADERS:
            self._on_headers(stream, flags, payload)
        elif kind == Kind.CONTINUATION:
            self._on_continuation(stream, flags, payload)
        elif kind == Kind.WINDOW_UPDATE:
            self._on_window(stream, number(payload))
        elif kind == Kind.SETTINGS:
            self._on_settings(flags, payload)
        elif kind == Kind.PING:
            if not flags & ACK:
                self._transport.write(frame(Kind.PING, ACK, 0, payload[:8]))
        elif kind == Kind.RST_STREAM:
            self._on_reset(stream)
        elif kind == Kind.PUSH_PROMISE:
            raise Broken(Code.PROTOCOL_ERROR, "clients do not push")

    def _on_headers(self, number_: int, flags: int, payload: bytes) -> None:
        content = unpadded(payload, flags)
        if flags & PRIORITY:
            content = content[5:]
        if not flags & END_HEADERS:
            self._gathering = (number_, flags, bytearray(content))
            return
        self._begin(number_, flags, content)

    def _on_continuation(self, number_: int, flags: int, payload: bytes) -> None:
        if self._gathering is None or self._gathering[0] != number_:
            raise Broken(Code.PROTOCOL_ERROR, "headers are continued that did not begin")
        self._gathering[2].extend(payload)
        if len(self._gathering[2]) > _HEADER_BYTES:
            raise Broken(Code.ENHANCE_YOUR_CALM, "the headers are too large")
        if flags & END_HEADERS:
            _, first, content = self._gathering
            self._gathering = None
            self._begin(number_, first, bytes(content))

    def _begin(self, number_: int, flags: int, content: bytes) -> None:
        headers = self._headers.read(content)
        known = self._streams.get(number_)
        if known is not None:  # trailers of the client
            if flags & END_STREAM:
                known.on_end()
            return
        if number_ <= self._last or number_ % 2 == 0:
            raise Broken(Code.PROTOCOL_ERROR, f"stream {number_} cannot begin now")
        self._last = number_
        if self._stopping or len(self._streams) >= _STREAMS:
            self._reset(number_, Code.REFUSED_STREAM)
            return
        stream = self._streams[number_] = Stream(number_, headers, self._stream_window, self._sender)
        self._calls.begin(stream)
        if flags & END_STREAM and not stream.closed:
            stream.on_end()

    def _on_data(self, number_: int, flags: int, payload: bytes) -> None:
        self._received += len(payload)
        if self._received > _WINDOW // 2:
            self._transport.write(frame(Kind.WINDOW_UPDATE, 0, 0, self._received.to_bytes(4, "big")))
            self._received = 0
        stream = self._streams.get(number_)
        if stream is None:
            if number_ > self._last or number_ == 0:
                raise Broken(Code.PROTOCOL_ERROR, "data of a stream that did not begin")
            return
        content = unpadded(payload, flags)
        if not stream.buffer and content[:1] == b"\x00" and int.from_bytes(content[1:5], "big") == len(content) - 5:
            stream.on_message(content[5:])  # nearly always a message is one frame
        else:
            stream.buffer += content
            self._held += len(content)
        if self._held > self._calls.max_message_bytes + _FRAME:
            stream.end(8, f"more than {self._calls.max_message_bytes} bytes are waiting on this connection")
            return
        self._messages(stream)
        if flags & END_STREAM and not stream.closed:
            stream.on_end()

    def _messages(self, stream: Stream) -> None:
        """Hand on the whole messages that have arrived."""
        buffer = stream.buffer
        while len(buffer) >= 5 and not stream.closed:
            length = int.from_bytes(buffer[1:5], "big")
            if length > self._calls.max_message_bytes:
                stream.end(8, f"a message has {length} bytes, at most {self._calls.max_message_bytes} are allowed")
                return
            if len(buffer) < 5 + length:
                return
            message = bytes(buffer[5 : 5 + length])
            packed = buffer[0]
            del buffer[: 5 + length]
            self._held -= 5 + length
            if packed:
                plain = inflated(message, stream.headers.get(b"grpc-encoding", b""), self._calls.max_message_bytes)
                if plain is None:
                    stream.end(
                        12, "the message is compressed in a way that is not known; send gzip, deflate or identity"
                    )
                    return
                message = plain
            stream.on_message(message)

    def _on_window(self, number_: int, more: int) -> None:
        if number_ == 0:
            self._sender.window += more
            if more == 0 or self._sender.window > _WINDOW:
                raise Broken(Code.FLOW_CONTROL_ERROR, "the window of the connection is out of range")
            for stream in list(self._streams.values()):
                self._sender.flush(stream)
        elif (stream_ := self._streams.get(number_)) is not None:
            stream_.window += more
            self._sender.flush(stream_)

    def _on_settings(self, flags: int, payload: bytes) -> None:
        if flags & ACK:
            return
        for name, value in parse_settings(payload):
            if name == Setting.INITIAL_WINDOW_SIZE:
                if value > _WINDOW:
                    raise Broken(Code.FLOW_CONTROL_ERROR, "the first window is out of range")
                for stream in self._streams.values():
                    stream.window += value - self._stream_window
                self._stream_window = value
            elif name == Setting.MAX_FRAME_SIZE:
                self._sender.frame_bytes = min(max(value, _SMALL_FRAME), _FRAME)
        self._transport.write(frame(Kind.SETTINGS, ACK, 0))
        for stream in list(self._streams.values()):
            self._sender.flush(stream)

    def _on_reset(self, number_: int) -> None:
        stream = self._streams.get(number_)
        if stream is not None:
            self._forget(stream)
            # Calls that are begun only to be cancelled are an attack (CVE-2023-44487).
            self._resets += 1
            if self._resets > _RESETS and self._resets > self._last // 4:
                raise Broken(Code.ENHANCE_YOUR_CALM, "too many calls are cancelled")

    def _finish(self, stream: Stream) -> None:
        """Everything was sent."""
        stream.cancel = None
        self._forget(stream)
        if self._stopping and not self._streams:
            self.close()

    def _forget(self, stream: Stream) -> None:
        if stream.closed:
            return
        stream.closed = True
        # What handles the messages holds the stream: together they would wait for the garbage collector.
        stream.on_message, stream.on_end = ignore, nothing
        self._held -= len(stream.buffer)
        stream.buffer = bytearray()
        stream.outgoing.clear()
        self._streams.pop(stream.id, None)
        cancel, stream.cancel = stream.cancel, None
        if cancel is not None:
            cancel()

    def _reset(self, number_: int, code: Code) -> None:
        self._transport.write(frame(Kind.RST_STREAM, 0, number_, code.to_bytes(4, "big")))

    def _break(self, broken: Broken) -> None:
        self._away(broken.code, broken.reason)
        self.close()

    def _away(self, code: Code, reason: str = "") -> None:
        payload = self._last.to_bytes(4, "big") + code.to_bytes(4, "big") + reason.encode()
        self._transport.write(frame(Kind.GOAWAY, 0, 0, payload))

    def drain(self) -> None:
        """Take no further calls; close when those in flight have ended."""
        self._stopping = True
        self._away(Code.NO_ERROR, "the service is stopping")
        if not self._streams:
            self.close()

    def close(self) -> None:
        """End the connection; what was written is still sent."""
        self._transport.close()
