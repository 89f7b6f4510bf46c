"""One HTTP request and its answer, as the endpoints see them."""

from __future__ import annotations

import http
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from glassworks.errors import GlassworksError, Overloaded, Unauthenticated
from glassworks.serving.access.gate import token_of
from glassworks.serving.codec.json_data import json_object
from glassworks.serving.failures import enveloped, error_body, hopeless, problematic, refusal_body, status
from glassworks.serving.requests import Call, call_of
from glassworks.serving.transports.http.compression import Body as Body, Inflation, deflated

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

_STATUS_LINES = {each.value: f"HTTP/1.1 {each.value} {each.phrase}\r\n".encode() for each in http.HTTPStatus}
JSON = b"application/json"


@dataclass(slots=True)
class Answer:
    """A response; `headers` are beside those that every answer has. A `stream` is sent as it comes, chunked; `filler`
    may stand between any two of its parts; an `error` that it says is kept for the log of failures."""

    body: bytes
    status: int = 200
    content_type: bytes = JSON
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    stream: AsyncGenerator[bytes, None] | None = None
    filler: bytes = b""
    error: GlassworksError | None = None


def json_answer(value: object, status: int = 200) -> Answer:
    """A value as JSON."""
    return Answer(msgspec.json.encode(value), status)


def failure(error: Exception, target: bytes = b"") -> Answer:
    """The answer for an error of a request to this target."""
    answer = _wrong(error_body(error, target), status(error).http, target)
    answer.error = error if isinstance(error, GlassworksError) else None
    if isinstance(error, Overloaded):
        answer.headers.append((b"retry-after", b"%d" % error.retry_after_s))
    if isinstance(error, Unauthenticated):
        answer.headers.append((b"www-authenticate", b"Bearer"))
    if enveloped(target) and hopeless(error):
        answer.headers.append((b"x-should-retry", b"false"))
    return answer


def refusal(problem: str, status: int, target: bytes = b"") -> Answer:
    """The answer for what is refused by a status."""
    return _wrong(refusal_body(problem, status, target), status, target)


def _wrong(body: object, status: int, target: bytes) -> Answer:
    answer = json_answer(body, status)
    if problematic(target):
        answer.content_type = b"application/problem+json"
    return answer


class Refusal(Exception):
    """What came is not read any further; `answer` says why, unless another one does."""

    def __init__(self, status: int, problem: str, answer: Answer | None = None) -> None:
        super().__init__(problem)
        self.status, self.problem, self._answer = status, problem, answer

    def answer(self, target: bytes = b"") -> Answer:
        """What is sent to who asked for this target."""
        return self._answer or refusal(self.problem, self.status, target)


class Exchange:
    """A request, and the way for its answer. `parameters` are the parts of its path, as the route names them.

    Names of headers are lower case; what a repeated one says is joined by commas. `arrived_ns` is of
    `time.perf_counter_ns`. When the client leaves before the answer, `on_gone` is called. A `late` request began
    after the service was told to stop. A `plain` one is of HTTP/1.0, which knows no chunks.
    """

    __slots__ = (
        "arrived_ns", "body", "gone", "headers", "inflation", "keep_alive", "late", "max_body_bytes", "method",
        "on_gone", "parameters", "plain", "reply", "request_id", "target",
    )  # fmt: skip

    def __init__(self, method: str, target: bytes, headers: Mapping[bytes, bytes], body: Body) -> None:
        self.method, self.target, self.headers, self.body = method, target, headers, body
        self.parameters: Mapping[str, str] = {}
        self.arrived_ns = time.perf_counter_ns()
        self.request_id = b""
        self.keep_alive, self.late, self.gone, self.plain, self.max_body_bytes = True, False, False, False, 0
        self.inflation: Inflation | None = None
        self.on_gone: Callable[[], object] | None = None
        self.reply: Callable[[Answer], None]

    def content(self) -> Body:
        """The body as it was before its compression. Raises InputError."""
        self.unpack()
        return self.body

    def unpack(self, enough: int | None = None) -> bool:
        """Let the body be as it was before its compression; whether it is.

        With `enough` it may take several calls, each of which inflates about so many bytes. Raises InputError.
        """
        if self.inflation is None:
            encoding = self.headers.get(b"content-encoding", b"").strip().lower()
            if encoding in (b"", b"identity") or not self.body:
                return True
            self.inflation = Inflation(self.body, encoding, self.max_body_bytes)
        if self.body is not self.inflation.content and self.inflation.run(enough):
            self.body = self.inflation.content
        return self.body is self.inflation.content

    def json(self) -> dict[str, object]:
        """The body as a JSON object; an empty body is an empty object. Raises InputError."""
        return json_object(self.content())

    def leave(self) -> None:
        """The client went away; nobody waits for the answer."""
        self.gone = True
        # Else a task and its request hold each other, with its body, and wait for the garbage collector.
        on_gone, self.on_gone = self.on_gone, None
        if on_gone is not None:
            on_gone()


def call(exchange: Exchange) -> Call:
    """Who asks for which model."""
    parameters = exchange.parameters
    return call_of(exchange.headers, parameters["model"], parameters.get("version"), exchange.arrived_ns)


def token(exchange: Exchange) -> bytes | None:
    """The access key that was sent."""
    return token_of(exchange.headers)


def rendered_head(answer: Answer, request_id: bytes, date: bytes, keep_alive: bool, plain: bool = False) -> bytes:
    """Status line and headers, to the empty line behind them; a `plain` stream ends with its connection, and a `plain`
    client is told that it is kept (RFC 9112, C.2.2)."""
    head = b"%bdate: %b\r\ncontent-type: %b\r\nx-content-type-options: nosniff\r\n" % (
        _STATUS_LINES[answer.status], date, answer.content_type
    )  # fmt: skip
    if answer.stream is None:
        head += b"content-length: %d\r\n" % len(answer.body)
    elif plain:
        keep_alive = False
    else:
        head += b"transfer-encoding: chunked\r\n"
    if request_id:
        head += b"x-request-id: %b\r\n" % request_id
    for header in answer.headers:
        head += b"%b: %b\r\n" % header
    if keep_alive:
        return head + (b"connection: keep-alive\r\n\r\n" if plain else b"\r\n")
    return head + b"connection: close\r\n\r\n"


def compress(answer: Answer, accepted: bytes) -> None:
    """Compress its body, where it is not yet, and `accept-encoding` and its size allow it."""
    plain = answer.stream is None and all(name != b"content-encoding" for name, _ in answer.headers)
    found = deflated(answer.body, accepted) if plain else None
    if found is not None:
        answer.body, name = found
        answer.headers += [(b"content-encoding", name), (b"vary", b"accept-encoding")]
