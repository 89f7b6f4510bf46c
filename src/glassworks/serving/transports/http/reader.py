"""Bytes become whole requests, or a refusal: framing by llhttp, and the rules of RFC 9112 that it leaves to us."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import httptools

from glassworks.serving.transports.http.compression import Body
from glassworks.serving.transports.http.exchange import Exchange, Refusal
from glassworks.serving.transports.http.limits import too_large

if TYPE_CHECKING:
    from glassworks.serving.transports.http.service import Service

LARGE = 65_536
"""Bytes of a body from which on who sends it is asked for before it is read, and what came of it is counted."""
_ONCE = (b"host", b"content-length", b"transfer-encoding", b"authorization", b"content-type", b"expect")
"""Headers of which a second one would let two readers of a request disagree."""
_THOUGHT = frozenset((b"transfer-encoding", b"expect", b"content-encoding"))
"""Headers of a body that may be larger than it says, or waits to be asked for."""
_AUTHORITY = re.compile(rb"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~!$&'()*+,;=%-]+)(?::[0-9]{0,5})?")
_ABSOLUTE = re.compile(rb"https?://([^/?#]*)(?:[/?].*)?", re.DOTALL | re.IGNORECASE)
_AROUND = b" \t"
_END = b"\r\n\r\n"
_SLASH = 0x2F
_LINE = 4
"""Bytes of a line of a head beside its name and value."""
_SMALL = 4096
"""Bytes of a part of a body that is put behind the one before."""
_SHORT = 4
"""Digits of a content-length that needs no thought."""
_KEPT = 2048
"""Bytes of a head that is remembered, at most."""


class Reader:
    """One connection's requests, one after the other. Methods named `on_...` are called by the parser."""

    def __init__(
        self,
        service: Service,
        whole: Callable[[Exchange], object],
        go_on: Callable[[], object],
        taken_over: Callable[[Exchange, bytes], bool],
    ) -> None:
        """`whole` gets each request, `go_on` is called for one that waits for 100 Continue, `taken_over` may go on with
        a connection whose request asks for another protocol, and with the bytes behind it."""
        self._service, self._limits = service, service.limits
        self._whole, self._go_on, self._taken_over = whole, go_on, taken_over
        # Released by `end`: the two hold each other.
        self._parser: Any = httptools.HttpRequestParser(self)
        self._loop = asyncio.get_running_loop()
        self.receiving = self.late = False
        self.since = 0.0
        self._body: list[Body] = []
        self.kept_bytes = 0
        """What came of the body of a request that is not whole."""
        self._head = b""
        """Of the last request, as it came; it is read in one glance where the next one has the same."""
        self._method, self._target, self._host = "", b"", b"\0"
        self._fields: list[tuple[bytes, bytes]] = []
        self._headers: dict[bytes, bytes] = {}
        self._idle_bytes = self._read_bytes = self._count = self._size = 0
        self._keep_alive = self._plain = self._upgrading = False

    @property
    def idle_s(self) -> float:
        """How long nothing may come: who never asked anything has no more time than for a whole request."""
        return self._limits.idle_s if self._method else min(self._limits.idle_s, self._limits.receive_s)

    @property
    def target(self) -> bytes:
        """What is asked for, as far as it was read."""
        return self._target

    def end(self) -> None:
        """Drop what came, and the callbacks; nothing more is fed."""
        self._parser, self._body, self._head, self.kept_bytes, self.receiving = None, [], b"", 0, False
        self._whole = self._go_on = self._taken_over = _nobody

    def feed(self, data: bytes | memoryview) -> None:
        """Go on with what arrived; nothing of it is referred to afterwards. Raises Refusal."""
        if self._head and self._like_the_last(data):
            return
        fields, kept, begins = self._fields, self.kept_bytes, not self.receiving
        again = self._fed(data)
        while again:
            again = self._fed(again)
        if not self.receiving:
            self._idle_bytes = 0
            if begins:
                self._remember(data)
        else:
            # A head, a line of a chunk or a trailer without an end is kept by the parser.
            still = fields is self._fields and kept == self.kept_bytes
            self._idle_bytes = self._idle_bytes + len(data) if still else 0
            if self._idle_bytes > self._limits.max_header_bytes:
                raise self._large_head()

    def _like_the_last(self, data: bytes | memoryview) -> bool:
        """Whether this is one whole request that differs from the one before by its body only, which begins then."""
        size = len(self._head)
        if len(data) != self._size or bytes(data[:size]) != self._head:
            return False
        self.late = self._service.stopping
        self._whole(self._exchange(bytes(data[size:])))
        return True

    def _remember(self, data: bytes | memoryview) -> None:
        """Keep the head of what was exactly one request whose body has no coding and waits for nothing."""
        headers = self._headers
        head = len(data) - int(headers.get(b"content-length", b"0"))
        if head > _KEPT or not self._keep_alive or self._upgrading or not _THOUGHT.isdisjoint(headers):
            return
        # A second request, or an empty line behind a body, would make this the end of something else.
        if (raw := bytes(data[: max(head, 0)])).find(_END) == head - len(_END):
            self._head, self._size = raw, len(data)

    def _fed(self, data: bytes | memoryview) -> bytes:
        """Empty, or what is to be read again."""
        self._read_bytes = len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            return self._upgrade(bytes(data[upgrade.args[0] :]))
        except httptools.HttpParserError as error:
            cause = error.__context__ if isinstance(error, httptools.HttpParserCallbackError) else None
            if cause is not None:
                raise cause from None
            text = str(error)[:200]
            raise Refusal(400, f"this is not valid HTTP/1.1: {text}; send a well-formed request") from None
        return b""

    def _upgrade(self, rest: bytes) -> bytes:
        """Let another protocol go on, where one is spoken at that place; else it is the plain request it may be."""
        # HTTP/1.0 knows no upgrades.
        asked = Exchange(self._method, self._target, self._headers, b"")
        if not self._plain and self._taken_over(asked, rest):
            return b""
        # The parser would not read a body behind such a head: without its wish it is read again.
        kept = [each for each in self._headers.items() if each[0] not in (b"upgrade", b"connection")]
        kept += [] if self._keep_alive else [(b"connection", b"close")]
        head = b"%b %b HTTP/1.%d\r\n" % (self._method.encode(), self._target, not self._plain)
        self._parser = httptools.HttpRequestParser(self)
        return head + b"".join(b"%b: %b\r\n" % each for each in kept) + b"\r\n" + rest

    def on_message_begin(self) -> None:
        self.receiving = True
        self.since = self._loop.time()
        self.late = self._service.stopping
        self._target = self._head = b""
        self._fields = []

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._fields.append((name, value))

    def on_headers_complete(self) -> None:
        fields = self._fields
        headers = self._headers = {name.lower(): value.rstrip(_AROUND) for name, value in fields}
        self._method = self._parser.get_method().decode("ascii")
        self._count = len(fields)
        # A head that came in one or two small reads cannot be too large.
        limits = self._limits
        if self._count > limits.max_headers or self._idle_bytes + self._read_bytes > limits.max_header_bytes:
            self._bound_head()
        self._keep_alive, self._plain = self._parser.should_keep_alive(), False
        if not self._keep_alive or b"connection" in headers:
            # Only HTTP/1.1 stays open without being asked to.
            self._look_at_version()
        # A connection's later requests are for the same host.
        if headers.get(b"host") != self._host or len(headers) != self._count or self._target[0] != _SLASH:
            self._look_at_names()
        self._upgrading = b"upgrade" in headers and self._parser.should_upgrade()
        if self._upgrading:
            return
        length = headers.get(b"content-length")
        if (length is not None and len(length) > _SHORT) or not _THOUGHT.isdisjoint(headers):
            self._look_at_body(length, headers.get(b"expect"))

    def _bound_head(self) -> None:
        size = len(self._target) + sum(len(name) + len(value) + _LINE for name, value in self._fields)
        if len(self._fields) > self._limits.max_headers or size > self._limits.max_header_bytes:
            raise self._large_head()

    def _look_at_version(self) -> None:
        version = self._parser.get_http_version()
        if version not in ("1.1", "1.0"):
            raise Refusal(505, f"HTTP/{version} is not spoken here; send HTTP/1.1")
        self._plain = version == "1.0"
        if self._plain and b"transfer-encoding" in self._headers:
            raise Refusal(400, "HTTP/1.0 has no transfer-encoding; send a content-length, or HTTP/1.1")

    def _look_at_names(self) -> None:
        """Which host is asked for what, and what is said twice."""
        if self._method == "CONNECT":
            raise Refusal(501, "this server is no proxy; ask it for what it has")
        headers = self._headers
        if len(headers) != self._count:
            headers = self._headers = self._joined()
        if b"host" not in headers and not self._plain:
            raise Refusal(400, "the request names no host; send one header host")
        if self._target[0] != _SLASH and not (self._target == b"*" and self._method == "OPTIONS"):
            absolute = _ABSOLUTE.fullmatch(self._target)
            if absolute is None:
                raise Refusal(400, "the target of the request is no path; send one that begins with /")
            # RFC 9112, 3.2.2: it counts, whatever the header says.
            headers[b"host"] = absolute[1]
        host = headers.get(b"host")
        if host is not None:
            if not _AUTHORITY.fullmatch(host):
                raise Refusal(400, "the host of the request is none; send a name or an address, with a port or without")
            self._host = host

    def _joined(self) -> dict[bytes, bytes]:
        headers: dict[bytes, bytes] = {}
        for name, value in ((name.lower(), value.rstrip(_AROUND)) for name, value in self._fields):
            if name in headers and name in _ONCE:
                raise Refusal(400, f"the request has two headers {name.decode()}; send one")
            headers[name] = headers[name] + b", " + value if name in headers else value
        return headers

    def _look_at_body(self, length: bytes | None, expects: bytes | None) -> None:
        """Whether a body that is large, or of unknown size, or waits to be asked for, is wanted."""
        coding = self._headers.get(b"transfer-encoding")
        if coding is not None and coding.lower() != b"chunked":
            raise Refusal(501, "the transfer-encoding is not known; send chunked, or a content-length")
        size = int(length or b"0")
        if size > self._limits.max_body_bytes:
            raise self._large_body()
        waits = expects is not None and not self._plain and (coding is not None or size > 0)
        if waits and expects is not None and expects.lower() != b"100-continue":
            raise Refusal(417, "what the request expects is not known; expect 100-continue, or nothing")
        if coding is not None or waits or size > LARGE or b"content-encoding" in self._headers:
            answer = self._service.refused(self._exchange())
            if answer is not None:
                raise Refusal(answer.status, "refused", answer)
        if waits:
            self._go_on()

    def on_body(self, body: bytes) -> None:
        self.kept_bytes += len(body)
        if self.kept_bytes > self._limits.max_body_bytes:
            raise self._large_body()
        parts = self._body
        if not parts or len(body) >= _SMALL:
            parts.append(body)
        elif isinstance(last := parts[-1], bytearray):
            # An object for each of many small chunks would take more than what they bring.
            last += body
        else:
            parts.append(bytearray(body))

    def on_message_complete(self) -> None:
        if self._upgrading:
            return
        if len(self._fields) != self._count:
            # Trailers count with the head, and are dropped: no one may add to a head that was acted on.
            self._bound_head()
        self.receiving = False
        body: Body = b""
        if self._body:
            # Most bodies come in one piece, which is not copied.
            body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
            self._body, self.kept_bytes = [], 0
        self._whole(self._exchange(body))

    def _exchange(self, body: Body = b"") -> Exchange:
        headers = self._headers
        exchange = Exchange(self._method, self._target, headers, body)
        exchange.keep_alive, exchange.plain, exchange.late = self._keep_alive, self._plain, self.late
        exchange.max_body_bytes = self._limits.max_body_bytes
        exchange.request_id = self._service.request_id(headers.get(b"x-request-id", b""))
        return exchange

    def _large_head(self) -> Refusal:
        most = f"{self._limits.max_headers} headers or {self._limits.max_header_bytes} bytes of them"
        return Refusal(431, f"the request has more than {most}; send fewer and shorter headers")

    def _large_body(self) -> Refusal:
        error = too_large(self._limits.max_body_bytes)
        return Refusal(413, f"{error.problem}; {error.mend}")


def _nobody(*arguments: object) -> bool:
    return False
