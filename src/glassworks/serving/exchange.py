"""One HTTP request and its answer, as the endpoints see them: ASGI without a framework on the hot path."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable, Callable, Coroutine, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec

from glassworks.errors import InputError

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_T = TypeVar("_T")
_WINDOWS = {b"gzip": 31, b"x-gzip": 31, b"deflate": 15}


class TooLarge(InputError):
    """A body over the limit."""


class Disconnected(Exception):
    """The client went away; nobody waits for an answer."""


@dataclass(slots=True)
class Answer:
    """A response; `headers` are beside content-length, which is added."""

    body: bytes
    status: int = 200
    content_type: bytes = b"application/json"
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)

    async def send(self, send: Send) -> None:
        """Give it to the server."""
        headers = [
            (b"content-type", self.content_type),
            (b"content-length", b"%d" % len(self.body)),
            *self.headers,
        ]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})


def json_answer(value: object, status: int = 200) -> Answer:
    """A value as JSON."""
    return Answer(msgspec.json.encode(value), status)


@dataclass(slots=True)
class Exchange:
    """A request: `parameters` are the parts of its path, as the route names them."""

    scope: Mapping[str, Any]
    receive: Receive
    parameters: Mapping[str, str]
    max_body_bytes: int

    def header(self, name: bytes) -> bytes | None:
        """The header of that name (lower case); the last one where it is repeated."""
        value: bytes | None = dict(self.scope["headers"]).get(name)
        return value

    async def body(self) -> bytes:
        """The whole body, decompressed. Raises TooLarge, InputError, Disconnected."""
        parts, size = [], 0
        while True:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise Disconnected
            part: bytes = message.get("body", b"")
            size += len(part)
            if size > self.max_body_bytes:
                raise self._too_large()
            parts.append(part)
            if not message.get("more_body"):
                break
        content = parts[0] if len(parts) == 1 else b"".join(parts)
        encoding = (self.header(b"content-encoding") or b"identity").lower()
        return content if encoding == b"identity" else self._decompressed(content, encoding)

    async def unless_gone(self, work: Coroutine[Any, Any, _T]) -> _T:
        """What long work gives; it is cancelled, and Disconnected raised, when the client goes away first."""
        task, gone = asyncio.ensure_future(work), asyncio.ensure_future(self.receive())
        try:
            await asyncio.wait((task, gone), return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise Disconnected
            return task.result()
        finally:
            task.cancel()
            gone.cancel()

    def _decompressed(self, content: bytes, encoding: bytes) -> bytes:
        name = encoding[:40].decode("latin-1")
        if encoding not in _WINDOWS:
            raise InputError(f"the content encoding {name!r} is not known", "send gzip, deflate or identity")
        try:
            inflater = zlib.decompressobj(_WINDOWS[encoding])
            plain = inflater.decompress(content, self.max_body_bytes + 1)
        except zlib.error as error:
            raise InputError(f"the body is not {name}: {error}", "send what content-encoding says") from None
        if len(plain) > self.max_body_bytes:
            raise self._too_large()
        if not inflater.eof or inflater.unused_data:
            raise InputError(f"the {name} body is cut off, or followed by something else", "send one whole stream")
        return plain

    def _too_large(self) -> TooLarge:
        return TooLarge(
            f"the body is larger than {self.max_body_bytes} bytes", "send less, or raise serving.max_body_bytes"
        )
