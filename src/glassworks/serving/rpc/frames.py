"""HTTP/2 frames (RFC 9113) and the header blocks (RFC 7541) that gRPC needs."""

from __future__ import annotations

import enum
import struct
import zlib
from collections.abc import Iterable
from urllib.parse import quote

import hpack

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEAD_BYTES = 9
END_STREAM, END_HEADERS, ACK, PADDED, PRIORITY = 0x1, 0x4, 0x1, 0x8, 0x20
_HEAD = struct.Struct(">HBBBL")
_SETTING = struct.Struct(">HL")
_STREAM = 0x7FFFFFFF
_KEPT = 256
_WINDOWS = {b"gzip": 31, b"deflate": 15}
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
    FLOW_CONTROL_ERROR = 3
    STREAM_CLOSED = 5
    FRAME_SIZE_ERROR = 6
    REFUSED_STREAM = 7
    CANCEL = 8
    COMPRESSION_ERROR = 9
    ENHANCE_YOUR_CALM = 11


class Setting(enum.IntEnum):
    """Settings of a connection."""

    MAX_CONCURRENT_STREAMS = 3
    INITIAL_WINDOW_SIZE = 4
    MAX_FRAME_SIZE = 5
    MAX_HEADER_LIST_SIZE = 6


class Broken(Exception):
    """The other side broke the protocol: the connection ends with this code."""

    def __init__(self, code: Code, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


def head(length: int, kind: int, flags: int, stream: int) -> bytes:
    """A frame's first nine bytes."""
    return _HEAD.pack(length >> 8, length & 0xFF, kind, flags, stream)


def parse_head(data: bytes | bytearray, place: int) -> tuple[int, int, int, int]:
    """Length, kind, flags and stream of the frame that begins there."""
    high, low, kind, flags, stream = _HEAD.unpack_from(data, place)
    return high << 8 | low, kind, flags, stream & _STREAM


def frame(kind: Kind, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """A whole frame."""
    return head(len(payload), kind, flags, stream) + payload


def settings(values: Iterable[tuple[Setting, int]]) -> bytes:
    """A SETTINGS frame."""
    return frame(Kind.SETTINGS, 0, 0, b"".join(_SETTING.pack(*each) for each in values))


def parse_settings(payload: bytes) -> list[tuple[int, int]]:
    """Settings by their numbers. Raises Broken."""
    if len(payload) % _SETTING.size:
        raise Broken(Code.FRAME_SIZE_ERROR, "settings are cut off")
    return list(_SETTING.iter_unpack(payload))


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


def block(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """A header block that uses no table, and so is the same for everybody; `:status` is 200."""
    parts = [b"\x88"]
    for name, value in headers:
        parts += [b"\x00", _text(name), _text(value)]
    return b"".join(parts)


def trailers(status: int, message: str = "", more: Iterable[tuple[bytes, bytes]] = ()) -> bytes:
    """The header block that ends a call."""
    parts = [b"\x00", _text(b"grpc-status"), _text(b"%d" % status)]
    if message:
        parts += [
            b"\x00",
            _text(b"grpc-message"),
            _text(quote(message, safe=" !#$&'()*+,/:;=?@[]~\"<>{}|^`\\").encode()),
        ]
    for name, value in more:
        parts += [b"\x00", _text(name), _text(value)]
    return b"".join(parts)


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


class HeaderReader:
    """Decodes the header blocks of a connection in their order.

    Clients send the same headers again and again, mostly as references into the table that both sides keep. What a
    block stands for is remembered until a block changes that table.
    """

    def __init__(self, max_bytes: int) -> None:
        self._decoder = hpack.Decoder(max_header_list_size=max_bytes)
        self._known: dict[bytes, dict[bytes, bytes]] = {}

    def read(self, content: bytes) -> dict[bytes, bytes]:
        """The headers by name; where one is repeated, the last counts. Raises Broken."""
        known = self._known.get(content)
        if known is not None:
            return known
        size, front = self._table()
        try:
            headers = {bytes(name): bytes(value) for name, value in self._decoder.decode(content, raw=True)}
        except hpack.HPACKError as error:
            raise Broken(Code.COMPRESSION_ERROR, f"the headers cannot be read: {error}") from None
        # Entries come in at the front; holding on to the old one keeps another from looking like it.
        now, new_front = self._table()
        if now != size or new_front is not front or len(self._known) >= _KEPT:
            self._known.clear()
        else:
            self._known[content] = headers
        return headers

    def _table(self) -> tuple[tuple[int, int], object]:
        """Its sizes, and the entry at its front."""
        entries = self._decoder.header_table.dynamic_entries
        return (len(entries), self._decoder.header_table_size), entries[0] if entries else None


def inflated(message: bytes, encoding: bytes, limit: int) -> bytes | None:
    """A compressed message; None when it cannot be read or is too large."""
    window = _WINDOWS.get(encoding)
    if window is None:
        return None
    inflater = zlib.decompressobj(window)
    try:
        plain = inflater.decompress(message, limit + 1)
    except zlib.error:
        return None
    return plain if len(plain) <= limit and inflater.eof else None
