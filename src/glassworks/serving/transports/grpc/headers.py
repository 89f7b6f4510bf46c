"""The headers of requests: decoded with the connection's table (RFC 7541), and held against RFC 9113, section 8."""

from __future__ import annotations

import re

import hpack

from glassworks.serving.transports.grpc.frames import Broken, Code, StreamBroken

LIST_BYTES = 16 * 2**10
"""Of the headers of one request, each counted with 32 bytes more; a request with more is refused."""
BLOCK_BYTES = 2 * LIST_BYTES
"""Of a block, and of the headers that come out of it: beyond that the connection ends."""
_KEPT, _KEPT_BYTES = 64, 4096
"""Blocks whose meaning is remembered, and the longest headers that are."""
_UPDATES = 2
"""Changes of the table's size that a block may begin with (RFC 7541, 4.2)."""
_REQUIRED = {b":method", b":scheme", b":path"}
_KNOWN = {*_REQUIRED, b":authority"}
_OF_CONNECTIONS = {b"connection", b"proxy-connection", b"keep-alive", b"transfer-encoding", b"upgrade"}
_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9a-z-]+")
_NO_VALUE = re.compile(rb"[\0\r\n]|^[ \t]|[ \t]\Z")

Fields = list[tuple[bytes, bytes]]


class TooLarge(Exception):
    """The headers of a request are larger than is allowed; the connection can go on."""


class HeaderReader:
    """Decodes the header blocks of a connection in their order.

    Clients send the same headers again and again, mostly as references into the table that both sides keep. What a
    block stands for is remembered until a block changes that table.
    """

    def __init__(self) -> None:
        self._decoder = hpack.Decoder(max_header_list_size=BLOCK_BYTES)
        self._known: dict[bytes, dict[bytes, bytes]] = {}

    def request(self, content: bytes) -> dict[bytes, bytes]:
        """The headers that begin a request, by name. Raises TooLarge, StreamBroken and Broken."""
        known = self._known.get(content)
        if known is not None:
            return known
        size, newest = self._table()
        fields = self._fields(content)
        # Entries come in at the front; holding on to the old one keeps another from looking like it.
        now, now_newest = self._table()
        changed = now != size or now_newest is not newest
        if changed or len(self._known) >= _KEPT:
            self._known.clear()
        list_bytes = sum(len(name) + len(value) + 32 for name, value in fields)
        if list_bytes > LIST_BYTES:
            raise TooLarge
        headers = _checked(fields)
        if not changed and list_bytes <= _KEPT_BYTES:
            self._known[content] = headers
        return headers

    def trailers(self, content: bytes) -> None:
        """Headers behind a request: they must be right, and mean nothing here. Raises StreamBroken and Broken."""
        before = self._table()
        fields = self._fields(content)
        if self._table() != before:
            self._known.clear()
        for name, value in fields:
            _check(name, value)
            if name[:1] == b":":
                raise StreamBroken(Code.PROTOCOL_ERROR, "a pseudo-header in trailers")

    def skip(self, content: bytes) -> None:
        """Headers of a stream that is none any more, which may change the table. Raises Broken."""
        self._fields(content)
        self._known.clear()

    def _fields(self, content: bytes) -> Fields:
        if content[:1] and content[0] & 0xE0 == 0x20:
            _few_updates(content)
        try:
            return [(bytes(name), bytes(value)) for name, value in self._decoder.decode(content, raw=True)]
        except hpack.OversizedHeaderListError:
            raise Broken(Code.ENHANCE_YOUR_CALM, f"headers have more than {BLOCK_BYTES} bytes") from None
        except hpack.HPACKError as error:
            raise Broken(Code.COMPRESSION_ERROR, f"the headers cannot be read: {error}") from None

    def _table(self) -> tuple[tuple[int, int], object]:
        """Its sizes, and its newest entry."""
        entries = self._decoder.header_table.dynamic_entries
        return (len(entries), self._decoder.header_table_size), entries[0] if entries else None


def _few_updates(content: bytes) -> None:
    position = count = 0
    while position < len(content) and content[position] & 0xE0 == 0x20:
        count += 1
        if count > _UPDATES:
            raise Broken(Code.COMPRESSION_ERROR, f"a block changes the table's size more than {_UPDATES} times")
        if content[position] == 0x3F:  # more bytes of the number follow
            position += 1
            while position < len(content) and content[position] & 0x80:
                position += 1
        position += 1


def _checked(fields: Fields) -> dict[bytes, bytes]:
    """By name; fields of one name are joined as RFC 9110, 5.3, has it."""
    headers: dict[bytes, bytes] = {}
    regular = False
    for name, value in fields:
        _check(name, value)
        if name[:1] == b":":
            if regular or name in headers or name not in _KNOWN:
                raise _malformed(f"the pseudo-header {_shown(name)} is unknown, doubled or behind other headers")
        else:
            regular = True
        before = headers.get(name)
        headers[name] = value if before is None else before + (b"; " if name == b"cookie" else b", ") + value
    _check_request(headers)
    return headers


def _check(name: bytes, value: bytes) -> None:
    if _NAME.fullmatch(name[1:] if name[:1] == b":" else name) is None:
        raise _malformed(f"{_shown(name)} is no name of a header")
    if _NO_VALUE.search(value):
        raise _malformed(f"the value of {_shown(name)} holds what it may not")
    if name in _OF_CONNECTIONS or (name == b"te" and value != b"trailers"):
        raise _malformed(f"{_shown(name)} is a header of HTTP/1.1 connections")


def _check_request(headers: dict[bytes, bytes]) -> None:
    if headers.get(b":method") == b"CONNECT":
        if _KNOWN & headers.keys() != {b":method", b":authority"}:
            raise _malformed("CONNECT has :method and :authority, and no other pseudo-header")
        return
    if not headers.keys() >= _REQUIRED:
        raise _malformed(":method, :scheme or :path is missing")
    path = headers[b":path"]
    if path[:1] != b"/" and not (path == b"*" and headers[b":method"] == b"OPTIONS"):
        raise _malformed(":path is no path")
    authority = headers.get(b":authority")
    if authority is not None and headers.get(b"host", authority) != authority:
        raise _malformed("host and :authority differ")
    length = headers.get(b"content-length")
    if length is not None and not (length.isdigit() and len(length) <= 18):
        raise _malformed("content-length is no number")


def _malformed(reason: str) -> StreamBroken:
    return StreamBroken(Code.PROTOCOL_ERROR, reason)


def _shown(name: bytes) -> str:
    return repr(name[:40])[1:]
