"""Bytes to a server and what it does with them: the statuses of its answers, until it closes."""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import time
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from glassworks.conformance.target import Failed, NotOffered, Target

_LARGEST = 2**20
_SILENT = "silent"
_HOST_LINE = re.compile(rb"( HTTP/1\.[01]\r\nHost: \{host\}\r\n)")


def authority(target: Target) -> str:
    """What a request to the server names as its host."""
    return urlsplit(target.url).netloc.rpartition("@")[2]


def addressed(target: Target, content: bytes) -> bytes:
    """Requests for this server: with its host, and behind it the key where there is one."""
    if target.key:
        content = _HOST_LINE.sub(lambda found: found[1] + f"Authorization: Bearer {target.key}\r\n".encode(), content)
    return content.replace(b"{host}", authority(target).encode())


def outcome(target: Target, parts: Sequence[bytes], *, bodiless: bool = False, half_close: bool = False) -> str:
    """The statuses of all answers with a space between them, and `silent` where the server neither answers nor closes.

    Each part but the first is sent when an answer has come. `bodiless`: the first final answer is one to HEAD.
    With `half_close` the last part ends what the client sends.
    """
    first, *rest = parts
    statuses: list[str] = []
    with connected(target) as wire:
        if half_close and isinstance(wire, ssl.SSLSocket):
            raise NotOffered("TLS knows no half of a connection")
        _send(wire, first)
        if half_close:
            wire.shutdown(socket.SHUT_WR)
        try:
            for status in _statuses(wire, target.seconds, bodiless):
                statuses.append(status)
                if rest:
                    _send(wire, rest.pop(0))
        except TimeoutError:
            statuses.append(_SILENT)
    return " ".join(statuses)


@contextlib.contextmanager
def connected(target: Target) -> Iterator[socket.socket]:
    """A connection of its own. Raises Failed."""
    parts = urlsplit(target.url)
    try:
        plain = socket.create_connection((parts.hostname or "", parts.port or 80), target.seconds)
    except OSError as error:
        raise Failed(f"no connection: {error}") from None
    with plain:
        if parts.scheme == "http":
            yield plain
            return
        with ssl.create_default_context().wrap_socket(plain, server_hostname=parts.hostname) as secure:
            yield secure


def ends_within(wire: socket.socket, seconds: float) -> bool:
    """Whether the server closes in that time, with an answer before it or without."""
    end = time.monotonic() + seconds
    try:
        while True:
            wire.settimeout(max(0.01, end - time.monotonic()))
            if not wire.recv(65_536):
                return True
    except TimeoutError:
        return False
    except OSError:
        return True


def _send(wire: socket.socket, content: bytes) -> None:
    # A server that refuses may close before it has read everything.
    with contextlib.suppress(ConnectionError):
        wire.sendall(content)


def _statuses(wire: socket.socket, seconds: float, bodiless: bool) -> Iterator[str]:
    """Raises TimeoutError, and Failed for what is no HTTP/1.1."""
    reader = _Reader(wire, seconds)
    while head := reader.until(b"\r\n\r\n"):
        line, *lines = head.decode("latin-1").split("\r\n")
        version, _, rest = line.partition(" ")
        if version not in ("HTTP/1.1", "HTTP/1.0") or not rest[:3].isdigit():
            raise Failed(f"an answer begins with {line[:80]!r}")
        fields = [(name.lower(), value.strip()) for name, _, value in (each.partition(":") for each in lines)]
        status = int(rest[:3])
        if status >= 200:
            if not (bodiless or status in (204, 304)):
                _pass_body(reader, dict(fields))
            bodiless = False
        yield rest[:3]


def _pass_body(reader: _Reader, fields: dict[str, str]) -> None:
    if fields.get("transfer-encoding", "").lower() == "chunked":
        while (line := reader.until(b"\r\n")).strip():
            size = int(line.partition(b";")[0], 16)
            if not size:
                while reader.until(b"\r\n"):
                    pass
                return
            reader.exactly(size + 2)
    elif "content-length" in fields:
        reader.exactly(int(fields["content-length"]))
    else:
        reader.rest()


class _Reader:
    def __init__(self, wire: socket.socket, seconds: float) -> None:
        self._wire, self._received, self._end = wire, b"", time.monotonic() + seconds

    def until(self, mark: bytes) -> bytes:
        """What comes before the mark; nothing where the connection ends first."""
        while mark not in self._received:
            if not self._more():
                return b""
        found, _, self._received = self._received.partition(mark)
        return found

    def exactly(self, size: int) -> None:
        """Pass so many bytes."""
        while len(self._received) < size:
            if not self._more():
                raise Failed("a body is cut off")
        self._received = self._received[size:]

    def rest(self) -> None:
        """Pass all that comes until the connection ends."""
        while self._more():
            self._received = b""

    def _more(self) -> bool:
        self._wire.settimeout(max(0.01, self._end - time.monotonic()))
        try:
            content = self._wire.recv(65_536)
        except ConnectionError:
            return False
        self._received += content
        if len(self._received) > _LARGEST:
            raise Failed("an answer has no end")
        return bool(content)
