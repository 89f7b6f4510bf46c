"""A client of HTTP/2 that sends whatever bytes a check wants, and looks at what comes back frame by frame."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import hpack

from glassworks.conformance.target import Failed, NotOffered, Target

DATA, HEADERS, PRIORITY, RESET, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONTINUATION = range(10)
END_STREAM, END_HEADERS, ACK, PADDED, PRIORITIZED = 0x1, 0x4, 0x1, 0x8, 0x20
PROTOCOL, INTERNAL, FLOW, CLOSED, SIZE, REFUSED, CANCEL, COMPRESSION, CALM = 1, 2, 3, 5, 6, 7, 8, 9, 11
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
LIVE = b"/inference.GRPCInferenceService/ServerLive"
STREAM = b"/inference.GRPCInferenceService/ModelStreamInfer"
_KINDS = "DATA HEADERS PRIORITY RST_STREAM SETTINGS PUSH_PROMISE PING GOAWAY WINDOW_UPDATE"
_NAMES = dict(enumerate(_KINDS.split()))
_ASKED = b"complete"
_LATE_S = 0.5
"""For a reset that comes behind the answer to a later ping."""

Pairs = Sequence[tuple[bytes, bytes]]
Check = Callable[[Target], None]


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """A frame with any content."""
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def block(pairs: Pairs) -> bytes:
    """Headers as literals that change no table."""
    return b"".join(b"\0" + text(name) + text(value) for name, value in pairs)


def text(value: bytes) -> bytes:
    """A string literal of RFC 7541, not compressed."""
    if len(value) < 127:
        return bytes([len(value)]) + value
    rest, digits = len(value) - 127, bytearray([127])
    while rest >= 128:
        digits.append(rest % 128 + 128)
        rest //= 128
    return bytes([*digits, rest]) + value


def asked(path: bytes | None = LIVE, *more: tuple[bytes, bytes], **changed: bytes | None) -> list[tuple[bytes, bytes]]:
    """The headers of a call; `method`, `scheme` and `type` may be given another value, or None to be left out."""
    usual: dict[str, tuple[bytes, bytes | None]] = {
        "method": (b":method", b"POST"),
        "scheme": (b":scheme", b"http"),
        "path": (b":path", path),
        "authority": (b":authority", b"test"),
        "type": (b"content-type", b"application/grpc"),
        "te": (b"te", b"trailers"),
    }
    found = []
    for key, (name, value) in usual.items():
        given = changed.get(key, value)
        if given is not None:
            found.append((name, given))
    return [*found, *more]


def headers(pairs: Pairs, stream: int = 1, flags: int = END_HEADERS) -> bytes:
    """A HEADERS frame."""
    return frame(HEADERS, flags, stream, block(pairs))


def message(content: bytes = b"", packed: int = 0) -> bytes:
    """A message of gRPC with its prefix."""
    return bytes([packed]) + len(content).to_bytes(4, "big") + content


def data(content: bytes = b"\0\0\0\0\0", stream: int = 1, flags: int = END_STREAM) -> bytes:
    """A DATA frame; an empty message that ends the stream without arguments."""
    return frame(DATA, flags, stream, content)


def call(stream: int = 1, path: bytes = LIVE, *more: tuple[bytes, bytes]) -> bytes:
    """A whole call with an empty message."""
    return headers(asked(path, *more), stream) + data(stream=stream)


def keyed(content: bytes, key: str) -> bytes:
    """The same frames; behind the usual headers of each call comes the key. What is no whole frame stays as it is."""
    position = len(PREFACE) if content.startswith(PREFACE) else 0
    usual, parts = block([(b"te", b"trailers")]), [content[:position]]
    more = usual + block([(b"authorization", b"Bearer " + key.encode())])
    while (end := position + 9 + int.from_bytes(content[position : position + 3], "big")) <= len(content):
        part, position = content[position:end], end
        if part[3] == HEADERS and usual in part:
            part = frame(HEADERS, part[4], int.from_bytes(part[5:9], "big"), part[9:].replace(usual, more, 1))
        parts.append(part)
    return b"".join([*parts, content[position:]])


@dataclass
class Seen:
    """What a server did until it answered the last ping, or closed."""

    frames: list[tuple[int, int, int, bytes]] = field(default_factory=list)
    closed: bool = False

    def of(self, kind: int, stream: int | None = None) -> list[bytes]:
        """The payloads of a kind of frames."""
        return [each[3] for each in self.frames if each[0] == kind and stream in (None, each[2])]

    @property
    def goodbye(self) -> int | None:
        """The code of a GOAWAY."""
        found = self.of(GOAWAY)
        return int.from_bytes(found[-1][4:8], "big") if found else None

    def reset(self, stream: int) -> int | None:
        """The code with which a stream was reset."""
        found = self.of(RESET, stream)
        return int.from_bytes(found[0], "big") if found else None

    def metadata(self, stream: int) -> dict[str, str]:
        """Headers and trailers of a stream. Raises Failed."""
        decoder, found, kept = hpack.Decoder(), {}, b""
        for kind, flags, number, payload in self.frames:
            if kind in (HEADERS, CONTINUATION):
                kept += payload
                if flags & END_HEADERS:
                    try:
                        pairs = decoder.decode(kept)
                    except hpack.HPACKError as error:
                        raise Failed(f"headers that cannot be read: {error}") from None
                    found.update({str(name): str(value) for name, value in pairs} if number == stream else {})
                    kept = b""
        return found

    def summary(self) -> str:
        """In words."""
        parts = [
            f"{_NAMES.get(kind, kind)}({stream}, {payload[:8].hex()})" for kind, _, stream, payload in self.frames[-5:]
        ]
        return ", ".join([*parts, *(["closed"] if self.closed else [])]) or "nothing"


class Link:
    """A connection to the target's gRPC address, where HTTP/2 is spoken without TLS."""

    def __init__(self, target: Target) -> None:
        """Raises NotOffered without such an address, and Failed where nobody answers."""
        if target.grpc is None:
            raise NotOffered("no gRPC address was given: --grpc HOST:PORT")
        host, _, port = target.grpc.rpartition(":")
        self._seconds, self._key = target.seconds, target.key
        try:
            self._socket = socket.create_connection((host.strip("[]"), int(port)), timeout=target.seconds)
        except OSError as error:
            raise Failed(f"no connection: {error}") from None
        self._rest = b""
        self.seen = Seen()

    def __enter__(self) -> Link:
        return self

    def __exit__(self, *error: object) -> None:
        self._socket.close()

    def greet(self, settings: bytes = b"") -> Link:
        """Send the preface and a SETTINGS frame."""
        return self.send(PREFACE + frame(SETTINGS, 0, 0, settings))

    def send(self, content: bytes) -> Link:
        """Send bytes; a server that has closed is seen later."""
        with contextlib.suppress(OSError):
            self._socket.sendall(keyed(content, self._key) if self._key else content)
        return self

    def until(self, enough: Callable[[Seen], bool], seconds: float | None = None) -> Seen:
        """Read frames until they are enough, the server closes, or time is over; all that came since the beginning."""
        end = time.monotonic() + (self._seconds if seconds is None else seconds)
        while not enough(self.seen) and not self.seen.closed and (left := end - time.monotonic()) > 0:
            self._socket.settimeout(left)
            try:
                content = self._socket.recv(65_536)
            except TimeoutError:
                break
            except OSError:
                content = b""
            self.seen.closed = not content
            self.seen.frames += self._whole(content)
        return self.seen

    def _whole(self, content: bytes) -> Iterator[tuple[int, int, int, bytes]]:
        self._rest += content
        while len(self._rest) >= 9 and len(self._rest) >= 9 + int.from_bytes(self._rest[:3], "big"):
            size = 9 + int.from_bytes(self._rest[:3], "big")
            kind, flags = self._rest[3], self._rest[4]
            stream = int.from_bytes(self._rest[5:9], "big") & 0x7FFFFFFF
            yield kind, flags, stream, self._rest[9:size]
            self._rest = self._rest[size:]

    def done(self) -> Seen:
        """Everything until the server has taken in what was sent: it answers a ping, says goodbye or closes."""
        self.send(frame(PING, 0, 0, _ASKED))
        return self.until(lambda seen: _ASKED in seen.of(PING) or seen.goodbye is not None)


