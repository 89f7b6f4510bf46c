"""One HTTP request and its answer, as the endpoints see them."""

from __future__ import annotations

import http
import time
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from glassworks.errors import InputError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

Body = bytes | bytearray
_WINDOWS = {b"gzip": 31, b"x-gzip": 31, b"deflate": 15}
_STATUS_LINES = {each.value: f"HTTP/1.1 {each.value} {each.phrase}\r\n".encode() for each in http.HTTPStatus}
_COMPRESSED_FROM = 1024
"""Bytes; a smaller answer is not worth compressing."""
_LEVEL = 1
JSON = b"application/json"


class TooLarge(InputError):
    """A body over the limit."""


@dataclass(slots=True)
class Answer:
    """A response; `headers` are beside those that every answer has. A `stream` is sent as it comes, chunked."""

    body: bytes
    status: int = 200
    content_type: bytes = JSON
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    stream: AsyncIterator[bytes] | None = None


def json_answer(value: object, status: int = 200) -> Answer:
    """A value as JSON."""
    return Answer(msgspec.json.encode(value), status)


class Exchange:
    """A request, and the way for its answer. `parameters` are the parts of its path, as the route names them.

    Names of headers are lower case; where one is repeated, the last counts. `arrived_ns` is of
    `time.perf_counter_ns`. When the client leaves before the answer, `on_gone` is called. A `late` request began
    after the service was told to stop.
    """

    __slots__ = (
        "arrived_ns", "body", "gone", "headers", "keep_alive", "late", "max_body_bytes", "method", "on_gone",
        "parameters", "reply", "request_id", "target",
    )  # fmt: skip

    def __init__(self, method: str, target: bytes, headers: Mapping[bytes, bytes], body: Body) -> None:
        self.method, self.target, self.headers, self.body = method, target, headers, body
        self.parameters: Mapping[str, str] = {}
        self.arrived_ns = time.perf_counter_ns()
        self.request_id = b""
        self.keep_alive, self.late, self.gone, self.max_body_bytes = True, False, False, 0
        self.on_gone: Callable[[], object] | None = None
        self.reply: Callable[[Answer], None]

    def content(self) -> Body:
        """The body as it was before its compression. Raises InputError."""
        encoding = self.headers.get(b"content-encoding")
        if encoding is None or not self.body:
            return self.body
        encoding = encoding.strip().lower()
        return self.body if encoding == b"identity" else _decompressed(self.body, encoding, self.max_body_bytes)

    def json(self) -> dict[str, object]:
        """The body as a JSON object; an empty body is an empty object. Raises InputError."""
        content = self.content()
        try:
            value = msgspec.json.decode(content) if content.strip() else {}
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise InputError(f"the body is not valid JSON: {error}", "send a JSON object") from None
        if not isinstance(value, dict):
            raise InputError("the body is not a JSON object", "send a JSON object, or nothing")
        return value

    def leave(self) -> None:
        """The client went away; nobody waits for the answer."""
        self.gone = True
        if self.on_gone is not None:
            self.on_gone()


def rendered_head(answer: Answer, request_id: bytes, keep_alive: bool) -> bytes:
    """Status line and headers, to the empty line behind them."""
    length = b"transfer-encoding: chunked" if answer.stream is not None else b"content-length: %d" % len(answer.body)
    head = b"%bcontent-type: %b\r\n%b\r\nx-content-type-options: nosniff\r\n" % (
        _STATUS_LINES[answer.status], answer.content_type, length
    )  # fmt: skip
    if request_id:
        head += b"x-request-id: %b\r\n" % request_id
    for header in answer.headers:
        head += b"%b: %b\r\n" % header
    return head + (b"\r\n" if keep_alive else b"connection: close\r\n\r\n")


def compressed(answer: Answer, accepted: bytes) -> None:
    """Compress a body that is worth it in the first way of ours that `accept-encoding` names."""
    if len(answer.body) < _COMPRESSED_FROM or answer.stream is not None:
        return
    for part in accepted.lower().split(b","):
        name, _, quality = part.partition(b";")
        name = name.strip()
        if name in (b"gzip", b"deflate") and quality.replace(b" ", b"") not in (b"q=0", b"q=0.0"):
            deflater = zlib.compressobj(_LEVEL, wbits=_WINDOWS[name])
            answer.body = deflater.compress(answer.body) + deflater.flush()
            answer.headers += [(b"content-encoding", name), (b"vary", b"accept-encoding")]
            return


def _decompressed(content: Body, encoding: bytes, limit: int) -> bytes:
    name = encoding[:40].decode("latin-1")
    if encoding not in _WINDOWS:
        raise InputError(f"the content encoding {name!r} is not known", "send gzip, deflate or identity")
    parts, rest, left = [], bytes(content), limit
    while rest:  # a gzip file may hold several members
        inflater = zlib.decompressobj(_WINDOWS[encoding])
        try:
            parts.append(inflater.decompress(rest, left + 1))
        except zlib.error as error:
            raise InputError(f"the body is not {name}: {error}", "send what content-encoding says") from None
        left -= len(parts[-1])
        if left < 0:
            raise too_large(limit)
        if not inflater.eof:
            raise InputError(f"the {name} body is cut off", "send the whole stream")
        rest = inflater.unused_data
        if rest and encoding == b"deflate":
            raise InputError("the deflate body is followed by something else", "send one whole stream")
    return parts[0] if len(parts) == 1 else b"".join(parts)


def too_large(limit: int) -> TooLarge:
    """A body over the limit in bytes."""
    return TooLarge(f"the body is larger than {limit} bytes", "send less, or raise the limit: --max-body-bytes")
