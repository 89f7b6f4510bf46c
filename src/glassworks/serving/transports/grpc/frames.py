"""HTTP/2 frames (RFC 9113), and the header blocks (RFC 7541) that answers need."""

from __future__ import annotations

import enum
import struct
from collections.abc import Iterable
from urllib.parse import quote

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEAD_BYTES = 9
END_STREAM, END_HEADERS, ACK, PADDED, PRIORITY = 0x1, 0x4, 0x1, 0x8, 0x20
_HEAD = struct.Struct(">HBBBL")
_SETTING = struct.Struct(">HL")
_STREAM = 0x7FFFFFFF
LARGEST_WINDOW = 2**31 - 1
FIRST_WINDOW = 65_535
"""Of each stream and of the connection, until either side says otherwise."""
SMALLEST_FRAME, LARGEST_FRAME = 2**14, 2**24 - 1
"""What SETTINGS_MAX_FRAME_SIZE may be."""
_ENTRIES = 64
"""Entries of one SETTINGS frame; there are about ten settings."""
_PLAIN = " !#$&'()*+,/:;=?@[]~\"<>{}|^`\\"
"""What may stand in a grpc-message beside letters and digits; all else is percent-encoded UTF-8."""


class Kind(enum.IntEnum):
    """Frame types."""

    DATA = 0
    HEADERS = 1
    PRIORITY = 2
    RST_STREAM = 3
    SETTINGS = 4
    PUSH_PROMISE = 5
    PING = 6
    GOAWAY = 7
    WINDOW_UPDATE = 8
    CONTINUATION = 9


class Code(enum.IntEnum):
    """Error codes."""

    NO_ERROR = 0
    PROTOCOL_ERROR = 1
    INTERNAL_ERROR = 2
    FLOW_CONTROL_ERROR = 3
    STREAM_CLOSED = 5
    FRAME_SIZE_ERROR = 6
    REFUSED_STREAM = 7
    CANCEL = 8
    COMPRESSION_ERROR = 9
    ENHANCE_YOUR_CALM = 11


class Setting(enum.IntEnum):
    """Settings of a connection."""

    ENABLE_PUSH = 2
    MAX_CONCURRENT_STREAMS = 3
    INITIAL_WINDOW_SIZE = 4
    MAX_FRAME_SIZE = 5
    MAX_HEADER_LIST_SIZE = 6


class Broken(Exception):
    """The other side broke the protocol: the connection ends with this code."""

    def __init__(self, code: Code, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


class StreamBroken(Exception):
    """The other side broke the protocol on one stream, which is reset with this code."""

    def __init__(self, code: Code, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


def head(length: int, kind: int, flags: int, stream: int) -> bytes:
    """A frame's first nine bytes."""
    return _HEAD.pack(length >> 8, length & 0xFF, kind, flags, stream)


def parse_head(data: bytes | bytearray, position: int) -> tuple[int, int, int, int]:
    """Length, kind, flags and stream of the frame that begins there."""
    high, low, kind, flags, stream = _HEAD.unpack_from(data, position)
    return high << 8 | low, kind, flags, stream & _STREAM


def frame(kind: Kind, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """A whole frame."""
    return head(len(payload), kind, flags, stream) + payload


def settings(values: Iterable[tuple[Setting, int]]) -> bytes:
    """A SETTINGS frame."""
    return frame(Kind.SETTINGS, 0, 0, b"".join(_SETTING.pack(*each) for each in values))


def parse_settings(payload: bytes) -> dict[int, int]:
    """The last value of each setting, by its number. Raises Broken for values that may not be."""
    if len(payload) % _SETTING.size:
        raise Broken(Code.FRAME_SIZE_ERROR, "settings are cut off")
    if len(payload) > _ENTRIES * _SETTING.size:
        raise Broken(Code.ENHANCE_YOUR_CALM, f"settings have more than {_ENTRIES} entries")
    found: dict[int, int] = {}
    for name, value in _SETTING.iter_unpack(payload):
        if name == Setting.ENABLE_PUSH and value > 1:
            raise Broken(Code.PROTOCOL_ERROR, "ENABLE_PUSH is neither 0 nor 1")
        if name == Setting.INITIAL_WINDOW_SIZE and value > LARGEST_WINDOW:
            raise Broken(Code.FLOW_CONTROL_ERROR, "the first window is out of range")
        if name == Setting.MAX_FRAME_SIZE and not SMALLEST_FRAME <= value <= LARGEST_FRAME:
            raise Broken(Code.PROTOCOL_ERROR, "MAX_FRAME_SIZE is out of range")
        found[name] = value
    return found


def number(payload: bytes) -> int:
    """A payload of one number of 31 bits. Raises Broken."""
    if len(payload) != 4:
        raise Broken(Code.FRAME_SIZE_ERROR, "a number is not four bytes")
    return int.from_bytes(payload, "big") & _STREAM


def unpadded(payload: bytes, flags: int) -> bytes:
    """A payload without its padding. Raises Broken."""
    if not flags & PADDED:
        return payload
    if not payload or payload[0] >= len(payload):
        raise Broken(Code.PROTOCOL_ERROR, "padding is longer than its frame")
    return payload[1 : len(payload) - payload[0]]


def window_update(stream: int, more: int) -> bytes:
    """A WINDOW_UPDATE frame."""
    return frame(Kind.WINDOW_UPDATE, 0, stream, more.to_bytes(4, "big"))


def reset(stream: int, code: Code) -> bytes:
    """A RST_STREAM frame."""
    return frame(Kind.RST_STREAM, 0, stream, code.to_bytes(4, "big"))


def block(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """A header block that uses no table, and so is the same for everybody."""
    parts = []
    for name, value in headers:
        parts += [b"\x00", _text(name), _text(value)]
    return b"".join(parts)


def trailers(status: int, message: str = "", more: Iterable[tuple[bytes, bytes]] = ()) -> bytes:
    """The header block that ends a call."""
    explained = [(b"grpc-message", quote(message, safe=_PLAIN).encode())] if message else []
    return block([(b"grpc-status", b"%d" % status), *explained, *more])


def _text(value: bytes) -> bytes:
    """A string literal, not compressed."""
    size = len(value)
    if size < 127:
        return bytes([size]) + value
    size -= 127
    digits = [127]
    while size >= 128:
        digits.append(size % 128 + 128)
        size //= 128
    return bytes([*digits, size]) + value