Verdict = Callable[[Link], None]


def sends(content: bytes, verdict: Verdict, expects: str, settings: bytes = b"", greeted: bool = True) -> Check:
    """A check that sends bytes behind the greeting, and looks at what comes of it."""

    def check(target: Target) -> None:
        with Link(target) as link:
            if greeted:
                link.greet(settings)
            link.send(content)
            verdict(link)

    check.__doc__ = expects
    return check


def ends(*codes: int) -> Verdict:
    """The connection ends, with a GOAWAY of one of these codes where there is one."""

    def verdict(link: Link) -> None:
        seen = link.done()
        if seen.goodbye is None and not seen.closed:
            raise Failed(f"the connection goes on: {seen.summary()}")
        if seen.goodbye is not None and seen.goodbye not in codes:
            raise Failed(f"GOAWAY with code {seen.goodbye} instead of {' or '.join(map(str, codes))}")

    return verdict


def resets(*codes: int, stream: int = 1) -> Verdict:
    """The stream is reset, or the whole connection ends, which RFC 9113 (5.4.2) allows."""

    def verdict(link: Link) -> None:
        link.done()
        seen = link.until(lambda seen: seen.reset(stream) is not None, _LATE_S)
        code = seen.reset(stream) if seen.goodbye is None else seen.goodbye
        if code is None and not seen.closed:
            raise Failed(f"the stream goes on: {seen.summary()}")
        if code is not None and code not in codes:
            raise Failed(f"code {code} instead of {' or '.join(map(str, codes))}")

    return verdict


