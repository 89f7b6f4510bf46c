"""A WebSocket, byte for byte: what is sent as it is, and what comes back until the server ends."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import urlsplit

from glassworks.conformance.raw import connected
from glassworks.conformance.target import Failed, NotOffered, Target

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
_ACCEPT = base64.b64encode(hashlib.sha1(f"{KEY}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest()).decode()  # noqa: S324 - RFC 6455, 4.2.2
HEADERS: Mapping[str, str] = {
    "Host": "{host}",
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Key": KEY,
    "Sec-WebSocket-Version": "13",
}
BYE = b"\x88\x82\0\0\0\0\x03\xe8"
"""A close frame with the code 1000."""
_NAMES = {8: "close", 9: "ping", 10: "pong"}
_LARGEST = 2**24


def shaken(target: Target, headers: Mapping[str, str], first: str) -> tuple[str, dict[str, str]]:
    """The status that answers a handshake, empty where none does, and the headers of the answer."""
    with connected(target) as wire:
        return _Reader(wire, target.seconds).head(_head(target, headers, first))


def require_websocket(target: Target) -> None:
    """Go on where a WebSocket opens. Raises NotOffered."""
    status, _ = shaken(target, HEADERS, "GET {path} HTTP/1.1")
    if status != "101":
        raise NotOffered(f"no WebSocket opens at {_path(target)}: status {status or 'none'}")


def answered(target: Target, parts: Sequence[bytes]) -> str:
    """The control frames that answer these bytes until the server ends: `pong:HEX`, `close:CODE`.

    `silent` stands at the end where it neither answers nor ends. Raises NotOffered where no WebSocket opens.
    """
    with connected(target) as wire:
        reader = _Reader(wire, target.seconds)
        status, headers = reader.head(_head(target, HEADERS, "GET {path} HTTP/1.1"))
        if status != "101":
            raise NotOffered(f"no WebSocket opens at {_path(target)}: status {status or 'none'}")
        if headers.get("sec-websocket-accept") != _ACCEPT:
            raise Failed("the handshake is answered with another hash")
        for part in parts:
            reader.send(part)
        return " ".join(reader.control_frames())


def _path(target: Target) -> str:
    return target.websocket or f"{target.path}/stream"


def _head(target: Target, headers: Mapping[str, str], first: str) -> bytes:
    host = urlsplit(target.url).netloc.rpartition("@")[2]
    lines = [first.format(path=_path(target)), *(f"{name}: {text.format(host=host)}" for name, text in headers.items())]
    if target.key:
        lines.append(f"Authorization: Bearer {target.key}")
    return "\r\n".join([*lines, "", ""]).encode()


class _Reader:
    def __init__(self, wire: socket.socket, seconds: float) -> None:
        self._wire, self._received, self._end = wire, b"", time.monotonic() + seconds

    def send(self, content: bytes) -> None:
        # A server that refuses may end before it has read everything.
        with contextlib.suppress(ConnectionError):
            self._wire.sendall(content)

    def head(self, request: bytes) -> tuple[str, dict[str, str]]:
        """Status and headers that answer a request."""
        self.send(request)
        while b"\r\n\r\n" not in self._received:
            if not self._more():
                return "", {}
        head, _, self._received = self._received.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        fields = (line.partition(":") for line in lines)
        return first.partition(" ")[2][:3], {name.lower(): value.strip() for name, _, value in fields}

    def control_frames(self) -> Iterator[str]:
        """Those that come, and `silent` where the connection does not end."""
        try:
            while (found := self._frame()) is not None:
                opcode, content = found
                if opcode == 8:
                    yield f"close:{int.from_bytes(content[:2], 'big') if content else ''}"
                elif opcode in _NAMES:
                    yield f"{_NAMES[opcode]}:{content.hex()}"
        except TimeoutError:
            yield "silent"

    def _frame(self) -> tuple[int, bytes] | None:
        if not self._filled(2):
            return None
        first, second = self._received[:2]
        if first & 0x70 or second & 0x80:
            raise Failed("the server sends a frame with a mask or a reserved bit")
        size, start = second, 2
        if second > 125:
            start = 4 if second == 126 else 10
            if not self._filled(start):
                return None
            size = int.from_bytes(self._received[2:start], "big")
        if size > _LARGEST:
            raise Failed(f"the server sends a frame of {size:,} bytes")
        if not self._filled(start + size):
            return None
        content, self._received = self._received[start : start + size], self._received[start + size :]
        return first & 15, content

    def _filled(self, size: int) -> bool:
        while len(self._received) < size:
            if not self._more():
                return False
        return True

    def _more(self) -> bool:
        self._wire.settimeout(max(0.01, self._end - time.monotonic()))
        try:
            content = self._wire.recv(65_536)
        except ConnectionError:
            return False
        self._received += content
        return bool(content)
