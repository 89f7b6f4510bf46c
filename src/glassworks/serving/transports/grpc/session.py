"""HTTP/2 as RFC 9113 has it, for one connection of a server: what each frame means in the state it comes in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glassworks.serving.transports.grpc.frames import (
    ACK,
    END_HEADERS,
    END_STREAM,
    FIRST_WINDOW,
    LARGEST_WINDOW,
    PADDED,
    PRIORITY,
    Broken,
    Code,
    Kind,
    Setting,
    StreamBroken,
    frame,
    number,
    parse_settings,
    reset,
    settings,
    unpadded,
    window_update,
)
from glassworks.serving.transports.grpc.headers import BLOCK_BYTES, LIST_BYTES, HeaderReader, TooLarge
from glassworks.serving.transports.grpc.intake import PREFIX, Ended, Intake, is_one
from glassworks.serving.transports.grpc.stream import Sender, Stream
from glassworks.serving.transports.grpc.streams import Streams

if TYPE_CHECKING:
    from collections.abc import Callable

    from glassworks.serving.transports.grpc.calls import Calls
    from glassworks.serving.transports.grpc.patience import Patience

STREAMS = 100
FRAME_BYTES = 2**16
_WINDOW = 2**24
"""Of the connection, renewed as data arrive: what is kept of them is bounded by the windows of the streams."""
GREETING = settings(
    (
        (Setting.MAX_CONCURRENT_STREAMS, STREAMS),
        (Setting.MAX_FRAME_SIZE, FRAME_BYTES),
        (Setting.MAX_HEADER_LIST_SIZE, LIST_BYTES),
    )
) + window_update(0, _WINDOW - FIRST_WINDOW)
"""What the server sends first."""


class Session:
    """The streams of one connection. `calls` gets each call that begins and each message that is whole."""

    def __init__(self, calls: Calls, streams: Streams, sender: Sender, intake: Intake, patience: Patience) -> None:
        self._calls, self._streams, self._patience = calls, streams, patience
        self._sender, self._intake = sender, intake
        self.stopping = self._settled = False
        self._headers = HeaderReader()
        self._gathering: tuple[int, int, bytearray] | None = None
        self._window, self._first_window = _WINDOW, FIRST_WINDOW

    def handle(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        """Take one frame. Raises Broken."""
        if self._gathering is not None and kind != Kind.CONTINUATION:
            raise Broken(Code.PROTOCOL_ERROR, "headers are interrupted")
        if not self._settled and (kind != Kind.SETTINGS or flags & ACK):
            raise Broken(Code.PROTOCOL_ERROR, "the first frame is not SETTINGS")
        if kind >= len(_HANDLERS):
            self._patience.spend("frames of unknown types")
            return
        try:
            _HANDLERS[kind](self, stream, flags, payload)
        except StreamBroken as broken:
            self._streams.reset(stream, broken.code)
        except Ended as ended:
            if (call := self._streams.live.get(stream)) is not None:
                call.give_up(ended.status, ended.text)

    def _on_data(self, number_: int, flags: int, payload: bytes) -> None:
        size = len(payload)
        self._window -= size
        if self._window < _WINDOW // 2:
            self._renew()
        content = unpadded(payload, flags) if flags & PADDED else payload
        stream = self._streams.live.get(number_)
        if stream is None:
            self._streams.stray(number_, flags, "data")
            return
        if stream.ended:
            raise StreamBroken(Code.STREAM_CLOSED, "data behind the end of their stream")
        stream.credit -= size
        if stream.credit < 0:
            raise StreamBroken(Code.FLOW_CONTROL_ERROR, "more was sent than the stream's window allows")
        if stream.due >= 0:
            stream.due -= len(content)
            if stream.due < 0:
                raise StreamBroken(Code.PROTOCOL_ERROR, "there are more data than content-length says")
        if flags & END_STREAM:
            self._last_data(stream, content)
            return
        if not content:
            self._patience.spend("empty frames")
        if size > len(content):
            self._intake.returned(stream, size - len(content))
        if stream.last is None:
            self._intake.arrived(stream, content)

    def _renew(self) -> None:
        if self._window < 0:
            raise Broken(Code.FLOW_CONTROL_ERROR, "more was sent than the connection's window allows")
        self._sender.control(window_update(0, _WINDOW - self._window))
        self._window = _WINDOW

    def _last_data(self, stream: Stream, content: bytes) -> None:
        if not stream.streamed and stream.buffer is None and is_one(content, self._intake.max_message_bytes):
            self._end(stream)  # nearly always a call is one message in one frame
            self._calls.answer(stream, content[0], content[PREFIX:])
            return
        if content and stream.last is None:
            self._intake.arrived(stream, content)
        if not stream.closed:
            self._end(stream)
            self._finish_messages(stream)

    def _end(self, stream: Stream) -> None:
        """The client has sent all."""
        stream.ended = True
        if stream.due > 0:
            raise StreamBroken(Code.PROTOCOL_ERROR, "there are less data than content-length says")

    def _finish_messages(self, stream: Stream) -> None:
        if stream.last is not None:
            return
        if stream.streamed:
            if stream.arrived is not None and not stream.arrived.done():
                stream.arrived.set_result(None)
            return
        message = self._intake.take(stream)
        if message is None:
            raise Ended(12, "the method takes one message, none came" if not stream.buffer else "a message is cut off")
        self._calls.answer(stream, *message)

    def _on_headers(self, number_: int, flags: int, payload: bytes) -> None:
        content = unpadded(payload, flags) if flags & PADDED else payload
        if flags & PRIORITY:
            if len(content) < 5:
                raise Broken(Code.FRAME_SIZE_ERROR, "headers are shorter than their priority")
            content = content[5:]
        if flags & END_HEADERS:
            self._block(number_, flags, content)
        else:
            self._gathering = (number_, flags, bytearray(content))

    def _on_continuation(self, number_: int, flags: int, payload: bytes) -> None:
        if self._gathering is None or self._gathering[0] != number_:
            raise Broken(Code.PROTOCOL_ERROR, "headers are continued that did not begin")
        self._patience.spend("continuations")
        _, first, content = self._gathering
        content += payload
        if len(content) > BLOCK_BYTES:
            raise Broken(Code.ENHANCE_YOUR_CALM, f"headers have more than {BLOCK_BYTES} bytes")
        if flags & END_HEADERS:
            self._gathering = None
            self._block(number_, first, bytes(content))

    def _block(self, number_: int, flags: int, content: bytes) -> None:
        if len(content) > BLOCK_BYTES:
            raise Broken(Code.ENHANCE_YOUR_CALM, f"headers have more than {BLOCK_BYTES} bytes")
        known = self._streams.live.get(number_)
        if known is not None:
            self._trailers(known, flags, content)
        elif number_ > self._streams.last and number_ % 2:  # those of clients are odd
            self._begin(number_, flags, content)
        else:
            self._headers.skip(content)
            self._streams.stray(number_, flags, "headers")

    def _trailers(self, stream: Stream, flags: int, content: bytes) -> None:
        self._headers.trailers(content)
        if stream.ended:
            raise StreamBroken(Code.STREAM_CLOSED, "headers behind the end of their stream")
        if not flags & END_STREAM:
            raise StreamBroken(Code.PROTOCOL_ERROR, "trailers do not end their stream")
        self._end(stream)
        self._finish_messages(stream)

    def _begin(self, number_: int, flags: int, content: bytes) -> None:
        self._streams.begins(number_)
        refused = ""
        try:
            headers = self._headers.request(content)
        except TooLarge:
            headers, refused = {}, f"the metadata have more than {LIST_BYTES} bytes; send less"
        if self.stopping or len(self._streams.live) >= STREAMS:
            self._sender.control(reset(number_, Code.REFUSED_STREAM))
            self._patience.spend("refused streams")
            if not flags & END_STREAM:
                self._streams.leave(number_)
            return
        stream = self._streams.live[number_] = Stream(number_, headers, self._first_window, self._sender, self._intake)
        if (length := headers.get(b"content-length")) is not None:
            stream.due = int(length)
        if flags & END_STREAM:
            self._end(stream)
        if refused:
            raise Ended(8, refused)
        self._calls.begin(stream)
        if stream.ended and not stream.closed:
            self._finish_messages(stream)

    def _on_priority(self, number_: int, flags: int, payload: bytes) -> None:
        if number_ == 0:
            raise Broken(Code.PROTOCOL_ERROR, "a priority of stream 0")
        if len(payload) != 5:
            raise StreamBroken(Code.FRAME_SIZE_ERROR, "a priority is not five bytes")
        self._patience.spend("priorities")

    def _on_reset(self, number_: int, flags: int, payload: bytes) -> None:
        number(payload)
        self._streams.known(number_, "a reset")
        self._patience.spend("cancelled calls")
        self._streams.gone(number_)

    def _on_settings(self, number_: int, flags: int, payload: bytes) -> None:
        if number_ != 0:
            raise Broken(Code.PROTOCOL_ERROR, "settings of a stream")
        self._patience.spend("settings")
        if flags & ACK:
            if payload:
                raise Broken(Code.FRAME_SIZE_ERROR, "an acknowledgement of settings has content")
            return
        self._settled = True
        found = parse_settings(payload)
        more = found.get(Setting.INITIAL_WINDOW_SIZE, self._first_window) - self._first_window
        self._first_window += more
        self._sender.frame_bytes = min(found.get(Setting.MAX_FRAME_SIZE, self._sender.frame_bytes), FRAME_BYTES)
        self._sender.control(frame(Kind.SETTINGS, ACK, 0))
        if more:
            for stream in self._streams.live.values():
                stream.window += more
                if stream.window > LARGEST_WINDOW:
                    raise Broken(Code.FLOW_CONTROL_ERROR, "a window is larger than 2^31-1")
            self._sender.flush_all()

    def _on_push(self, number_: int, flags: int, payload: bytes) -> None:
        raise Broken(Code.PROTOCOL_ERROR, "clients do not push")

    def _on_ping(self, number_: int, flags: int, payload: bytes) -> None:
        if number_ != 0:
            raise Broken(Code.PROTOCOL_ERROR, "a ping of a stream")
        if len(payload) != 8:
            raise Broken(Code.FRAME_SIZE_ERROR, "a ping is not eight bytes")
        self._patience.spend("pings")
        if not flags & ACK:
            self._sender.control(frame(Kind.PING, ACK, 0, payload))

    def _on_goaway(self, number_: int, flags: int, payload: bytes) -> None:
        if number_ != 0:
            raise Broken(Code.PROTOCOL_ERROR, "a goodbye of a stream")
        if len(payload) < 8:
            raise Broken(Code.FRAME_SIZE_ERROR, "a goodbye is cut off")
        self._patience.spend("goodbyes")

    def _on_window(self, number_: int, flags: int, payload: bytes) -> None:
        more = number(payload)
        self._patience.spend("window updates")
        if number_ == 0:
            self._sender.window += more
            if more == 0:
                raise Broken(Code.PROTOCOL_ERROR, "the window of the connection grows by nothing")
            if self._sender.window > LARGEST_WINDOW:
                raise Broken(Code.FLOW_CONTROL_ERROR, "the window of the connection is larger than 2^31-1")
            self._sender.flush_all()
            return
        self._streams.known(number_, "a window")
        if (stream := self._streams.live.get(number_)) is None:
            return
        stream.window += more
        if more == 0:
            raise StreamBroken(Code.PROTOCOL_ERROR, "a window grows by nothing")
        if stream.window > LARGEST_WINDOW:
            raise StreamBroken(Code.FLOW_CONTROL_ERROR, "a window is larger than 2^31-1")
        if stream.outgoing:
            self._sender.flush(stream)


_HANDLERS: tuple[Callable[[Session, int, int, bytes], None], ...] = (
    Session._on_data,
    Session._on_headers,
    Session._on_priority,
    Session._on_reset,
    Session._on_settings,
    Session._on_push,
    Session._on_ping,
    Session._on_goaway,
    Session._on_window,
    Session._on_continuation,
)