def goes_on(stream: int = 0) -> Verdict:
    """Nothing is wrong: the connection answers, and the call on the stream, where one is named, ends well."""

    def verdict(link: Link) -> None:
        seen = link.done()
        if seen.goodbye is not None or seen.closed:
            raise Failed(f"the connection ends: {seen.summary()}")
        if stream:
            _status(link, stream, "0")

    return verdict


def status(*codes: int, stream: int = 1) -> Verdict:
    """The call ends with one of these statuses of gRPC, and the connection goes on."""

    def verdict(link: Link) -> None:
        _status(link, stream, *map(str, codes))
        goes_on()(link)

    return verdict


def refused(http: int, stream: int = 1) -> Verdict:
    """The call ends with a status of HTTP, or with one of gRPC that is not OK."""

    def verdict(link: Link) -> None:
        seen = link.until(lambda seen: _over(seen, stream))
        found = seen.metadata(stream)
        if found.get(":status") != str(http) and found.get("grpc-status", "0") == "0" and seen.reset(stream) is None:
            raise Failed(f"headers {found} instead of :status {http}")
        goes_on()(link)

    return verdict


def _status(link: Link, stream: int, *codes: str) -> None:
    seen = link.until(lambda seen: _over(seen, stream))
    found = seen.metadata(stream).get("grpc-status")
    if found not in codes:
        raise Failed(f"grpc-status {found} instead of {' or '.join(codes)}: {seen.summary()}")


def _over(seen: Seen, stream: int) -> bool:
    ended = any(number == stream and flags & END_STREAM for kind, flags, number, _ in seen.frames if kind <= HEADERS)
    return ended or seen.reset(stream) is not None or seen.goodbye is not None
